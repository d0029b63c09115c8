import type { ReadableMessage } from "../../sluice/src/streams/message-source.ts";

/**
 * Takes the place of streams/message-readable.ts in the bundle: the platform's stream and nothing else. The short cuts of
 * the other one pay for messages that come from a socket by the million, not for those that a browser dispatches.
 */
export class MessageReadable {
  constructor(source: UnderlyingDefaultSource<ReadableMessage>) {
    // biome-ignore lint/correctness/noConstructorReturn: what is constructed is the platform's stream itself
    return new ReadableStream(source, { highWaterMark: 0 }) as never;
  }
}
