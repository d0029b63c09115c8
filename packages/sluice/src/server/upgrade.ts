import type { IncomingMessage } from "node:http";
import type net from "node:net";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import { Budget } from "../connection/budget.ts";
import type { Clock } from "../connection/clock.ts";
import { Connection } from "../connection/connection.ts";
import { DuplexTransport } from "../node/duplex-transport.ts";
import { fillRandom } from "../node/random.ts";
import { sha1Base64 } from "../node/sha1-base64.ts";
import { utf8Codec } from "../node/utf8-codec.ts";
import { createPerMessageDeflateCodec } from "../node/zlib-codec.ts";
import { secWebSocketAccept } from "../protocol/handshake/accept-key.ts";
import { HandshakeRefusal } from "../protocol/handshake/handshake-error.ts";
import { validateClientRequest } from "../protocol/handshake/server-handshake.ts";
import { createServerResponse } from "../protocol/handshake/server-response.ts";
import type { PerMessageDeflateCodec } from "../protocol/permessage-deflate/codec.ts";
import { acceptOffer, type PerMessageDeflateOptions } from "../protocol/permessage-deflate/negotiate.ts";
import { Established } from "../streams/established.ts";
import { toConnectionLimits } from "../streams/options.ts";
import type { AcceptQueue } from "./accept-queue.ts";
import { type Admission, Admissions } from "./admissions.ts";
import { addCredit, MAX_CREDIT_FRAME_BYTES, toPlainOffer, toSelectedProtocol } from "./credit.ts";
import { isThenable } from "./is-thenable.ts";
import { MemberList } from "./member-list.ts";
import type { ServerMetrics } from "./metrics.ts";
import type { Tally } from "./metrics-tally.ts";
import { OpenConnections } from "./open-connections.ts";
import type { AcceptOptions, ConnectionSettings, UpgradeOptions } from "./options.ts";
import { createOriginCheck, type OriginCheck } from "./origin.ts";
import { HandshakeLostError, PendingHandshake } from "./pending-handshake.ts";
import { RefusalSender, refuse, refuseAtLimit, refuseForNow, UpgradeRefusedError } from "./refusal.ts";
import { getRequestField } from "./request-field.ts";
import { isResponse, toRefusal } from "./response-refusal.ts";
import { ServedConnection } from "./served-connection.ts";
import { DEFAULT_SERVER_LIMITS, getDefaultMemoryBudget } from "./server-limits.ts";
import { ServerWebSocketStream } from "./server-websocket-stream.ts";
import { requireOffered, selectProtocol } from "./subprotocol.ts";
import { getPathAndQuery } from "./upgrade-router.ts";

/** One socket is upgraded once, whichever server it is given to (H30). On the socket: a WeakSet of all costs their collection. */
const takenKey: unique symbol = Symbol("taken");

/**
 * From a request to a connection, or to an answer that says why not.
 *
 * Theory of operation. In order: limits (503, 429), the request itself (400, 405, 426), the page's origin (403), the `upgrade`
 * hook, subprotocol and extensions, a turn where the reader of `connections` sets the pace, 101. Cheap checks stand first,
 * and nothing is promised to the client before everything else is decided. Every way out answers the socket or destroys it.
 */
export class Upgrader {
  readonly connections: OpenConnections;
  readonly refusals: RefusalSender;
  readonly #options: UpgradeOptions;
  readonly #clock: Clock;
  readonly #reportError: (error: unknown) => void;
  readonly #isOriginAllowed: OriginCheck;
  readonly #handshakeTimeoutMs: number;
  readonly #maxHeaderCount: number;
  readonly #admissions: Admissions;
  readonly #budget: Budget;
  readonly #tally: Tally;
  readonly #pending = new MemberList<PendingHandshake>();
  /** Most clients of a server use one URL, and parsing it takes longer than anything else in a handshake. */
  #lastURL = { text: "", href: "" };
  #isRefusingAll = false;

  constructor(options: UpgradeOptions, clock: Clock, tally: Tally, reportError: (error: unknown) => void) {
    this.#options = options;
    this.#tally = tally;
    this.#clock = clock;
    this.#reportError = reportError;
    this.#isOriginAllowed = createOriginCheck(options.origins ?? "same-host");
    this.#handshakeTimeoutMs = options.handshakeTimeoutMs ?? DEFAULT_SERVER_LIMITS.handshakeTimeoutMs;
    this.#maxHeaderCount = options.maxHeaderCount ?? DEFAULT_SERVER_LIMITS.maxHeaderCount;
    this.#admissions = new Admissions({ ...DEFAULT_SERVER_LIMITS, ...definedLimits(options) });
    const now = () => clock.now();
    this.#budget = new Budget(options.memoryBudgetBytes ?? getDefaultMemoryBudget(), now, (event) =>
      tally.countBudgetEvent(event, this.#budget),
    );
    this.connections = new OpenConnections(clock);
    this.refusals = new RefusalSender(clock, (...refusal) => tally.countRefusal(...refusal));
  }

  /** Looks at every open connection. */
  metrics(): ServerMetrics {
    const gauges = { connectionsOpen: this.connections.size, handshakesPending: this.#pending.size };
    return this.#tally.snapshot({ ...gauges, budget: this.#budget }, this.connections.metrics());
  }

  /**
   * Takes over a request.
   *
   * @param queue where the connection goes, and whose room is waited for; null if the caller wants it at once
   * @throws {UpgradeRefusedError} if the client was sent a refusal
   * @throws {HandshakeLostError} if the client went away
   * @throws {Error} if the socket was given to a server before; it is left alone then
   */
  async upgrade(
    request: IncomingMessage,
    socket: Duplex,
    head: Uint8Array,
    queue: AcceptQueue<ServerWebSocketStream> | null,
  ): Promise<ServerWebSocketStream> {
    if (isTaken(socket)) throw new Error("Cannot upgrade this socket as it was given to a server before");
    take(socket);
    const pending = new PendingHandshake(request, socket, this.#clock, this.#handshakeTimeoutMs);
    this.#pending.add(pending);
    let admission: Admission | null = null;
    try {
      pending.check();
      this.#refuseIfToldSo();
      if (this.#budget.isAboveHard) {
        throw refuseAtLimit(503, "The server's connections hold as much memory as they may", "memoryBudgetBytes");
      }
      admission = this.#admissions.admit(pending.remoteAddress);
      const plan = await this.#negotiate(pending);
      return await this.#openInTurn(pending, plan, head, admission, queue);
    } catch (error) {
      admission?.release();
      throw this.#answer(pending, error);
    } finally {
      pending.release();
      this.#pending.delete(pending);
    }
  }

  /** From now on everything is refused with 503, also what waits. */
  refuseAll(): void {
    this.#isRefusingAll = true;
    for (const pending of this.#pending.toArray()) pending.abort(createGoingAwayRefusal());
  }

  #refuseIfToldSo(): void {
    if (this.#isRefusingAll) throw createGoingAwayRefusal();
  }

  #getStreamURL(request: IncomingMessage): string {
    const scheme = (request.socket as Partial<TLSSocket>).encrypted === true ? "wss" : "ws";
    const target = getPathAndQuery(request);
    const host = getRequestField(request, "host") ?? "";
    const text = `${scheme}://${host}${target}`;
    if (text === this.#lastURL.text) return this.#lastURL.href;
    const href = parseStreamURL(scheme, host, target);
    this.#lastURL = { text, href };
    return href;
  }

  async #negotiate(pending: PendingHandshake): Promise<UpgradePlan> {
    const { request } = pending;
    // Names and values alternate.
    if (request.rawHeaders.length > 2 * this.#maxHeaderCount) {
      throw refuseAtLimit(431, "The request has more header fields than it may have", "maxHeaderCount");
    }
    const offer = validateClientRequest(request as IncomingMessage & { method: string });
    const url = this.#getStreamURL(request);
    const allowed = this.#isOriginAllowed(request);
    if (!(typeof allowed === "boolean" ? allowed : await pending.within(allowed))) {
      throw refuse(403, "Pages of this origin may not connect");
    }
    const accept = await this.#askHook(pending);
    const settings = accept === NOTHING_CHOSEN ? this.#options : { ...this.#options, ...definedMembers(accept) };
    const offered = toPlainOffer(offer.protocols, settings.credit);
    const protocol =
      accept.protocol === undefined
        ? selectProtocol(this.#options.protocols, offered, request)
        : requireOffered(accept.protocol, offered);
    const selected = toSelectedProtocol(offer.protocols, protocol, settings.credit);
    const { extensions, createCodec } = negotiateDeflate(offer.extensionsOffer, settings.perMessageDeflate ?? false);
    const responseHead = createServerResponse({
      accept: secWebSocketAccept(offer.key, sha1Base64),
      protocol: selected,
      extensions,
      headers: accept.headers === undefined ? [] : new Headers(accept.headers),
    });
    const limits = toConnectionLimits(settings);
    const hasCredit = selected !== protocol;
    return { url, protocol, hasCredit, extensions, settings, limits, responseHead, createCodec };
  }

  /** @throws {UpgradeRefusedError} if the hook refuses */
  async #askHook(pending: PendingHandshake): Promise<AcceptOptions> {
    const { upgrade } = this.#options;
    if (upgrade === undefined) return NOTHING_CHOSEN;
    const { signal } = pending;
    const given: unknown = upgrade(pending.request, { signal });
    let answer = given;
    if (isThenable(given)) {
      const promise = Promise.resolve(given);
      try {
        answer = await pending.within(promise);
      } catch (error) {
        if (signal.aborted) discardLate(promise);
        throw error;
      }
    }
    if (isResponse(answer)) {
      const refusal = await toRefusal(answer, signal);
      throw new UpgradeRefusedError(
        { ...refusal, reason: "hook" },
        `The upgrade hook refused with ${refusal.statusCode}`,
      );
    }
    if (answer === undefined || answer === null) return NOTHING_CHOSEN;
    if (typeof answer !== "object") {
      throw new TypeError(`Hook upgrade must return a Response, an object or nothing: it returned a ${typeof answer}`);
    }
    return answer;
  }

  async #openInTurn(
    pending: PendingHandshake,
    plan: UpgradePlan,
    head: Uint8Array,
    admission: Admission,
    queue: AcceptQueue<ServerWebSocketStream> | null,
  ): Promise<ServerWebSocketStream> {
    if (queue === null) return this.#open(pending, plan, head, admission);
    await queue.takeTurn(pending.signal);
    let stream: ServerWebSocketStream;
    try {
      stream = this.#open(pending, plan, head, admission);
    } catch (error) {
      queue.returnTurn();
      throw error;
    }
    queue.enqueue(stream);
    return stream;
  }

  #open(pending: PendingHandshake, plan: UpgradePlan, head: Uint8Array, admission: Admission): ServerWebSocketStream {
    const { request, socket } = pending;
    pending.check();
    pending.release();
    const transport = new DuplexTransport(socket, { remoteAddress: pending.remoteAddress });
    const served = new ServedConnection(this.#tally, this.connections, admission);
    const engine = new Connection(transport, {
      role: "server",
      clock: this.#clock,
      fillRandom,
      utf8: utf8Codec,
      deflate: plan.createCodec(),
      budget: this.#budget,
      watcher: served,
      ...plan.limits,
      ...(plan.hasCredit ? { maxMessageBytes: MAX_CREDIT_FRAME_BYTES } : {}),
    });
    const { url, protocol, extensions, settings } = plan;
    const connection = plan.hasCredit ? addCredit(engine, settings, this.#clock) : engine;
    const stream = new ServerWebSocketStream(
      new Established(connection, { url, protocol, extensions, head, options: settings }),
      request,
      served,
    );
    // In front of everything: what the connection itself sends in its first turn, such as a grant, it sends at the end of it.
    transport.writeHead(plan.responseHead);
    const { duplex } = transport;
    // A socket whose handle was moved is only an empty shell, which is not worth keeping.
    if (duplex !== socket) {
      take(duplex);
      replaceSocket(request, socket, duplex);
    }
    served.stream = stream;
    served.socket = duplex;
    served.onOpen({ protocol, extensions, isReadStatically: transport.isReadStatically });
    return stream;
  }

  /** Answers the client; returns what the caller of `upgrade` is told. */
  #answer(pending: PendingHandshake, error: unknown): Error {
    const { socket } = pending;
    if (error instanceof HandshakeLostError || pending.isLost) {
      this.#tally.countLostHandshake();
      socket.destroy();
      return error instanceof HandshakeLostError ? error : new HandshakeLostError();
    }
    const refused = this.#toRefusedError(error);
    try {
      this.refusals.send(socket, refused.refusal, pending.request);
      return refused;
    } catch (unsendable) {
      // A Response may hold control characters in its fields, which must not go on the wire.
      return this.#answer(pending, unsendable);
    }
  }

  #toRefusedError(error: unknown): UpgradeRefusedError {
    if (error instanceof UpgradeRefusedError) return error;
    if (error instanceof HandshakeRefusal) {
      return refuse(error.statusCode, error.message, Object.entries(error.headers), error);
    }
    this.#reportError(error);
    return refuse(500, "The server failed to handle this request", [], error);
  }
}

const NOTHING_CHOSEN: AcceptOptions = Object.freeze({});

/** Everything that was decided about a connection before it is opened. */
interface UpgradePlan {
  readonly url: string;
  readonly protocol: string;
  /** Whether the client offered flow control, which then is spoken. */
  readonly hasCredit: boolean;
  readonly extensions: string;
  readonly settings: ConnectionSettings;
  readonly limits: ReturnType<typeof toConnectionLimits>;
  readonly responseHead: string;
  readonly createCodec: () => PerMessageDeflateCodec | null;
}

/** Off unless enabled (D-33); declined where no offer can be kept (E12). */
function negotiateDeflate(
  offer: string,
  option: boolean | PerMessageDeflateOptions,
): Pick<UpgradePlan, "extensions" | "createCodec"> {
  const accepted = option === false || offer === "" ? null : acceptOffer(offer, option);
  if (accepted === null) return { extensions: "", createCodec: () => null };
  const codecOptions = option === true || option === false ? {} : option;
  return {
    extensions: accepted.headerValue,
    createCodec: () => createPerMessageDeflateCodec("server", accepted.parameters, codecOptions),
  };
}

function createGoingAwayRefusal(): UpgradeRefusedError {
  return refuseForNow(503, "The server takes no new connections");
}

/** @throws {UpgradeRefusedError} 400 if Host and request target do not make a URL */
function parseStreamURL(scheme: "ws" | "wss", host: string, target: string): string {
  const isSound = target.startsWith("/") && /^[^/?#@\\]+$/.test(host);
  const url = isSound ? parseURL(`${scheme}://${host}${target}`) : null;
  if (url === null) throw refuse(400, "Host and request target must make a URL");
  if (target.includes("#")) url.hash = "";
  return url.href;
}

function parseURL(text: string): URL | null {
  try {
    return new URL(text);
  } catch {
    return null;
  }
}

function isTaken(socket: Duplex & { [takenKey]?: true }): boolean {
  return socket[takenKey] === true;
}

function take(socket: Duplex & { [takenKey]?: true }): void {
  socket[takenKey] = true;
}

/** Also under the name that is not documented. */
function replaceSocket(request: IncomingMessage & { client?: unknown }, from: Duplex, to: Duplex): void {
  if (request.socket === from) request.socket = to as net.Socket;
  if (request.client === from) request.client = to;
}

/** The hook answers a request that is over: a body that nobody will read is given up. */
function discardLate(promise: Promise<unknown>): void {
  promise.then(
    (answer) => {
      if (isResponse(answer) && answer.body !== null && !answer.body.locked) answer.body.cancel().catch(() => {});
    },
    () => {}, // the hook's signal told it that its answer is not wanted; how it stops is its own affair
  );
}

function definedLimits(options: UpgradeOptions): Partial<ConstructorParameters<typeof Admissions>[0]> {
  const { maxConnections, maxPendingHandshakes, maxConnectionsPerAddress } = options;
  return definedMembers({ maxConnections, maxPendingHandshakes, maxConnectionsPerAddress });
}

function definedMembers<T extends object>(members: T): T {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as T;
}
