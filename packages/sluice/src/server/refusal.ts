import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Clock, Timer } from "../connection/clock.ts";
import { createRefusal, type FieldPairs } from "../protocol/handshake/server-response.ts";
import { MAX_LINGERING_REFUSALS, REFUSAL_LINGER_MS, RETRY_AFTER_SECONDS } from "./server-limits.ts";

/** A complete HTTP answer that is not 101; `Connection` and `Content-Length` are added. */
export interface Refusal {
  readonly statusCode: number;
  readonly fields: FieldPairs;
  readonly body: Uint8Array | string;
  /** The limit that was reached, by the name of its option. */
  readonly limit?: string | undefined;
  /** Why, for metrics. @defaultValue the limit, or what the status stands for */
  readonly reason?: string | undefined;
}

/** Why a handshake is refused, as metrics count it. */
export function reasonOf(refusal: Refusal): string {
  return refusal.reason ?? limitOf(refusal) ?? REASONS[refusal.statusCode] ?? "request";
}

/** The limit because of which a handshake is refused, if that is why. */
export function limitOf({ statusCode, limit, reason }: Refusal): string | null {
  return reason === undefined ? (limit ?? LIMITS[statusCode] ?? null) : null;
}

/** Of what this server refuses by itself: where no limit is named, and what Node's HTTP parser found. */
const REASONS: Readonly<Record<number, string>> = { 403: "origin", 404: "path", 500: "error", 503: "closing" };
const LIMITS: Readonly<Record<number, string>> = { 408: "handshakeTimeoutMs", 431: "maxHeaderBytes" };

/** A handshake was refused by this server, with an answer that the client has been sent. */
export class UpgradeRefusedError extends Error {
  readonly code = "ERR_SLUICE_UPGRADE_REFUSED";
  /** What the client was told. */
  readonly statusCode: number;
  /** The limit that was reached, by the name of its option, e.g. `maxConnections`; null if none was. */
  readonly limit: string | null;
  /** @internal */
  readonly refusal: Refusal;

  constructor(refusal: Refusal, message: string, details: { limit?: string | undefined; cause?: unknown } = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "UpgradeRefusedError";
    this.statusCode = refusal.statusCode;
    this.limit = details.limit ?? null;
    this.refusal = refusal;
  }
}

/** A refusal with one sentence as its body. */
export function refuse(
  statusCode: number,
  message: string,
  fields: FieldPairs = [],
  cause?: unknown,
): UpgradeRefusedError {
  return new UpgradeRefusedError({ statusCode, fields, body: `${message}\n` }, message, { cause });
}

/** A refusal because of load: 503, or 429 for one client, with Retry-After. */
export function refuseForNow(statusCode: 503 | 429, message: string): UpgradeRefusedError {
  return refuse(statusCode, message, RETRY_LATER);
}

/** A refusal because a limit was reached, which the text names; where it is about load, with Retry-After. */
export function refuseAtLimit(statusCode: 503 | 429 | 431, text: string, limit: string): UpgradeRefusedError {
  const message = `${text} (${limit})`;
  const fields = statusCode === 431 ? [] : RETRY_LATER;
  return new UpgradeRefusedError({ statusCode, fields, body: `${message}\n`, limit }, message, { limit });
}

const RETRY_LATER: FieldPairs = [["Retry-After", String(RETRY_AFTER_SECONDS)]];

/** Told about a refusal that goes out. `request` is null where there is none to show. */
export type RefusalListener = (refusal: Refusal, remoteAddress: string, request: IncomingMessage | null) => void;

/** Sends refusals and sees each socket to its end. */
export class RefusalSender {
  readonly #clock: Clock;
  readonly #lingering = new Map<Duplex, Timer>();
  readonly #onSend: RefusalListener;

  /** @param onSend told about each refusal that goes out */
  constructor(clock: Clock, onSend: RefusalListener = () => {}) {
    this.#clock = clock;
    this.#onSend = onSend;
  }

  /** Answers and ends (H29). The socket's errors are taken care of from here on. */
  send(socket: Duplex, refusal: Refusal, request: IncomingMessage | null = null): void {
    socket.on("error", ignoreSocketError);
    if (socket.destroyed || socket.writableEnded) {
      socket.destroy();
      return;
    }
    const isCrowded = this.#lingering.size >= MAX_LINGERING_REFUSALS;
    const bytes = encodeRefusal(refusal);
    this.#onSend(refusal, (socket as Partial<Socket>).remoteAddress ?? "", request);
    socket.end(bytes, () => {
      if (isCrowded) {
        socket.destroy();
      }
    });
    // A socket destroyed over unread input is reset by the system, and the answer may be lost with it (T03): read it away.
    socket.resume();
    this.#lingering.set(
      socket,
      this.#clock.setTimer(() => socket.destroy(), REFUSAL_LINGER_MS),
    );
    socket.once("close", () => {
      this.#clock.clearTimer(this.#lingering.get(socket) as Timer);
      this.#lingering.delete(socket);
    });
  }

  /** Fulfils when every answer was read or given up; after `deadlineMs` cuts off who is left. */
  async finish(deadlineMs: number): Promise<void> {
    const deadline = this.#clock.setTimer(() => {
      for (const socket of this.#lingering.keys()) socket.destroy();
    }, deadlineMs);
    while (this.#lingering.size > 0) {
      const [socket] = this.#lingering.keys();
      await new Promise<void>((resolve) => {
        socket.once("close", () => resolve());
      });
    }
    this.#clock.clearTimer(deadline);
  }
}

function encodeRefusal({ statusCode, fields, body }: Refusal): Uint8Array {
  const pairs = [...fields];
  // RFC 9110 §6.6.1: an origin server with a clock "MUST generate a Date header field in all 2xx […], 3xx […], and 4xx"
  if (!pairs.some(([name]) => name.toLowerCase() === "date")) pairs.unshift(["Date", new Date().toUTCString()]);
  return createRefusal(statusCode, pairs, body);
}

/** For a socket that failed before there was a connection to report it: `'close'` follows and is what counts. */
export function ignoreSocketError(): void {}
