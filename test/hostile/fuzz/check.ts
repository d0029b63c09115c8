/** Fails the input that is being tried. @throws {Error} with the text unless it holds */
export function check(holds: boolean, text: string): asserts holds {
  if (!holds) throw new Error(`Broken: ${text}`);
}

/** The same, for two values that JSON can write. */
export function checkSame(actual: unknown, expected: unknown, text: string): void {
  const [left, right] = [JSON.stringify(actual), JSON.stringify(expected)];
  check(left === right, `${text}: ${left} instead of ${right}`);
}
