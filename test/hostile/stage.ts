import { afterAll, afterEach, beforeAll, beforeEach, expect } from "vitest";
import {
  type ConnectionSettings,
  type OwnPortOptions,
  serve,
  type WebSocketStreamServer,
} from "../../packages/sluice/src/server.ts";
import type { WebSocketStreamOptions } from "../../packages/sluice/src/streams/options.ts";
import { WebSocketStream } from "../../packages/sluice/src/streams/websocket-stream.ts";
import { connectHostile, type HostileClientOptions } from "../../packages/sluice/src/testing/hostile-client.ts";
import type { HostilePeer } from "../../packages/sluice/src/testing/hostile-peer.ts";
import { HostileServer } from "../../packages/sluice/src/testing/hostile-server.ts";
import { withResolvers } from "../support/with-resolvers.ts";
import { Bystander } from "./bystander.ts";

export type Role = "client" | "server";

/** Which of us is attacked; `describe.each(ROLES)`. */
export const ROLES: readonly Role[] = ["server", "client"];

/** What of the attacked connection differs from the default. */
export type MeetOptions = ConnectionSettings &
  Pick<WebSocketStreamOptions, "protocols"> & {
    /** Bytes that the hostile peer sends in one packet with its part of the handshake. */
    readonly behindHead?: Uint8Array;
    /** permessage-deflate is offered and accepted. */
    readonly isCompressed?: boolean;
  };

/** One attacked connection behind its handshake. */
export interface Meeting {
  /** Our side. */
  readonly stream: WebSocketStream;
  readonly readable: ReadableStream<string | Uint8Array>;
  readonly writable: WritableStream<string | BufferSource>;
  /** The attacker. */
  readonly peer: HostilePeer;
  /** The most that our side held so far, each way, as its own counters say. */
  readonly heldBytes: { in: number; out: number };
}

/** The server under attack, and everything that must not notice. */
export interface Stage {
  /** Where the server is; its paths: `/echo`, and `/attack/…` for those who meet. */
  readonly url: string;
  readonly server: WebSocketStreamServer;
  /** What clients of the server need for TLS, if it speaks that. */
  readonly tls: { readonly ca: string } | undefined;
  /** Makes a connection between one of us and a hostile peer. */
  meet(role: Role, options?: MeetOptions): Promise<Meeting>;
  /** Where an ordinary client can connect next, and its connection as the server has it; `handler` has it too. */
  expectClient(
    settings?: ConnectionSettings,
    handler?: (stream: WebSocketStream) => unknown,
  ): { readonly url: string; readonly stream: Promise<WebSocketStream> };
  /** Connects as a hostile client, in any way; to the server's root if it is not told where. */
  connect(options?: HostileClientOptions & { readonly url?: string }): Promise<HostilePeer>;
  /** Waits for our side of a connection that came about in another way, and watches it. */
  observe(stream: WebSocketStream, peer: HostilePeer): Promise<Meeting>;
  /** What was reported, warned of or left unhandled so far; a test that does not ask for it fails where there is any. */
  takeComplaints(): unknown[];
  /** Calls this behind the test. */
  onEnd(dispose: () => unknown): void;
  /** Waits until the server has so many connections besides those of the bystanders. */
  untilConnections(count: number): Promise<void>;
}

const BYSTANDERS = 5;
/** Processor time of a test, in microseconds, in which the bystanders must have got through. */
const LONG_ATTACK_US = 500_000;

/**
 * Starts a server for all tests of the file, and five ordinary connections that are busy on it. After every test these must
 * have got through undisturbed, the attackers must be gone from the server, and nothing may have been left unhandled.
 *
 * @param options what of the server differs from the default; with `tls`, everybody speaks TLS
 * @param hook decides about requests that do not come from `meet`
 */
export function createStage(options: Partial<OwnPortOptions> = {}, hook: OwnPortOptions["upgrade"] = () => {}): Stage {
  // Clients trust the server's own certificate.
  const tls = options.tls === undefined ? undefined : { ca: options.tls.cert as string };
  let server: WebSocketStreamServer;
  let url = "";
  let attacks = 0;
  let bystanders: Bystander[] = [];
  let roundTrips: number[] = [];
  let usageBefore = process.cpuUsage();
  const complaints: unknown[] = [];
  const complain = (what: unknown): void => {
    complaints.push(what);
  };
  const settings = new Map<string, ConnectionSettings>();
  const arrivals = new Map<string, (stream: WebSocketStream) => unknown>();
  const disposals: (() => unknown)[] = [];

  beforeAll(async () => {
    for (const event of ["unhandledRejection", "uncaughtException", "warning"]) process.on(event, complain);
    const upgrade: OwnPortOptions["upgrade"] = (request, context) =>
      settings.get(request.url ?? "") ?? hook(request, context);
    server = await serve({ port: 0, host: "127.0.0.1", onError: complain, upgrade, ...options }, async (stream) => {
      const arrive = arrivals.get(stream.request.url ?? "");
      if (arrive !== undefined) await arrive(stream);
      else if (stream.request.url === "/echo") {
        const { readable, writable } = await stream.opened;
        await readable.pipeTo(writable);
      }
    });
    url = (await server.listening).url;
    const echo = new URL("/echo", url).href;
    bystanders = await Promise.all(Array.from({ length: BYSTANDERS }, (_, index) => Bystander.join(echo, index, tls)));
    roundTrips = bystanders.map((bystander) => bystander.roundTrips);
  });

  beforeEach(() => {
    roundTrips = bystanders.map((bystander) => bystander.roundTrips);
    usageBefore = process.cpuUsage();
  });

  afterEach(async () => {
    // An attack that is over in a moment leaves no time for anybody. One that kept this process busy for long must have left
    // some; by the processor's time, as a machine may have others to serve.
    const { user, system } = process.cpuUsage(usageBefore);
    const progress = bystanders.map((bystander, index) => bystander.roundTrips - (roundTrips[index] as number));
    if (user + system > LONG_ATTACK_US) expect(Math.min(...progress)).toBeGreaterThan(0);
    for (const dispose of disposals.splice(0)) await dispose();
    await Promise.all(bystanders.map((bystander) => bystander.goOn(2)));
    expect(bystanders.map(({ problem }) => problem)).toEqual(bystanders.map(() => null));
    await untilConnections(0);
    expect(complaints.splice(0)).toEqual([]);
  });

  afterAll(async () => {
    for (const bystander of bystanders) expect(await bystander.leave()).toEqual({ closeCode: 1000, reason: "" });
    await server.close();
    for (const event of ["unhandledRejection", "uncaughtException", "warning"]) process.off(event, complain);
    expect(complaints).toEqual([]);
  });

  async function untilConnections(count: number): Promise<void> {
    while (server.connectionCount !== BYSTANDERS + count) await turn();
  }

  function expectClient(
    limits: ConnectionSettings = {},
    handler: (stream: WebSocketStream) => unknown = () => {},
  ): ReturnType<Stage["expectClient"]> {
    const path = `/attack/${attacks++}`;
    settings.set(path, limits);
    const arrived = withResolvers<WebSocketStream>();
    arrivals.set(path, (stream) => {
      arrived.resolve(stream);
      return handler(stream);
    });
    return { url: new URL(path, url).href, stream: arrived.promise };
  }

  async function meetServer(meetOptions: MeetOptions): Promise<[WebSocketStream, HostilePeer]> {
    const { behindHead, isCompressed = false, ...limits } = meetOptions;
    const client = expectClient({ perMessageDeflate: isCompressed, ...limits });
    const peer = await connect({
      url: client.url,
      request: (legal) => withBytes(isCompressed ? withField(legal, DEFLATE) : legal, behindHead),
    });
    return [await client.stream, peer];
  }

  async function meetClient(meetOptions: MeetOptions): Promise<[WebSocketStream, HostilePeer]> {
    const { behindHead, isCompressed = false, ...limits } = meetOptions;
    const hostile = await HostileServer.listen({
      respond: (legal) => withBytes(isCompressed ? withField(legal, DEFLATE) : legal, behindHead),
      tls: options.tls,
    });
    disposals.push(() => hostile.close());
    const stream = new WebSocketStream(hostile.url, { perMessageDeflate: isCompressed, tls, ...limits });
    return [stream, await hostile.accept()];
  }

  async function connect({
    url: target = url,
    ...rest
  }: HostileClientOptions & { url?: string }): Promise<HostilePeer> {
    const peer = await connectHostile(target, { tls, ...rest });
    disposals.push(() => peer.destroy());
    return peer;
  }

  async function observe(stream: WebSocketStream, peer: HostilePeer): Promise<Meeting> {
    disposals.push(() => peer.destroy());
    const { readable, writable } = await stream.opened;
    const heldBytes = { in: 0, out: 0 };
    disposals.push(watch(stream, heldBytes));
    return { stream, readable, writable, peer, heldBytes };
  }

  return {
    get url() {
      return url;
    },
    get server() {
      return server;
    },
    tls,
    async meet(role, meetOptions = {}) {
      const [stream, peer] = await (role === "server" ? meetServer(meetOptions) : meetClient(meetOptions));
      return observe(stream, peer);
    },
    observe,
    takeComplaints: () => complaints.splice(0),
    onEnd: (dispose) => void disposals.push(dispose),
    expectClient,
    connect: (connectOptions = {}) => connect(connectOptions),
    untilConnections,
  };
}

/** Notes, in every turn, how much a connection holds. @returns ends it */
function watch(stream: WebSocketStream, heldBytes: { in: number; out: number }): () => void {
  let isOver = false;
  const note = (): void => {
    const metrics = stream.metrics();
    heldBytes.in = Math.max(heldBytes.in, metrics.heldBytesIn);
    heldBytes.out = Math.max(heldBytes.out, metrics.heldBytesOut);
    if (!isOver) setImmediate(note);
  };
  note();
  return () => {
    isOver = true;
  };
}

/** One turn of the event loop. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Adds a field to the head of a handshake. */
export const withField = (head: string, field: string): string => head.replace(/\r\n\r\n$/, `\r\n${field}\r\n\r\n`);

const DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate";

function withBytes(head: string, bytes: Uint8Array = new Uint8Array(0)): Uint8Array {
  return new Uint8Array(Buffer.concat([Buffer.from(head, "latin1"), bytes]));
}
