import { WebSocketStream } from "@sluice/polyfill/ponyfill";
import { createPace, type Pace } from "./pace.ts";

/** A connection that reads at its pace and sends on and on; what it shows is in bytes. */
export interface Link {
  readonly description: string;
  readonly pace: Pace;
  state(): {
    received: number;
    read: number;
    /** Received and not read. */
    waiting: number;
    /** What the server may still send, or null if nothing holds it back. */
    credit: number | null;
    /** Of our own messages: with the browser, not with the system. */
    unsent: number;
    /** Why it is over, if it is. */
    end: string | null;
  };
}

const SEND_SPEED = 4 * 1_048_576;
const MESSAGE = new Uint8Array(16_384);

/** Where the plain one gives up, so that your tab survives; it would go on. */
const GIVE_UP_BYTES = 256 * 1_048_576;

function feedUrl(id: string): URL {
  return new URL(`feed?id=${id}`, location.href);
}

/** WebSocketStream: the reader's pace is the server's pace. */
export async function openWithFlowControl(id: string): Promise<Link> {
  const stream = new WebSocketStream(feedUrl(id), { credit: true });
  const { readable, writable } = await stream.opened;
  const pace = createPace(0);
  const sendPace = createPace(SEND_SPEED);
  let read = 0;
  let end: string | null = null;
  const reading = readable.pipeTo(
    new WritableStream({
      async write(message) {
        read += message.length;
        await pace.spend(message.length);
      },
    }),
  );
  const sending = (async () => {
    const writer = writable.getWriter();
    for (;;) {
      // Waits as long as the server does not read.
      await writer.write(MESSAGE);
      await sendPace.spend(MESSAGE.length);
    }
  })();
  Promise.all([reading, sending]).catch((error) => {
    end = `ended: ${String(error)}`;
  });
  return {
    description: `connected, flow control: ${stream.flowControl}`,
    pace,
    state() {
      const { heldBytesIn, heldBytesOut, credit } = stream.metrics();
      return {
        received: read + heldBytesIn,
        read,
        waiting: heldBytesIn,
        credit: credit?.granted ?? null,
        unsent: heldBytesOut,
        end,
      };
    },
  };
}

/** The browser's WebSocket: every message that arrives is kept until its turn comes. */
export async function openPlain(id: string): Promise<Link> {
  const url = feedUrl(id);
  url.protocol = url.protocol.replace("http", "ws");
  const socket = new WebSocket(url);
  socket.binaryType = "arraybuffer";
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = reject;
  });
  const pace = createPace(0);
  const sendPace = createPace(SEND_SPEED);
  const queue: ArrayBuffer[] = [];
  let head = 0;
  let received = 0;
  let read = 0;
  let end: string | null = null;
  let wake = (): void => {};
  socket.onmessage = ({ data }: MessageEvent<ArrayBuffer>) => {
    received += data.byteLength;
    queue.push(data);
    wake();
    if (received - read > GIVE_UP_BYTES) {
      end = "gave up at 256 MiB, which a real page would not";
      socket.close();
    }
  };
  socket.onclose = () => {
    end ??= "closed";
  };
  void (async () => {
    for (;;) {
      while (head === queue.length)
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      const message = queue[head++];
      if (head > 1024) queue.splice(0, head);
      if (head > 1024) head = 0;
      read += message.byteLength;
      await pace.spend(message.byteLength);
    }
  })();
  void (async () => {
    while (socket.readyState === WebSocket.OPEN && socket.bufferedAmount < GIVE_UP_BYTES) {
      socket.send(MESSAGE);
      await sendPace.spend(MESSAGE.length);
    }
  })();
  return {
    description: "connected, no flow control",
    pace,
    state: () => ({ received, read, waiting: received - read, credit: null, unsent: socket.bufferedAmount, end }),
  };
}
