import { describe, expect, it } from "vitest";
import type { AttributeMemberType, ConstantMemberType, IDLTypeDescription, OperationMemberType } from "webidl2";
import { countRequired, getEnumValues, getInterface, type IdlInterface } from "./standard.ts";

/** What implements an interface of the IDL. */
export interface Implementation {
  /** Heads the tests. */
  readonly title: string;
  /** The name in the IDL. */
  readonly name: string;
  readonly interfaceObject: new (...args: never[]) => object;
  /** The interface object of what the IDL inherits from; null for an interface that inherits from nothing. */
  readonly parent: object | null;
  /** An object of this interface, made without any of the tests' interest. */
  create(): object;
}

/** Registers the tests that follow from the IDL text (Web IDL §3.7). */
export function describeInterface(implementation: Implementation): void {
  const idl = getInterface(implementation.name);
  describe(`Web IDL §3.7 ${implementation.title}`, () => {
    describeInterfaceObject(implementation, idl);
    describePrototype(implementation, idl);
    for (const attribute of idl.attributes) describeAttribute(implementation, attribute);
    for (const operation of idl.operations) describeOperation(implementation, operation);
  });
}

function describeInterfaceObject({ interfaceObject, parent }: Implementation, idl: IdlInterface): void {
  const required = Math.min(...idl.constructors.map(countRequired));

  it("the interface object is a function with the name and length of the IDL", () => {
    expect(typeof interfaceObject).toBe("function");
    const attributes = { enumerable: false, writable: false, configurable: true };
    expect(Object.getOwnPropertyDescriptor(interfaceObject, "name")).toEqual({ value: idl.name, ...attributes });
    expect(Object.getOwnPropertyDescriptor(interfaceObject, "length")).toEqual({ value: required, ...attributes });
  });

  it(`the interface object inherits from ${idl.inheritance ?? "Function.prototype"}`, () => {
    expect(Object.getPrototypeOf(interfaceObject)).toBe(parent ?? Function.prototype);
  });

  it("the property prototype is fixed", () => {
    const descriptor = Object.getOwnPropertyDescriptor(interfaceObject, "prototype");
    expect(descriptor).toMatchObject({ enumerable: false, writable: false, configurable: false });
  });

  it("the constructor needs new", () => {
    const call = interfaceObject as unknown as () => void;
    expect(() => Reflect.apply(call, undefined, Array(required).fill("ws://127.0.0.1:1/"))).toThrow(TypeError);
  });

  if (required > 0) {
    it(`the constructor needs ${required} argument`, () => {
      expect(() => Reflect.construct(interfaceObject, [])).toThrow(TypeError);
    });
  }

  if (idl.constants.length > 0) {
    it.each(idl.constants.map(({ name, value }) => [name, toNumber(value)] as const))(
      "the constant %s is %d, on interface object and prototype",
      (name, value) => {
        const descriptor = { value, enumerable: true, writable: false, configurable: false };
        expect(Object.getOwnPropertyDescriptor(interfaceObject, name)).toEqual(descriptor);
        expect(Object.getOwnPropertyDescriptor(interfaceObject.prototype, name)).toEqual(descriptor);
      },
    );
  }
}

function describePrototype({ interfaceObject, parent, create }: Implementation, idl: IdlInterface): void {
  const { prototype } = interfaceObject;

  it(`the prototype inherits from ${idl.inheritance ?? "Object"}.prototype`, () => {
    const parentPrototype = parent === null ? Object.prototype : (parent as { prototype: object }).prototype;
    expect(Object.getPrototypeOf(prototype)).toBe(parentPrototype);
  });

  it("the prototype has its constructor", () => {
    expect(Object.getOwnPropertyDescriptor(prototype, "constructor")).toEqual({
      value: interfaceObject,
      enumerable: false,
      writable: true,
      configurable: true,
    });
  });

  it("the prototype has the class string", () => {
    expect(Object.getOwnPropertyDescriptor(prototype, Symbol.toStringTag)).toEqual({
      value: idl.name,
      enumerable: false,
      writable: false,
      configurable: true,
    });
    expect(Object.prototype.toString.call(create())).toBe(`[object ${idl.name}]`);
  });

  it("the prototype's enumerable properties are the members of the IDL and no others", () => {
    const { constants, attributes, operations } = idl;
    const members = [...constants, ...attributes, ...operations].map(({ name }) => name);
    expect(Object.keys(prototype).sort()).toEqual(members.sort());
  });

  it("an object has no properties of its own", () => {
    expect(Reflect.ownKeys(create()).filter((key) => typeof key === "string" && key !== "stack")).toEqual([]);
  });
}

function describeAttribute({ interfaceObject, create }: Implementation, attribute: AttributeMemberType): void {
  const { prototype } = interfaceObject;
  const { name, readonly } = attribute;
  const { get, set, ...flags } = Object.getOwnPropertyDescriptor(prototype, name) ?? {};

  describe(`attribute ${name}`, () => {
    it(readonly ? "has a getter and no setter" : "has a getter and a setter", () => {
      expect(flags).toEqual({ enumerable: true, configurable: true });
      expect([get?.name, get?.length]).toEqual([`get ${name}`, 0]);
      if (readonly) expect(set).toBeUndefined();
      else expect([set?.name, set?.length]).toEqual([`set ${name}`, 1]);
    });

    it("has a value of its type", () => {
      expectType((create() as Record<string, unknown>)[name], attribute.idlType);
    });

    if (attribute.idlType.generic === "Promise") {
      it.each(wrongThis(prototype))("the getter returns a rejected promise on %s", async (_, value) => {
        await expect(Reflect.apply(get as () => Promise<unknown>, value, [])).rejects.toThrow(TypeError);
      });
      it("is the same promise each time", () => {
        const object = create() as Record<string, unknown>;
        expect(object[name]).toBe(object[name]);
      });
    } else {
      it.each(wrongThis(prototype))("the getter throws a TypeError on %s", (_, value) => {
        expect(() => Reflect.apply(get as () => unknown, value, [])).toThrow(TypeError);
      });
    }

    if (!readonly) {
      it.each(wrongThis(prototype))("the setter throws a TypeError on %s", (_, value) => {
        expect(() => Reflect.apply(set as (value: unknown) => void, value, [null])).toThrow(TypeError);
      });
    }
  });
}

function describeOperation({ interfaceObject, create }: Implementation, operation: OperationMemberType): void {
  const { prototype } = interfaceObject;
  const name = operation.name as string;
  const required = countRequired(operation);
  const { value, ...flags } = Object.getOwnPropertyDescriptor(prototype, name) ?? {};

  describe(`operation ${name}`, () => {
    it("is a function with the name and length of the IDL, and no constructor", () => {
      expect(flags).toEqual({ enumerable: true, writable: true, configurable: true });
      expect([value.name, value.length]).toEqual([name, required]);
      expect(() => Reflect.construct(value, [])).toThrow(TypeError);
      expect(Object.hasOwn(value, "prototype")).toBe(false);
    });

    it.each(wrongThis(prototype))("throws a TypeError on %s", (_, wrong) => {
      expect(() => Reflect.apply(value, wrong, Array(required).fill("x"))).toThrow(TypeError);
    });

    if (required > 0) {
      it(`needs ${required} argument`, () => {
        expect(() => Reflect.apply(value, create(), [])).toThrow(TypeError);
      });
    }
  });
}

function toNumber(value: ConstantMemberType["value"]): number {
  if (value.type !== "number")
    throw new Error(`Cannot test a constant as it must be a number: current type is ${value.type}`);
  return Number(value.value);
}

/** What has not the brand of an interface. */
function wrongThis(prototype: object): [string, unknown][] {
  return [
    ["undefined", undefined],
    ["null", null],
    ["a primitive", 1],
    ["an object", {}],
    ["the prototype", prototype],
    ["an object that inherits from it", Object.create(prototype)],
    ["a proxy", new Proxy({}, {})],
  ];
}

function expectType(value: unknown, type: IDLTypeDescription): void {
  if (type.nullable && value === null) return;
  if (type.generic === "Promise") {
    expect(value).toBeInstanceOf(Promise);
    return;
  }
  if (type.generic === "FrozenArray") {
    expect(Array.isArray(value) && Object.isFrozen(value)).toBe(true);
    return;
  }
  switch (type.idlType) {
    case "DOMString":
    case "USVString":
      expect(typeof value).toBe("string");
      break;
    case "boolean":
      expect(typeof value).toBe("boolean");
      break;
    case "unsigned short":
    case "unsigned long long":
      expect(Number.isSafeInteger(value) && (value as number) >= 0).toBe(true);
      break;
    case "EventHandler":
      expect(value).toBeNull();
      break;
    case "BinaryType":
      expect(getEnumValues("BinaryType")).toContain(value);
      break;
    case "any":
      expect(value).not.toBeUndefined();
      break;
    default:
      throw new Error(`Cannot test a value as its type is not known here: ${JSON.stringify(type.idlType)}`);
  }
}
