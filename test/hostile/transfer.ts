import type { WebSocketStream } from "../../packages/sluice/src/streams/websocket-stream.ts";
import { createMessage, isMessage } from "./numbered-message.ts";

/** What one end of a connection does until it ends. */
export type Activity = "reads" | "writes" | "both" | "idles";

/** What the other end does then. */
export const COUNTERPART: Readonly<Record<Activity, Activity>> = {
  reads: "writes",
  writes: "reads",
  both: "both",
  idles: "idles",
};

/** How far a transfer is, and how it ended for everybody who waited for something. */
export interface Transfer {
  /** Messages read or written so far. */
  readonly count: number;
  /** Settles when all of it has: reads, writes, and `closed`. */
  readonly ended: Promise<TransferEnd>;
}

export interface TransferEnd {
  /** The first message that was not the next one; null if there was none. */
  readonly damaged: number | null;
  readonly received: number;
  /** What `closed` gave or rejected with: close code, and the `code` of the cause. */
  readonly closeCode: number;
  readonly code: string | null;
  /** Whether the reader, the writer and `closed` have the same error. */
  readonly isSameError: boolean;
}

/** Begins to read, to write, or neither, as fast as it goes. @param onProgress called with the number of messages so far */
export function transfer(
  stream: WebSocketStream,
  activity: Activity,
  onProgress: (count: number) => void = () => {},
): Transfer {
  let count = 0;
  let received = 0;
  let damaged: number | null = null;
  const advance = (): void => onProgress(++count);
  const errors: unknown[] = [];
  const note = (error: unknown): void => void errors.push(error);

  const read = async (): Promise<void> => {
    for await (const message of (await stream.opened).readable) {
      if (!isMessage(message, received)) damaged ??= received;
      received++;
      advance();
    }
  };
  const write = async (): Promise<void> => {
    const writer = (await stream.opened).writable.getWriter();
    for (let number = 0; ; number++) {
      await writer.write(createMessage(number));
      advance();
    }
  };
  const running: Promise<void>[] = [];
  if (activity === "reads" || activity === "both") running.push(read().catch(note));
  if (activity === "writes" || activity === "both") running.push(write().catch(note));
  const closed = stream.closed.then(
    ({ closeCode }) => ({ closeCode, code: null, error: null as unknown }),
    (error: { closeCode: number; cause?: { code?: string } }) => {
      return { closeCode: error.closeCode, code: error.cause?.code ?? null, error: error as unknown };
    },
  );
  const ended = Promise.all(running).then(async () => {
    const { closeCode, code, error } = await closed;
    return { damaged, received, closeCode, code, isSameError: errors.every((each) => each === error) };
  });
  return {
    get count() {
      return count;
    },
    ended,
  };
}
