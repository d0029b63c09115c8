import type { StreamMetrics, WebSocketError } from "../../packages/sluice/src/index.ts";
import type { WebSocketStream } from "../../packages/sluice/src/streams/websocket-stream.ts";
import type { Message } from "./messages.ts";

/** How a connection ended. */
export interface ChannelEnd {
  readonly isClean: boolean;
  readonly closeCode: number;
  /** For people: the error, if it was not clean. */
  readonly text: string;
}

/** One end of a connection: the same for streams and for the class of events. */
export interface Channel {
  /** Rejects when the handshake fails. */
  readonly opened: Promise<void>;
  /** Never rejects. */
  readonly closed: Promise<ChannelEnd>;
  /** The next message; null behind the last. Rejects when the connection is lost. */
  read(): Promise<Message | null>;
  /** Settles as soon as the library wants more. */
  write(message: Message): Promise<void>;
  /** Closes behind everything that was written. Settles when the connection has ended; rejects if it was lost. */
  close(): Promise<void>;
  /** Null where there are none. */
  metrics(): StreamMetrics | null;
}

/** A `WebSocketStream` as a channel. */
export class StreamChannel implements Channel {
  readonly opened: Promise<void>;
  readonly closed: Promise<ChannelEnd>;
  #stream: WebSocketStream | null = null;
  #reader!: ReadableStreamDefaultReader<Message>;
  #writer!: WritableStreamDefaultWriter<string | BufferSource>;

  constructor(connecting: WebSocketStream | Promise<WebSocketStream>) {
    const whenMade = Promise.resolve(connecting);
    this.opened = whenMade.then(async (stream) => {
      this.#stream = stream;
      const { readable, writable } = await stream.opened;
      this.#reader = readable.getReader();
      this.#writer = writable.getWriter();
    });
    this.closed = whenMade
      .then((stream) => stream.closed)
      .then(
        ({ closeCode }) => ({ isClean: true, closeCode, text: "" }),
        (error: Partial<WebSocketError>) => {
          return { isClean: false, closeCode: error.closeCode ?? 1006, text: String(error.message) };
        },
      );
  }

  async read(): Promise<Message | null> {
    const { done, value } = await this.#reader.read();
    return done ? null : value;
  }

  write(message: Message): Promise<void> {
    return this.#writer.write(message as string | Uint8Array<ArrayBuffer>);
  }

  close(): Promise<void> {
    return this.#writer.close();
  }

  metrics(): StreamMetrics | null {
    return this.#stream?.metrics() ?? null;
  }
}
