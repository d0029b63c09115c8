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
  /** The message in pieces is given up; what came of it is dropped. */
  ABANDON: "A",
  /** The data messages that follow, up to F, are pieces of one message. */
  BEGIN: "B",
  /** And a decimal number: more credit. */
  CREDIT: "C",
  /** No data follows from this side. */
  END: "E",
  /** The message in pieces is complete. */
  FINISH: "F",
  /** And a token: answer with Q and the same token. */
  PING: "P",
  /** And a token: the answer. */
  PONG: "Q",
  /** This side has data and no credit. */
  WAITING: "W",
} as const;
export type RecordKind = (typeof RecordKind)[keyof typeof RecordKind];

/** A record: C goes with an amount of credit, 1 to 2^31 - 1; P and Q with a token. */
export function createRecord(kind: RecordKind, content: string | number = ""): string {
  return RECORD_MARK + kind + content;
}

/** Whether a text begins with the mark: a record, or text that is to be escaped. */
export function hasMark(text: string): boolean {
  return text.charCodeAt(0) === RECORD_MARK_CODE;
}
