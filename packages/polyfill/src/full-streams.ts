import * as ponyfill from "web-streams-polyfill";

/** The engine's own streams where they are complete: byte streams, async iteration, transform streams. Else the bundled ones. */
const isComplete =
  typeof globalThis.ReadableStream === "function" &&
  typeof globalThis.WritableStream === "function" &&
  typeof globalThis.TransformStream === "function" &&
  typeof ReadableByteStreamController === "function" &&
  Symbol.asyncIterator in globalThis.ReadableStream.prototype;
const streams = isComplete ? globalThis : (ponyfill as unknown as typeof globalThis);

export const ReadableStream: typeof globalThis.ReadableStream = streams.ReadableStream;
export const WritableStream: typeof globalThis.WritableStream = streams.WritableStream;
