import { channel as diagnosticsChannel } from "node:diagnostics_channel";
import type { Socket } from "node:net";
import { createInterface } from "node:readline";
import type { Adapter, Channel, Listening } from "./channel.ts";
import { CheckingReceiver } from "./checking-receiver.ts";
import type { Commands } from "./commands.ts";
import { createPayloads, type Message, type PayloadSpec } from "./payloads.ts";
import { percentile } from "./percentile.ts";
import { Pinger } from "./pinger.ts";
import { Profiler } from "./profiler.ts";
import { PayloadSource } from "./sources.ts";
import { collectGarbage, UsageMeter } from "./usage.ts";

/*
 * The program of each measured process: `agent.js <peer> [profile path]`. It holds one end of the connections and does what
 * it is told on its standard input. Everything here is the same for every peer.
 */

/** Each adapter in a chunk of its own, so that a process loads the library that it measures and no other. */
const adapters: Record<string, () => Promise<{ default: Adapter }>> = {
  bun: () => import("../peers/bun.ts"),
  deno: () => import("../peers/deno.ts"),
  "faye-websocket": () => import("../peers/faye-websocket.ts"),
  net: () => import("../peers/net.ts"),
  sluice: () => import("../peers/sluice.ts"),
  "sluice-facade": () => import("../peers/sluice-facade.ts"),
  "sluice-pooled": () => import("../peers/sluice-pooled.ts"),
  undici: () => import("../peers/undici.ts"),
  "undici-stream": () => import("../peers/undici-stream.ts"),
  websocket: () => import("../peers/websocket.ts"),
  ws: () => import("../peers/ws.ts"),
  "ws-cork": () => import("../peers/ws-cork.ts"),
  "ws-stream": () => import("../peers/ws-stream.ts"),
};

const [peer, profilePath] = process.argv.slice(2);
const { default: adapter } = await adapters[peer]();
const profiler = profilePath === undefined ? undefined : new Profiler(profilePath);
let isProfiling = false;

const channels: Channel[] = [];
let receivers: CheckingReceiver[] = [];
let pingers: Pinger[] = [];
let listening: Listening | undefined;
let prepared: (PayloadSpec & { payloads: Message[] }) | undefined;
let keepsChannels = true;
let endMarks = 0;
let onEndMark = () => {};
let onAccepted = () => {};
let consumption = { startedMs: 0, bytes: 0 };
const sockets: Socket[] = [];
diagnosticsChannel("net.client.socket").subscribe((message) => {
  sockets.push((message as { socket: Socket }).socket);
});
const meter = new UsageMeter(() => {
  const held = { in: 0, out: 0 };
  for (const channel of channels) {
    const own = channel.heldBytes?.();
    held.in += own?.in ?? 0;
    held.out += own?.out ?? 0;
  }
  return held;
});

const commands: { [Name in keyof Commands]: (options: Parameters<Commands[Name]>[0]) => unknown } = {
  async listen(setup) {
    if (adapter.listen === undefined) throw new Error(`${peer} has no server`);
    listening = await adapter.listen(setup, (channel) => {
      if (keepsChannels) channels.push(channel);
      onAccepted();
    });
    return { port: listening.port };
  },
  async connect({ url, setup, count, concurrency }) {
    const { connect } = adapter;
    if (connect === undefined) throw new Error(`${peer} has no client`);
    let left = count;
    const connectSome = async () => {
      while (left-- > 0) channels.push(await connect(url, setup));
    };
    await Promise.all(Array.from({ length: Math.min(count, concurrency) }, connectSome));
  },
  accepted: (count) =>
    new Promise<void>((resolve) => {
      onAccepted = () => {
        if (channels.length >= count) resolve();
      };
      onAccepted();
    }),
  receive({ isThroughTransform, ...spec }) {
    const payloads = createPayloads(spec);
    receivers = channels.map((channel) => {
      const receiver = new CheckingReceiver(payloads, spec.bytes, () => {
        endMarks++;
        onEndMark();
      });
      if (isThroughTransform !== true) channel.receive(receiver);
      else if (channel.receiveThroughTransform !== undefined) channel.receiveThroughTransform(receiver);
      else throw new Error(`${peer} has no streams`);
      return receiver;
    });
  },
  echo() {
    for (const channel of channels) channel.echo();
  },
  expect(isThorough) {
    endMarks = 0;
    for (const receiver of receivers) receiver.reset(isThorough);
  },
  async received(sent) {
    const hasMarks = peer !== "net";
    const ended = new Promise<void>((resolve) => {
      onEndMark = () => {
        if (endMarks >= receivers.length) resolve();
      };
      onEndMark();
    });
    if (!hasMarks) for (const receiver of receivers) receiver.expect(sent / receivers.length);
    await ended;
    const active = receivers.filter(({ received }) => received > 0);
    return {
      received: receivers.reduce((sum, { received }) => sum + received, 0),
      wrong: receivers.reduce((sum, { wrong }) => sum + wrong, 0),
      elapsedMs: Math.max(...active.map(({ lastMs }) => lastMs)) - Math.min(...active.map(({ firstMs }) => firstMs)),
    };
  },
  async send({ milliseconds, limit, maxBytes, burst, ...spec }) {
    const payloads = getPayloads(spec);
    const sources = channels.map(
      () =>
        new PayloadSource(payloads, spec.bytes, { milliseconds, limit: limit && limit / channels.length, maxBytes }),
    );
    if (burst === undefined) await Promise.all(channels.map((channel, index) => channel.sendAll(sources[index])));
    else {
      while (sources.some(({ hasEnded }) => !hasEnded)) {
        for (const [index, channel] of channels.entries()) {
          if (!sources[index].hasEnded) await channel.sendBurst(sources[index], burst);
          await new Promise((resolve) => setImmediate(resolve));
        }
      }
    }
    return { sent: sources.reduce((sum, { sent }) => sum + sent, 0) };
  },
  async broadcast({ milliseconds, limit, maxBytes, ...spec }) {
    if (listening?.broadcast === undefined) throw new Error(`${peer} has no broadcast`);
    const source = new PayloadSource(getPayloads(spec), spec.bytes, { milliseconds, limit, maxBytes });
    for (let message = source.next(); message !== undefined; message = source.next()) {
      await listening.broadcast(message, channels);
    }
    return { sent: source.sent * channels.length };
  },
  preparePing({ window, ...spec }) {
    const payloads = getPayloads(spec);
    pingers = channels.map((channel) => {
      const pinger = new Pinger(channel, payloads, spec.bytes, window);
      channel.receive(pinger);
      return pinger;
    });
  },
  async ping({ milliseconds, isThorough }) {
    const results = await Promise.all(pingers.map((pinger) => pinger.run(milliseconds, isThorough)));
    const { times } = results[0];
    return {
      received: results.reduce((sum, { received }) => sum + received, 0),
      wrong: results.reduce((sum, { wrong }) => sum + wrong, 0),
      elapsedMs: Math.max(...results.map(({ elapsedMs }) => elapsedMs)),
      p50: percentile(times, 0.5),
      p99: percentile(times, 0.99),
      p999: percentile(times, 0.999),
    };
  },
  async handshakes({ url, setup, concurrency, milliseconds }) {
    const { connect } = adapter;
    if (connect === undefined) throw new Error(`${peer} has no client`);
    const startedMs = performance.now();
    let count = 0;
    const connectAgain = async () => {
      while (performance.now() - startedMs < milliseconds) {
        const channel = await connect(url, setup);
        count++;
        channel.close();
      }
    };
    await Promise.all(Array.from({ length: concurrency }, connectAgain));
    return { count, elapsedMs: performance.now() - startedMs };
  },
  consume({ bytesPerSecond }) {
    consumption = { startedMs: performance.now(), bytes: 0 };
    for (const channel of channels) {
      channel.receiveSlowly(async (message) => {
        consumption.bytes += message.length;
        const waitMs = consumption.startedMs + (consumption.bytes / bytesPerSecond) * 1000 - performance.now();
        if (waitMs > 1) await new Promise((resolve) => setTimeout(resolve, waitMs));
      });
    }
  },
  consumed: () => ({ bytes: consumption.bytes, elapsedMs: performance.now() - consumption.startedMs }),
  readThenStop: (count) =>
    new Promise<void>((resolve) => {
      let left = count;
      channels[0].receiveSlowly(() => {
        if (--left > 0) return Promise.resolve();
        resolve();
        return new Promise(() => {});
      });
    }),
  bytesRead: () => sockets.reduce((sum, { bytesRead }) => sum + bytesRead, 0),
  mark({ everyMs, isProfiled }) {
    isProfiling = isProfiled === true && profiler !== undefined;
    if (isProfiling) profiler?.start();
    meter.mark(everyMs);
  },
  usage() {
    const usage = meter.read();
    if (isProfiling) profiler?.stop();
    isProfiling = false;
    return usage;
  },
  async collect() {
    await collectGarbage();
    return { rss: process.memoryUsage().rss };
  },
  forget() {
    keepsChannels = false;
  },
};

/**
 * The payloads in the form that the library's users have them in. Made by the warm-up, kept for the rounds: making them is none of
 * what is measured.
 */
function getPayloads({ kind, bytes }: PayloadSpec): Message[] {
  if (prepared?.kind !== kind || prepared.bytes !== bytes) {
    let payloads = createPayloads({ kind, bytes });
    if (adapter.takesBuffers === true) {
      payloads = payloads.map((payload) => (typeof payload === "string" ? payload : Buffer.from(payload)));
    }
    prepared = { kind, bytes, payloads };
  }
  return prepared.payloads;
}

function answer(content: object): void {
  process.stdout.write(`${JSON.stringify(content)}\n`);
}

createInterface({ input: process.stdin }).on("line", async (line) => {
  const { id, name, options } = JSON.parse(line) as { id: number; name: keyof Commands; options: never };
  try {
    answer({ id, result: await commands[name](options) });
  } catch (error) {
    answer({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
});
process.stdin.on("end", () => process.exit(0));
answer({ id: 0, result: { runtime: describeRuntime() } });

function describeRuntime(): string {
  const { versions } = process as { versions: Record<string, string | undefined> };
  if (versions.bun !== undefined) return `Bun ${versions.bun}`;
  if (versions.deno !== undefined) return `Deno ${versions.deno}`;
  return `Node ${versions.node}`;
}
