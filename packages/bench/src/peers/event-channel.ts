import type { Channel, Receiver, Source } from "../agent/channel.ts";
import type { Message } from "../agent/payloads.ts";

/** Messages, and bytes, after which a sender with an event API looks whether there is a backlog. */
const BATCH_MESSAGES = 256;
const BATCH_BYTES = 262_144;
/** Bytes in the library's buffer above which a careful sender waits. */
export const BACKLOG_BYTES = 1_048_576;

/** What a library with an event API needs to be told apart by. */
export interface EventSocket {
  /** Calls back for each message, as a string or as bytes of its own. */
  onMessage(handler: (message: Message) => void): void;
  send(message: Message): void;
  close(): void;
  /** Fulfils when there is room: at least a turn of the event loop later, so that the process can do other things. */
  whenWritable(): Promise<void> | undefined;
  /** Sends a batch in one go, where the library has a means for it. */
  batch?(run: () => void): void;
  heldBytes?(): { in: number; out: number };
}

/** A turn of the event loop. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Waits, a turn at a time, while the library says that more is buffered than a careful sender allows. */
export async function untilBelow(bufferedBytes: () => number): Promise<void> {
  do await nextTurn();
  while (bufferedBytes() > BACKLOG_BYTES);
}

/** The measured work on top of an event API. */
export function createEventChannel(socket: EventSocket): Channel {
  const batch = socket.batch ?? ((run) => run());

  function sendBatch(source: Source, count: number): boolean {
    let hasMore = true;
    batch(() => {
      let bytes = 0;
      for (let sent = 0; sent < count && bytes < BATCH_BYTES; sent++) {
        const message = source.next();
        if (message === undefined) {
          hasMore = false;
          return;
        }
        bytes += message.length;
        socket.send(message);
      }
    });
    return hasMore;
  }

  return {
    receive(receiver: Receiver) {
      socket.onMessage((message) => receiver.onMessage(message));
    },
    async sendAll(source) {
      while (sendBatch(source, BATCH_MESSAGES)) await socket.whenWritable();
    },
    async sendBurst(source, count) {
      sendBatch(source, count);
      await socket.whenWritable();
    },
    send: (message) => socket.send(message),
    echo() {
      socket.onMessage((message) => socket.send(message));
    },
    // An event API hands over whatever came; what the application has not got to, it has to keep.
    receiveSlowly(take) {
      const waiting = new Map<number, Message>();
      let first = 0;
      let last = 0;
      let isBusy = false;
      socket.onMessage(async (message) => {
        waiting.set(last++, message);
        if (isBusy) return;
        isBusy = true;
        for (; first < last; first++) {
          const next = waiting.get(first) as Message;
          waiting.delete(first);
          await take(next);
        }
        isBusy = false;
      });
    },
    ...(socket.heldBytes === undefined
      ? {}
      : { heldBytes: () => (socket.heldBytes as () => { in: number; out: number })() }),
    close: () => socket.close(),
  };
}
