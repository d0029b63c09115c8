import { constants } from "node:crypto";
import http from "node:http";
import https from "node:https";
import net from "node:net";
import type { Duplex } from "node:stream";
import tls from "node:tls";
import { secWebSocketAccept } from "../protocol/handshake/accept-key.ts";
import type { HandshakeOffer, HandshakeResponse, HandshakeResult } from "../protocol/handshake/client-handshake.ts";
import { validateServerResponse } from "../protocol/handshake/client-handshake.ts";
import type { HandshakeErrorCode } from "../protocol/handshake/handshake-error.ts";
import { HandshakeError } from "../protocol/handshake/handshake-error.ts";
import { sha1Base64 } from "./sha1-base64.ts";

/*
 * Theory of operation. Node's HTTP client parses the response (its limits and strictness are the platform's); whether it is
 * a good one is decided by the sans-I/O client-handshake, on the raw fields. There are four ways out of Node's client: 'upgrade'
 * for a 101 with both Upgrade and Connection, 'information' for a 101 without them, 'response' for anything else,
 * 'error' for the rest. The socket is ours alone: without an agent of the caller there is no pool.
 */

/** What to ask for, and where. */
export interface UpgradeOptions {
  /** ws: or wss: */
  readonly url: URL;
  readonly offer: HandshakeOffer;
  readonly headers: Record<string, string | string[]>;
  readonly tls: tls.ConnectionOptions;
  readonly agent: http.Agent | null;
  /** Milliseconds for everything up to the validated response, or null for no limit. */
  readonly timeoutMs: number | null;
}

/** A validated upgrade: the socket belongs to the frame parser from here on. */
export interface Upgraded extends HandshakeResult {
  readonly socket: Duplex;
  /** What came behind the response's head in the same packet (H31). */
  readonly head: Uint8Array<ArrayBuffer>;
}

/** Exactly one of them is called, later. */
export interface UpgradeObserver {
  onUpgraded(upgraded: Upgraded): void;
  onFailed(error: HandshakeError): void;
}

/** How far the connection has come, which tells what an error means. */
type Stage = "connect" | "tls" | "response";

/** So much of a refusal's body is kept for the error. */
const MAX_BODY_BYTES = 4096;
/** So long the body of a refusal is waited for: it explains the error and decides nothing. */
const BODY_TIMEOUT_MS = 1000;

/** Asks an HTTP/1.1 server for the WebSocket protocol. */
export class Http1Upgrade {
  readonly #options: UpgradeOptions;
  readonly #observer: UpgradeObserver;
  readonly #isSecure: boolean;
  #stage: Stage = "connect";
  #isDone = false;
  #request: http.ClientRequest | null = null;
  #socket: Duplex | null = null;
  #timer: NodeJS.Timeout | null = null;
  /** Set once there is a response other than 101: whatever happens then, this is how it ends. */
  #failWithStatus: (() => void) | null = null;

  constructor(options: UpgradeOptions, observer: UpgradeObserver) {
    this.#options = options;
    this.#observer = observer;
    this.#isSecure = options.url.protocol === "wss:";
    try {
      this.#start();
    } catch (error) {
      // Options that Node's client refuses, such as an agent for the other scheme: the caller learns it like any failure.
      setImmediate(() => this.#failWith(error as Error));
    }
  }

  /** Gives up: everything is destroyed, and the observer is not called any more. */
  abort(): void {
    if (!this.#isDone) this.#finish(true);
  }

  #start(): void {
    const { url, headers, agent, timeoutMs } = this.#options;
    const host = url.hostname.startsWith("[") ? url.hostname.slice(1, -1) : url.hostname;
    const port = url.port === "" ? (this.#isSecure ? 443 : 80) : Number(url.port);
    const target = this.#isSecure ? this.#tlsOptions(host, port) : { host, port };
    const request = (this.#isSecure ? https : http).request({
      ...target,
      ...(agent === null ? { createConnection: () => connectSocket(target, this.#isSecure) } : { agent }),
      path: url.pathname + url.search,
      headers,
      setHost: false,
      insecureHTTPParser: false,
    });
    this.#request = request;
    // The head's size is limited (16 KiB); a limit on their number would hide repeated fields.
    request.maxHeadersCount = 0;
    request.on("error", (error) => this.#failWith(error));
    request.on("socket", (socket) => this.#onSocket(socket));
    request.on("information", (response) => {
      if (response.statusCode === 101) this.#onSwitch(response as unknown as http.IncomingMessage, null, null);
    });
    request.on("upgrade", (response, socket, head) => this.#onSwitch(response, socket, head));
    request.on("response", (response) => this.#onRefusal(response));
    request.on("close", () => {
      // Also after a success: an Error and its stack cost a twentieth of the handshake.
      if (!this.#isDone) this.#failWith(new Error("The connection was closed"));
    });
    request.end();
    if (timeoutMs !== null) this.#timer = setTimeout(() => this.#onTimeout(), timeoutMs).unref();
  }

  #tlsOptions(host: string, port: number): tls.ConnectionOptions & { host: string; port: number } {
    return {
      ...this.#options.tls,
      // A server could ask for one handshake after the other, each of which costs us more than it costs it.
      secureOptions: (this.#options.tls.secureOptions ?? 0) | constants.SSL_OP_NO_RENEGOTIATION,
      // RFC 6066 §3: "Literal IPv4 and IPv6 addresses are not permitted" as a server name.
      servername: this.#options.tls.servername ?? (net.isIP(host) === 0 ? host : ""),
      host,
      port,
      ALPNProtocols: ["http/1.1"],
    };
  }

  #onSocket(socket: net.Socket): void {
    this.#socket = socket;
    if (this.#isDone) {
      socket.on("error", ignore);
      socket.destroy();
      return;
    }
    if (this.#request?.reusedSocket) {
      this.#stage = "response";
      return;
    }
    if (!socket.connecting) this.#stage = this.#isSecure ? "tls" : "response";
    socket.once("connect", () => {
      this.#stage = this.#isSecure ? "tls" : "response";
    });
    // Where it never comes the listener would stay, and with it everything of the handshake for as long as the socket.
    if (!this.#isSecure) return;
    socket.once("secureConnect", () => {
      this.#stage = "response";
    });
  }

  /** Status 101. Without `socket` it was none for Node's parser, as it lacks Upgrade or Connection. */
  #onSwitch(response: http.IncomingMessage, socket: Duplex | null, head: Uint8Array | null): void {
    if (this.#isDone) {
      socket?.on("error", ignore);
      socket?.destroy();
      return;
    }
    if (socket !== null) this.#socket = socket;
    const result = this.#validate(response, null);
    if (result === null) return;
    if (socket === null || head === null) {
      this.#fail("ERR_SLUICE_HANDSHAKE_UPGRADE", "server's response could not be read as an upgrade");
      return;
    }
    this.#finish(false);
    // A copy: the rest of the packet's memory goes, and frames are unmasked in place.
    this.#observer.onUpgraded({ ...result, socket, head: new Uint8Array(head) });
  }

  /** Any other status: the start of the body is read, since it often says why. */
  #onRefusal(response: http.IncomingMessage): void {
    const chunks: Uint8Array[] = [];
    let byteLength = 0;
    const finish = (): void => {
      if (this.#isDone) return;
      const body = Buffer.concat(chunks).subarray(0, MAX_BODY_BYTES);
      // As a stream, so that a character cut at the end leaves nothing.
      this.#validate(response, byteLength === 0 ? null : new TextDecoder().decode(body, { stream: true }));
    };
    this.#failWithStatus = finish;
    response.on("data", (chunk: Uint8Array) => {
      chunks.push(chunk);
      byteLength += chunk.length;
      if (byteLength >= MAX_BODY_BYTES) finish();
    });
    response.on("error", finish);
    response.on("close", finish);
    response.on("end", finish);
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(finish, BODY_TIMEOUT_MS).unref();
  }

  /** Fails, and returns null, if the response does not open a WebSocket. */
  #validate(response: http.IncomingMessage, body: string | null): HandshakeResult | null {
    const { offer } = this.#options;
    try {
      return validateServerResponse(response as HandshakeResponse, offer, secWebSocketAccept(offer.key, sha1Base64));
    } catch (error) {
      if (!(error instanceof HandshakeError)) throw error;
      const { message, code, section } = error;
      this.#finish(true);
      this.#observer.onFailed(
        new HandshakeError(message, {
          code,
          section: section ?? undefined,
          statusCode: response.statusCode,
          headers: toHeaders(response.rawHeaders),
          body: body ?? undefined,
        }),
      );
      return null;
    }
  }

  #onTimeout(): void {
    const limit = "handshakeTimeoutMs";
    const what = `the handshake took longer than ${this.#options.timeoutMs} ms (${limit})`;
    this.#fail("ERR_SLUICE_HANDSHAKE_TIMEOUT", what, { limit });
  }

  #failWith(cause: NodeJS.ErrnoException): void {
    if (this.#failWithStatus !== null) {
      this.#failWithStatus();
      return;
    }
    const code = cause.code ?? "";
    const what = describe(cause);
    // Without a socket it was tls.connect() that did not like its options. With TLS 1.3 the server's alert about our
    // certificate comes after our side of the handshake is over.
    const isUnusable = this.#isSecure && this.#socket === null && this.#options.agent === null;
    if (this.#stage === "tls" || isUnusable || code.startsWith("ERR_SSL_") || code.startsWith("ERR_TLS_")) {
      this.#fail("ERR_SLUICE_TLS_FAILED", `TLS failed: ${what}`, { cause });
    } else if (this.#stage === "connect") {
      const { host } = this.#options.url;
      this.#fail("ERR_SLUICE_CONNECT_FAILED", `the connection to ${host} failed: ${what}`, { cause });
    } else if (code === "HPE_HEADER_OVERFLOW") {
      const limit = "maxHeaderBytes";
      const text = `server's response has a head of more than ${http.maxHeaderSize} bytes`;
      this.#fail("ERR_SLUICE_HANDSHAKE_SYNTAX", text, { cause, limit });
    } else if (code.startsWith("HPE_")) {
      this.#fail("ERR_SLUICE_HANDSHAKE_SYNTAX", `server's response is not valid HTTP: ${what}`, { cause });
    } else {
      this.#fail("ERR_SLUICE_HANDSHAKE_CUT", `the connection ended before the response: ${what}`, { cause });
    }
  }

  #fail(code: HandshakeErrorCode, what: string, details: { cause?: Error; limit?: string } = {}): void {
    if (this.#isDone) return;
    this.#finish(true);
    this.#observer.onFailed(new HandshakeError(`Cannot open WebSocket as ${what}`, { code, ...details }));
  }

  #finish(mustDestroy: boolean): void {
    this.#isDone = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (!mustDestroy) return;
    // Node's client takes its listener away at the upgrade.
    this.#socket?.on("error", ignore);
    this.#request?.destroy();
    this.#socket?.destroy();
  }
}

function connectSocket(target: { host: string; port: number } & tls.ConnectionOptions, isSecure: boolean): net.Socket {
  return isSecure ? tls.connect(target) : net.connect({ host: target.host, port: target.port });
}

/** Several addresses were tried: the text of an AggregateError is empty, those of its parts are not. */
function describe(error: Error): string {
  if (error instanceof AggregateError && error.message === "") return error.errors.map((one) => one.message).join("; ");
  return error.message;
}

function toHeaders(rawHeaders: readonly string[]): Headers {
  const headers = new Headers();
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    try {
      headers.append(rawHeaders[index] as string, rawHeaders[index + 1] as string);
    } catch {
      // Node's HTTP parser took what Headers does not: it is only for reading, and one field less.
    }
  }
  return headers;
}

function ignore(): void {}
