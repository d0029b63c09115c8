import { expect } from "vitest";
import { WebSocketError } from "../../packages/sluice/src/streams/websocket-error.ts";
import type { Meeting } from "./stage.ts";

/** Reads to the end. @returns the messages, and what ended them: null if it was a Close */
export async function readAll(
  readable: ReadableStream<string | Uint8Array>,
): Promise<{ messages: (string | Uint8Array)[]; error: unknown }> {
  const messages: (string | Uint8Array)[] = [];
  try {
    for await (const message of readable) messages.push(message);
    return { messages, error: null };
  } catch (error) {
    return { messages, error };
  }
}

/** What a promise rejects with. @throws {Error} if it does not */
export async function reasonOf(promise: Promise<unknown>): Promise<unknown> {
  let value: unknown;
  try {
    value = await promise;
  } catch (reason) {
    return reason;
  }
  throw new Error(`The promise must reject, but it fulfilled with ${JSON.stringify(value)}`);
}

/** The `code` below a WebSocketError, as docs/errors.md lists them, or the system's. */
export function codeOf(error: unknown): unknown {
  return ((error as Error).cause as { code?: unknown } | undefined)?.code;
}

/** Our side has given the connection up: 1006, and this code in the `cause`. */
export async function expectFailure({ stream }: Pick<Meeting, "stream">, code: string | RegExp): Promise<void> {
  const error = await reasonOf(stream.closed);
  expect(error).toBeInstanceOf(WebSocketError);
  expect((error as WebSocketError).closeCode).toBe(1006);
  if (typeof code === "string") expect(codeOf(error)).toBe(code);
  else expect(codeOf(error)).toMatch(code);
}

/** The attacker got one Close frame, with this code and a reason, and behind it nothing but the end. */
export async function expectClose({ peer }: Pick<Meeting, "peer">, closeCode: number): Promise<void> {
  await peer.until(() => peer.hasEnded);
  expect(peer.closes.map(([code]) => code)).toEqual([closeCode]);
  expect(peer.closes[0]?.[1]).not.toBe("");
  expect(peer.frames.at(-1)?.opcode).toBe(8);
  expect(peer.rest.byteLength).toBe(0);
  peer.end();
  await peer.until(() => peer.isClosed);
}

/** The same bytes; `toEqual` compares large ones for seconds. */
export function expectBytes(received: unknown, expected: Uint8Array): void {
  expect(received).toBeInstanceOf(Uint8Array);
  expect(Buffer.compare(received as Uint8Array, expected)).toBe(0);
}
