/** What the bench runs in a page: reads a flood as fast as it can, by one of three ways. */
import { WebSocketStream } from "../../packages/polyfill/src/ponyfill.ts";

type Chunk = string | Uint8Array<ArrayBuffer>;

/** The engine's WebSocket with a stream around it, and no limit: what the others are compared with. */
async function openPlain(url: string): Promise<ReadableStream<Chunk>> {
  const socket = new WebSocket(url);
  socket.binaryType = "arraybuffer";
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = reject;
  });
  return new ReadableStream<Chunk>({
    start(controller) {
      socket.onmessage = ({ data }) => controller.enqueue(typeof data === "string" ? data : new Uint8Array(data));
      socket.onclose = () => controller.close();
    },
    cancel() {
      socket.onmessage = null;
      return new Promise((resolve) => {
        socket.onclose = () => resolve();
        socket.close();
      });
    },
  });
}

/** Reads for `milliseconds`; the way from the first message on, growing windows and all, is what counts. */
async function measure(way: string, url: string, windows: object, milliseconds: number): Promise<number> {
  let readable: ReadableStream<Chunk>;
  if (way === "plain") readable = await openPlain(url);
  else {
    const options =
      way === "credit"
        ? { credit: "require", ...windows }
        : { native: way === "native", receiveBufferLimitBytes: Number.POSITIVE_INFINITY };
    ({ readable } = await new WebSocketStream(url, options as object).opened);
  }
  const reader = readable.getReader();
  let bytes = 0;
  await reader.read();
  const started = performance.now();
  while (performance.now() - started < milliseconds) {
    const { done, value } = await reader.read();
    if (done) throw new Error("The flood ended too early");
    bytes += value.length;
  }
  const seconds = (performance.now() - started) / 1000;
  await reader.cancel();
  return bytes / 1_048_576 / seconds;
}

/** Opens a flood with credit, reads nothing for `stallMs`, then reads all; checks the sum of all bytes. */
let stalled: { stream: WebSocketStream; readable: ReadableStream<Chunk> } | null = null;

async function stall(url: string, options: object): Promise<string> {
  const stream = new WebSocketStream(url, options);
  const { readable } = await stream.opened;
  stalled = { stream, readable };
  return String(stream.flowControl);
}

async function finish(): Promise<{ messages: number; isInOrder: boolean }> {
  if (stalled === null) throw new Error("Nothing is stalled");
  let messages = 0;
  let isInOrder = true;
  const reader = stalled.readable.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    const view = new DataView((value as Uint8Array).buffer);
    isInOrder &&= view.getUint32(0) === messages && view.getUint8(view.byteLength - 1) === (messages & 255);
    messages++;
  }
  await stalled.stream.closed;
  return { messages, isInOrder };
}

Object.assign(globalThis, { measure, stall, finish });
