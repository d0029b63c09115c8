/**
 * Control records: text messages that begin with U+0010 (data link escape) and a letter.
 *
 * Data keeps the WebSocket's own message types: a binary message is the application's bytes, a text message is the
 * application's text, nothing added. Only text that itself begins with U+0010 gets a second one in front. So the usual
 * message costs neither a copy nor a kind byte, and a browser's network panel shows what is going on.
 */
export const RECORD_MARK = "\u0010";
export const RECORD_MARK_CODE = 0x10;

/** What the second character of a record says. */
export const RecordKind = {
  /** Not a record: text data that begins with the mark itself. */
  ESCAPED_TEXT: 0x10,
  /** `A`: the message in pieces is given up; what came of it is dropped. */
  ABANDON: 0x41,
  /** `B`: the data messages that follow, up to F, are pieces of one message. */
  BEGIN: 0x42,
  /** `C` and a decimal number: more credit. */
  CREDIT: 0x43,
  /** `E`: no data follows from this side. */
  END: 0x45,
  /** `F`: the message in pieces is complete. */
  FINISH: 0x46,
  /** `P` and a token: answer with Q and the same token. */
  PING: 0x50,
  /** `Q` and a token: the answer. */
  PONG: 0x51,
  /** `W`: this side has data and no credit. */
  WAITING: 0x57,
} as const;
export type RecordKind = (typeof RecordKind)[keyof typeof RecordKind];

export const RECORD_ABANDON: string = `${RECORD_MARK}A`;
export const RECORD_BEGIN: string = `${RECORD_MARK}B`;
export const RECORD_END: string = `${RECORD_MARK}E`;
export const RECORD_FINISH: string = `${RECORD_MARK}F`;
export const RECORD_WAITING: string = `${RECORD_MARK}W`;

/** `C` with an amount of credit, 1 to 2^31 - 1. */
export function creditRecord(amount: number): string {
  return `${RECORD_MARK}C${amount}`;
}

/** `P` with a token that the peer returns. */
export function pingRecord(token: string): string {
  return `${RECORD_MARK}P${token}`;
}

/** `Q` with the token of a ping. */
export function pongRecord(token: string): string {
  return `${RECORD_MARK}Q${token}`;
}

/** Text data as it goes on the wire: with a second mark in front if it begins with one. */
export function escapeText(text: string): string {
  return text.charCodeAt(0) === RECORD_MARK_CODE ? RECORD_MARK + text : text;
}
