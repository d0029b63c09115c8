/** Conversions of Web IDL that the public classes share: what a value of any type becomes before an algorithm sees it. */

/** Web IDL `DOMString`: ToString. Symbols throw a TypeError. */
export function toDOMString(value: unknown): string {
  return `${value as string}`;
}

/** Web IDL `USVString`: ToString, then each lone surrogate becomes U+FFFD. */
export function toUSVString(value: unknown): string {
  return toDOMString(value).toWellFormed();
}

/** Web IDL `[EnforceRange] unsigned short`. @throws {TypeError} if the value is not a finite number within 0 to 65535 */
export function toEnforcedUnsignedShort(value: unknown, name: string): number {
  const number = Math.trunc(toNumber(value));
  if (!(number >= 0 && number <= 65_535)) {
    throw new TypeError(`Cannot convert ${name} as it must be an integer from 0 to 65535: current value is ${number}`);
  }
  return number + 0;
}

/** Web IDL `[Clamp] unsigned short`: NaN becomes 0, halves round to even. */
export function toClampedUnsignedShort(value: unknown): number {
  const number = toNumber(value);
  if (Number.isNaN(number)) return 0;
  const clamped = Math.min(Math.max(number, 0), 65_535);
  const floor = Math.floor(clamped);
  const fraction = clamped - floor;
  if (fraction < 0.5 || (fraction === 0.5 && floor % 2 === 0)) return floor;
  return floor + 1;
}

/** Web IDL `unsigned short` without attributes: modulo 2^16. */
export function toUnsignedShort(value: unknown): number {
  return toNumber(value) & 0xffff;
}

/** Web IDL dictionary: undefined and null are the empty dictionary. @throws {TypeError} for any other non-object */
export function toDictionary(value: unknown, name: string): Record<string, unknown> {
  if (value === undefined || value === null) return {};
  if (typeof value !== "object" && typeof value !== "function") {
    throw new TypeError(`Cannot convert ${name} as it must be an object: current type is ${typeof value}`);
  }
  return value as Record<string, unknown>;
}

/** Web IDL `sequence<USVString>`. @throws {TypeError} unless the value is an object with a callable `Symbol.iterator` */
export function toUSVStringSequence(value: unknown, name: string): string[] {
  const isObject = (typeof value === "object" && value !== null) || typeof value === "function";
  const method = isObject ? (value as Iterable<unknown>)[Symbol.iterator] : undefined;
  if (typeof method !== "function") {
    throw new TypeError(
      `Cannot convert ${name} as it must be an iterable object of strings: current type is ${typeof value}`,
    );
  }
  const strings: string[] = [];
  const iterator = method.call(value) as Iterator<unknown>;
  for (let step = iterator.next(); !step.done; step = iterator.next()) strings.push(toUSVString(step.value));
  return strings;
}

/** ToNumber as Web IDL uses it: BigInt and symbols throw a TypeError. */
function toNumber(value: unknown): number {
  return +(value as number);
}
