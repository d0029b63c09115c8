import type { FlowControl } from "../../sluice/src/connection/connection.ts";
import {
  toCloseInfo,
  validateCloseCodeAndReason,
  type WebSocketCloseInfo,
} from "../../sluice/src/streams/close-info.ts";
import { toUSVString } from "../../sluice/src/streams/idl-conversions.ts";
import { createWebSocketError } from "../../sluice/src/streams/websocket-error.ts";
import { addAbortListener } from "./abort-listener.ts";
import { Attempt } from "./attempt.ts";
import { type PageOptions, type StreamOptions, toOptions } from "./options.ts";
import { type Metrics, noMetrics } from "./page-connection.ts";
import { Settlement } from "./settlement.ts";
import { type Message, StreamPair } from "./stream-pair.ts";
import { getURLRecord, validateProtocols } from "./url-record.ts";

/** What `new WebSocketStream(url, options)` takes in a page. */
export interface WebSocketStreamOptions extends PageOptions, StreamOptions {
  protocols?: Iterable<string> | undefined;
  signal?: AbortSignal | undefined;
}

export interface WebSocketOpenInfo {
  extensions: string;
  protocol: string;
  readable: ReadableStream<Message>;
  writable: WritableStream<string | BufferSource>;
}

/** The class of spec-digest 2 for pages: the same rows as Node's, over what a browser has. See types/ponyfill.d.ts. */
export class WebSocketStream {
  readonly #url: string;
  readonly #opened: Settlement<WebSocketOpenInfo> = new Settlement();
  readonly #closed: Settlement<Required<WebSocketCloseInfo>> = new Settlement();
  /** While connecting, and until a close() during that is reported. */
  #attempt: Attempt | null = null;
  /** close() was called while connecting. */
  #isGivenUp = false;
  #stopListening: () => void = () => {};
  /** From the moment when `opened` fulfils. */
  #pair: StreamPair | null = null;

  constructor(url: string | URL, options: WebSocketStreamOptions = {}) {
    if (arguments.length === 0) throw new TypeError("Cannot construct a WebSocketStream without a URL");
    const urlString = toUSVString(url);
    const { protocols, signal, settings, strategies } = toOptions(options);
    const record = getURLRecord(urlString);
    validateProtocols(protocols);
    this.#url = record.href;
    if (signal?.aborted) {
      this.#reject(signal.reason, signal.reason);
      return;
    }
    this.#attempt = new Attempt(record, protocols, settings, {
      // Spec-digest 2.7: one step, so that no abort or close can come between.
      onEstablished: (connection, protocol, extensions) => {
        this.#stopListening();
        this.#attempt = null;
        this.#pair = new StreamPair(connection, strategies, this.#closed);
        const { readable, writable } = this.#pair;
        this.#opened.resolve({ extensions, protocol, readable, writable });
      },
      onFailed: (cause) => this.#failHandshake(cause),
    });
    // Spec-digest 2.6
    if (signal !== undefined)
      this.#stopListening = addAbortListener(signal, () => {
        if (!this.#isGivenUp) this.#reject(signal.reason, signal.reason);
      });
  }

  get url(): string {
    return this.#url;
  }

  get opened(): Promise<WebSocketOpenInfo> {
    try {
      return this.#opened.promise;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  get closed(): Promise<Required<WebSocketCloseInfo>> {
    try {
      return this.#closed.promise;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  close(closeInfo: WebSocketCloseInfo = {}): void {
    this.#url; // brand check before conversion (Web IDL)
    const { closeCode, reason } = toCloseInfo(closeInfo);
    validateCloseCodeAndReason(closeCode, reason);
    this.#pair?.close(closeCode, reason);
    if (this.#attempt === null || this.#isGivenUp) return;
    this.#isGivenUp = true;
    this.#attempt.abort();
    // "In a later task", never during the call.
    setTimeout(() => this.#failHandshake(new Error("it was closed before it was established")), 0);
  }

  /** Closes without a code, and waits until the connection has ended, however it did. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    // Whoever wants to know how it ended looks at `closed`; disposal only waits.
    await this.closed.catch(() => {});
  }

  metrics(): Metrics {
    return this.#pair?.connection.metrics ?? noMetrics;
  }

  get flowControl(): FlowControl | null {
    return this.#pair?.connection.flowControl ?? null;
  }

  /** Does nothing: pages have no process to keep alive. Here for code that runs on Node too. */
  unref(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  #failHandshake(cause: Error): void {
    const message = `Cannot open the WebSocket connection: ${cause.message}`;
    this.#reject(createWebSocketError(null, "", message, cause), createWebSocketError(1006, "", message, cause));
  }

  #reject(openedReason: unknown, closedReason: unknown): void {
    this.#stopListening();
    this.#attempt?.abort();
    this.#attempt = null;
    this.#opened.reject(openedReason);
    this.#closed.reject(closedReason);
  }

  static {
    for (const name of ["url", "opened", "closed", "close"])
      Object.defineProperty(WebSocketStream.prototype, name, { enumerable: true });
    Object.defineProperty(WebSocketStream.prototype, Symbol.toStringTag, {
      value: "WebSocketStream",
      configurable: true,
    });
  }
}
