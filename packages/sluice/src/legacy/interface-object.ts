/**
 * Gives a class the shape of a Web IDL interface (Web IDL §3.7): attributes and operations are enumerable, constants stand
 * on the interface object and on its prototype, and the class string is a property of the prototype.
 *
 * @param members attributes and operations of the IDL; anything else on the prototype stays as the class defines it
 */
export function defineInterface(
  interfaceObject: { readonly name: string; readonly prototype: object },
  members: readonly string[],
  constants: Readonly<Record<string, number>> = {},
): void {
  const { name, prototype } = interfaceObject;
  for (const member of members) Object.defineProperty(prototype, member, { enumerable: true });
  for (const [constant, value] of Object.entries(constants)) {
    const descriptor = { value, enumerable: true, writable: false, configurable: false };
    Object.defineProperty(interfaceObject, constant, descriptor);
    Object.defineProperty(prototype, constant, descriptor);
  }
  Object.defineProperty(prototype, Symbol.toStringTag, { value: name, configurable: true });
}

/** @throws {TypeError} if fewer arguments were given than the operation or constructor requires */
export function requireArguments(operation: string, given: number, required: number): void {
  if (given < required) {
    throw new TypeError(`Cannot call ${operation} as it requires ${required} argument: got ${given}`);
  }
}
