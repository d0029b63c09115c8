import type { Channel, Source } from "../agent/channel.ts";
import type { Message } from "../agent/payloads.ts";

/** What a library with a pair of web streams gives. */
export interface StreamPair {
  readonly readable: ReadableStream<Message>;
  readonly writable: WritableStream<Message | Uint8Array<ArrayBuffer>>;
  close(): void;
  heldBytes?(): { in: number; out: number };
}

/** The measured work on a pair of web streams: `await writer.ready; writer.write()`, and a loop of `read()`. */
export function createStreamChannel(pair: StreamPair): Channel {
  const { readable, writable } = pair;
  let ownWriter: WritableStreamDefaultWriter<Message> | undefined;
  const getWriter = (): WritableStreamDefaultWriter<Message> => {
    ownWriter ??= writable.getWriter() as WritableStreamDefaultWriter<Message>;
    return ownWriter;
  };

  return {
    async receive(receiver) {
      const reader = readable.getReader();
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        receiver.onMessage(value);
      }
    },
    async sendAll(source: Source) {
      const writer = getWriter();
      let written: Promise<void> | undefined;
      for (let message = source.next(); message !== undefined; message = source.next()) {
        await writer.ready;
        written = writer.write(message);
      }
      await written;
    },
    async sendBurst(source, count) {
      const writer = getWriter();
      for (let sent = 0; sent < count; sent++) {
        const message = source.next();
        if (message === undefined) break;
        writer.write(message);
      }
      await writer.ready;
    },
    send(message) {
      getWriter().write(message);
    },
    async echo() {
      const reader = readable.getReader();
      const writer = getWriter();
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        await writer.ready;
        writer.write(value);
      }
    },
    async receiveSlowly(take) {
      for await (const message of readable as ReadableStream<Message> & AsyncIterable<Message>) await take(message);
    },
    receiveThroughTransform(receiver) {
      readable
        .pipeThrough(
          new TransformStream<Message, Message>({ transform: (message, controller) => controller.enqueue(message) }),
        )
        .pipeTo(new WritableStream({ write: (message) => receiver.onMessage(message) }));
    },
    ...(pair.heldBytes === undefined
      ? {}
      : { heldBytes: () => (pair.heldBytes as () => { in: number; out: number })() }),
    close: () => pair.close(),
  };
}
