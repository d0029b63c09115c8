/*
 * Theory of operation. Field syntax of RFC 9110 §5.6, as far as the opening handshake uses it. Everything works on the
 * raw list (name, value, name, value …): a merged object hides repeated fields, and repetition decides in H12-H16, H21.
 * Every function walks over its input once, whatever a hostile peer wrote.
 */

/** Fields as they came: name, value, name, value … (what Node calls `rawHeaders`). */
export type RawHeaders = readonly string[];

/** One `token *( ";" token [ "=" ( token | quoted-string ) ] )` of RFC 6455 §9.1; names in lower case. */
export interface ExtensionEntry {
  readonly name: string;
  readonly parameters: readonly ExtensionParameter[];
}

/** `value` is null where the parameter has none, and unescaped where it was quoted. */
export interface ExtensionParameter {
  readonly name: string;
  readonly value: string | null;
}

const TAB = 0x09;
const SPACE = 0x20;
const QUOTE = 0x22;
const COMMA = 0x2c;
const SEMICOLON = 0x3b;
const EQUALS = 0x3d;
const BACKSLASH = 0x5c;

const IS_TOKEN_CHAR: readonly boolean[] = Array.from({ length: 128 }, (_, code) =>
  /[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(String.fromCharCode(code)),
);

/** Whether `text` is a token of RFC 9110 §5.6.2: not empty, no separator, no white space. */
export function isToken(text: string): boolean {
  return text.length > 0 && skipToken(text, 0) === text.length;
}

/** Whether `text` may stand in a field: no CR, LF, NUL or other control character, and nothing beyond Latin-1 (RFC 9110 §5.5). */
export function isFieldValue(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if ((code < SPACE && code !== TAB) || code === 0x7f || code > 0xff) return false;
  }
  return true;
}

/**
 * The values of all fields of that name, in order, without the white space around them.
 *
 * @param lowerCaseName the field's name in lower case
 */
export function fieldValues(rawHeaders: RawHeaders, lowerCaseName: string): string[] {
  const values: string[] = [];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] as string;
    if (name.length === lowerCaseName.length && name.toLowerCase() === lowerCaseName) {
      values.push(trimWhiteSpace(rawHeaders[index + 1] as string));
    }
  }
  return values;
}

/** Whether one of the comma-separated elements equals `lowerCaseToken` ignoring ASCII case: `keep-alive, Upgrade` has `upgrade`. */
export function hasListElement(values: readonly string[], lowerCaseToken: string): boolean {
  return values.some((value) =>
    value.split(",").some((element) => trimWhiteSpace(element).toLowerCase() === lowerCaseToken),
  );
}

/** The elements of a `1#token` list, or null if it is not one (an empty element, too). */
export function parseTokenList(value: string): string[] | null {
  const elements = value.split(",").map(trimWhiteSpace);
  return elements.every(isToken) ? elements : null;
}

/**
 * Parses `Sec-WebSocket-Extensions` (RFC 6455 §9.1): "if a value doesn't conform to the ABNF, [it] MUST be treated as invalid".
 *
 * @returns null if the value is malformed
 */
export function parseExtensionList(value: string): ExtensionEntry[] | null {
  const entries: ExtensionEntry[] = [];
  let position = 0;
  for (;;) {
    const nameStart = skipWhiteSpace(value, position);
    position = skipToken(value, nameStart);
    if (position === nameStart) return null;
    const parameters: ExtensionParameter[] = [];
    entries.push({ name: value.slice(nameStart, position).toLowerCase(), parameters });
    position = skipWhiteSpace(value, position);
    while (value.charCodeAt(position) === SEMICOLON) {
      position = parseParameter(value, position + 1, parameters);
      if (position < 0) return null;
    }
    if (position === value.length) return entries;
    if (value.charCodeAt(position) !== COMMA) return null;
    position++;
  }
}

/** Appends one parameter; returns the position behind it and its white space, or -1. */
function parseParameter(value: string, start: number, parameters: ExtensionParameter[]): number {
  const nameStart = skipWhiteSpace(value, start);
  const nameEnd = skipToken(value, nameStart);
  if (nameEnd === nameStart) return -1;
  const name = value.slice(nameStart, nameEnd).toLowerCase();
  let position = skipWhiteSpace(value, nameEnd);
  if (value.charCodeAt(position) !== EQUALS) {
    parameters.push({ name, value: null });
    return position;
  }
  position = skipWhiteSpace(value, position + 1);
  const valueEnd = value.charCodeAt(position) === QUOTE ? skipQuoted(value, position) : skipToken(value, position);
  if (valueEnd <= position) return -1;
  let text = value.slice(position, valueEnd);
  if (text.charCodeAt(0) === QUOTE) {
    text = text.slice(1, -1).replace(/\\(.)/gs, "$1");
    // RFC 6455 §9.1: "the value after quoted-string unescaping MUST conform to the 'token' ABNF".
    if (!isToken(text)) return -1;
  }
  parameters.push({ name, value: text });
  return skipWhiteSpace(value, valueEnd);
}

function skipToken(text: string, start: number): number {
  let position = start;
  while (position < text.length && IS_TOKEN_CHAR[text.charCodeAt(position)] === true) position++;
  return position;
}

/** The position behind the closing quote, or -1. */
function skipQuoted(text: string, start: number): number {
  for (let position = start + 1; position < text.length; position++) {
    const code = text.charCodeAt(position);
    if (code === QUOTE) return position + 1;
    if (code === BACKSLASH) position++;
  }
  return -1;
}

function isWhiteSpace(code: number): boolean {
  return code === SPACE || code === TAB;
}

function skipWhiteSpace(text: string, start: number): number {
  let position = start;
  while (isWhiteSpace(text.charCodeAt(position))) position++;
  return position;
}

// Not trim(), which takes away more than OWS; not a pattern, which is quadratic on long runs inside.
function trimWhiteSpace(text: string): string {
  const start = skipWhiteSpace(text, 0);
  let end = text.length;
  while (end > start && isWhiteSpace(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}
