import type { ReadableMessage } from "../../sluice/src/streams/message-source.ts";

/**
 * Takes the place of streams/message-source.ts in the bundle: the platform's stream with its own queue. The short cuts of
 * the other one pay for messages that come from a socket by the million, not for those that a browser dispatches.
 *
 * There is demand while a read waits, which the platform says by pulling, or its queue is below the mark.
 */
export class MessageSource {
  readonly readable: ReadableStream<ReadableMessage>;
  /** The platform's queue does not tell. */
  readonly queuedBytes = 0;
  readonly #events: MessageSourceEvents;
  #controller!: ReadableStreamDefaultController<ReadableMessage>;
  #isPulled = false;
  #isDone = false;

  constructor(strategy: QueuingStrategy<ReadableMessage> | undefined, events: MessageSourceEvents) {
    this.#events = events;
    this.readable = new ReadableStream(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        pull: () => {
          this.#isPulled = true;
          events.onDemand();
        },
        cancel: (reason) => {
          this.#isDone = true;
          events.onCancel(reason);
        },
      },
      strategy,
    );
  }

  /** Whether the next message is wanted now. */
  get hasDemand(): boolean {
    return !this.#isDone && (this.#isPulled || (this.#controller.desiredSize as number) > 0);
  }

  /** Delivers one message; to be called only while there is demand. */
  push(message: ReadableMessage): void {
    if (this.#isDone) return;
    // Cleared first: enqueue() may pull before it returns.
    this.#isPulled = false;
    try {
      this.#controller.enqueue(message);
    } catch (error) {
      // The strategy's size() threw or gave no usable number, which has errored the stream (Streams §4.5.4).
      this.#isDone = true;
      this.#events.onSourceError(error);
    }
  }

  /** Closes the stream behind what is queued. */
  end(): void {
    if (!this.#isDone) this.#controller.close();
    this.#isDone = true;
  }

  /** Errors the stream; what is queued is dropped, as in the Streams standard. */
  error(reason: unknown): void {
    if (!this.#isDone) this.#controller.error(reason);
    this.#isDone = true;
  }
}

export interface MessageSourceEvents {
  onDemand(): void;
  onCancel(reason: unknown): void;
  onSourceError(reason: unknown): void;
}
