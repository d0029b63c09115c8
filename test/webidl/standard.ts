import { readFileSync } from "node:fs";
import {
  type AttributeMemberType,
  type ConstantMemberType,
  type ConstructorMemberType,
  type DictionaryType,
  type EnumType,
  type InterfaceType,
  type OperationMemberType,
  parse,
} from "webidl2";

/** One interface of the IDL, its members sorted by their kind. */
export interface IdlInterface {
  readonly name: string;
  readonly inheritance: string | null;
  readonly constructors: readonly ConstructorMemberType[];
  readonly constants: readonly ConstantMemberType[];
  readonly attributes: readonly AttributeMemberType[];
  readonly operations: readonly OperationMemberType[];
}

const definitions = parse(readFileSync(new URL("standard.webidl", import.meta.url), "utf8"));

/** @throws {Error} if the IDL does not define it */
export function getInterface(name: string): IdlInterface {
  const definition = find(name, "interface") as InterfaceType;
  const { inheritance, members } = definition;
  const pick = <Member>(type: string): Member[] => members.filter((member) => member.type === type) as Member[];
  return {
    name,
    inheritance,
    constructors: pick("constructor"),
    constants: pick("const"),
    attributes: pick("attribute"),
    operations: pick("operation"),
  };
}

/** The members of a dictionary in the order of their conversion: inherited ones first, each group in lexicographic order. */
export function getDictionaryMembers(name: string): string[] {
  const { inheritance, members } = find(name, "dictionary") as DictionaryType;
  const own = members.map((member) => member.name).sort();
  return inheritance === null ? own : [...getDictionaryMembers(inheritance), ...own];
}

/** The values of an enumeration. */
export function getEnumValues(name: string): string[] {
  return (find(name, "enum") as EnumType).values.map(({ value }) => value);
}

/** Arguments that have to be given. */
export function countRequired(callable: ConstructorMemberType | OperationMemberType): number {
  return callable.arguments.filter(({ optional, variadic }) => !optional && !variadic).length;
}

function find(name: string, type: string): unknown {
  const definition = definitions.find(
    (candidate) => candidate.type === type && "name" in candidate && candidate.name === name,
  );
  if (definition === undefined) throw new Error(`Cannot test ${name} as the IDL does not define this ${type}`);
  return definition;
}
