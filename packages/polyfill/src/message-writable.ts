import type { WritableMessage } from "../../sluice/src/streams/message-sink.ts";

/** Takes the place of streams/message-writable.ts in the bundle: the platform's stream and nothing else. */
export class MessageWritable {
  constructor(sink: UnderlyingSink<WritableMessage>, strategy: QueuingStrategy<WritableMessage> | undefined) {
    // biome-ignore lint/correctness/noConstructorReturn: what is constructed is the platform's stream itself
    return new WritableStream(sink, strategy) as never;
  }
}
