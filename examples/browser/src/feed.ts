import type { Server } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { type ServerWebSocketStream, WebSocketStreamServer } from "sluice/server";
import { createPace, type Pace } from "./pace.ts";

/** What the source would send if nobody held it back, in bytes per second. */
const SOURCE_SPEED = 8 * 1_048_576;
const MESSAGE_BYTES = 16_384;

/** What the page shows about our side of a connection; in bytes. */
export interface Stats {
  /** Of the source's messages: accepted by write(). */
  readonly sent: number;
  /** Accepted, and not yet with the system. */
  readonly waiting: number;
  /** Of the page's messages: read. */
  readonly read: number;
}

interface Feed {
  readonly stream: ServerWebSocketStream;
  readonly pace: Pace;
  sent: number;
  read: number;
}

const feeds = new Map<string, Feed>();

/** The numbers of a connection that the page opened with `?id=`. */
export function statsOf(id: string): Stats | null {
  const feed = feeds.get(id);
  if (feed === undefined) return null;
  return { sent: feed.sent, waiting: feed.stream.metrics().heldBytesOut, read: feed.read };
}

/** How fast we read what the page sends, in bytes per second. */
export function setReadingSpeed(id: string, bytesPerSecond: number): void {
  const feed = feeds.get(id);
  if (feed !== undefined && bytesPerSecond >= 0) feed.pace.bytesPerSecond = bytesPerSecond;
}

/** Sends the source to every page that connects to /feed, and reads what the page sends at the speed that it asks for. */
export function createFeedServer(server: Server): WebSocketStreamServer {
  const webSockets = new WebSocketStreamServer({ server, path: "/feed" });
  void (async () => {
    for await (const stream of webSockets.connections) {
      const id = new URL(stream.url).searchParams.get("id") ?? "";
      const feed: Feed = { stream, pace: createPace(1_048_576), sent: 0, read: 0 };
      feeds.set(id, feed);
      const forget = () => feeds.delete(id);
      stream.closed.then(forget, forget);
      // A page that goes away ends both; there is nothing else to do about it.
      Promise.all([send(feed), receive(feed)]).catch(() => {});
    }
  })();
  return webSockets;
}

async function send(feed: Feed): Promise<void> {
  const writer = (await feed.stream.opened).writable.getWriter();
  const message = new Uint8Array(MESSAGE_BYTES);
  let due = performance.now();
  for (;;) {
    // This is where the page holds us back.
    await writer.write(message);
    feed.sent += MESSAGE_BYTES;
    due = Math.max(due, performance.now() - 100) + (MESSAGE_BYTES / SOURCE_SPEED) * 1000;
    if (due > performance.now()) await sleep(due - performance.now());
  }
}

async function receive(feed: Feed): Promise<void> {
  for await (const message of (await feed.stream.opened).readable) {
    feed.read += message.length;
    await feed.pace.spend(message.length);
  }
}
