import { MessageByteLengthStrategy, WebSocketStream } from "sluice";
import { Checksum } from "./checksum.ts";
import type { Departure } from "./departure.ts";
import { HIGH_WATER_MARK_BYTES, SEND_LIMIT_BYTES } from "./limits.ts";
import type { Pace } from "./pace.ts";
import type { ClientResult, ConnectionStatus } from "./processes.ts";
import { SentQueue } from "./sent-queue.ts";
import { Stopwatch } from "./stopwatch.ts";
import { findErrorCode, UserError } from "./user-error.ts";
import { decodeReceipt, encodeBatch, encodeEnd, SUBPROTOCOL } from "./wire.ts";

/** What a client is told. */
export interface FleetClientOptions {
  readonly url: string;
  readonly client: number;
  readonly departures: Iterable<Departure>;
  readonly batchRecords: number;
  /** Shared by the fleet. */
  readonly pace: Pace;
}

/** One client: sends its departures over a connection of its own, then waits for the receipt. */
export class FleetClient {
  readonly #options: FleetClientOptions;
  readonly #stream: WebSocketStream;
  readonly #stopwatch: Stopwatch = new Stopwatch("application");
  readonly #sent: Checksum = new Checksum();
  readonly #queue: SentQueue = new SentQueue();
  #isStopping = false;
  #isDone = false;
  #peakHeldBytes = 0;

  /** Starts connecting. */
  constructor(options: FleetClientOptions) {
    this.#options = options;
    const url = new URL(options.url);
    url.searchParams.set("client", String(options.client));
    this.#stream = new WebSocketStream(url, {
      protocols: [SUBPROTOCOL],
      writableStrategy: new MessageByteLengthStrategy({ highWaterMark: HIGH_WATER_MARK_BYTES }),
      sendLimitBytes: SEND_LIMIT_BYTES,
      signal: AbortSignal.timeout(10_000),
    });
  }

  /** Sends everything. @returns what was sent, and what the server says that it has stored */
  async run(): Promise<ClientResult> {
    const { readable, writable } = await this.#stream.opened.catch((error) => {
      throw explainUnreachable(this.#options.url, error);
    });
    try {
      // The whole of it: pipeTo asks for the next message when the connection has room for one, and only then is it made.
      await this.#messages().pipeTo(writable, { preventClose: true });
      const reader = readable.getReader();
      const { value } = await reader.read();
      if (value === undefined) throw new Error("The server closed without a receipt");
      const stored = decodeReceipt(value);
      reader.releaseLock();
      this.#stream.close({ closeCode: 1000, reason: "thank you" });
      await this.#stream.closed;
      return this.#toResult(stored);
    } catch (error) {
      throw await this.#explainLoss(error);
    } finally {
      this.#isDone = true;
      this.#stopwatch.enter("application");
    }
  }

  /** Ends the data at the next message; what was sent until then is to be stored and acknowledged. */
  stop(): void {
    this.#isStopping = true;
  }

  /** Notes how much memory is held. Called often, since what counts is the peak. */
  sample(): number {
    const { heldBytesOut, messagesSent } = this.#stream.metrics();
    // The library counts what it was given; what waits in the stream's own queue comes on top.
    const heldBytes = heldBytesOut + this.#queue.bytesAfter(messagesSent);
    this.#peakHeldBytes = Math.max(this.#peakHeldBytes, heldBytes);
    return heldBytes;
  }

  /** Where it stands. */
  get status(): ConnectionStatus {
    const heldBytes = this.sample();
    return {
      client: this.#options.client,
      records: this.#sent.count,
      wireBytes: this.#stream.metrics().bytesSent,
      heldBytes,
      peakHeldBytes: this.#peakHeldBytes,
      spent: this.#stopwatch.read(),
      isDone: this.#isDone,
    };
  }

  /** A stream that makes each message when it is asked for, and tells the stopwatch who is waiting for whom. */
  #messages(): ReadableStream<string> {
    const messages = this.#encode();
    return new ReadableStream<string>(
      {
        pull: async (controller) => {
          this.#stopwatch.enter("application");
          const { done, value } = await messages.next();
          if (done) controller.close();
          else {
            this.#queue.push(Buffer.byteLength(value));
            controller.enqueue(value);
          }
          this.#stopwatch.enter("connection");
          this.sample();
        },
        cancel: async () => {
          await messages.return();
        },
      },
      { highWaterMark: 0 },
    );
  }

  async *#encode(): AsyncGenerator<string, void, void> {
    let departures: Departure[] = [];
    for (const departure of this.#options.departures) {
      departures.push(departure);
      if (departures.length < this.#options.batchRecords) continue;
      await this.#options.pace.take(departures.length);
      if (this.#isStopping) break;
      yield this.#toMessage(departures);
      departures = [];
      if (this.#isStopping) break;
    }
    if (departures.length > 0 && !this.#isStopping) yield this.#toMessage(departures);
    yield encodeEnd(this.#sent);
  }

  #toMessage(departures: readonly Departure[]): string {
    const first = this.#sent.count;
    departures.forEach((departure, index) => {
      this.#sent.add(first + index, departure);
    });
    return encodeBatch({ first, departures });
  }

  #toResult(stored: Checksum): ClientResult {
    return {
      client: this.#options.client,
      sentRecords: this.#sent.count,
      sentChecksum: this.#sent.toString(),
      storedRecords: stored.count,
      storedChecksum: stored.toString(),
    };
  }

  /** What the streams throw says that the connection is gone; `closed` says why. */
  async #explainLoss(error: unknown): Promise<Error> {
    this.#stream.close();
    const ending = await this.#stream.closed.catch((reason: unknown) => reason as Error);
    const why =
      ending instanceof Error
        ? ending.message
        : `the server closed it with code ${ending.closeCode}${ending.reason === "" ? "" : ` (${ending.reason})`}`;
    return new UserError(
      `Client ${this.#options.client} lost its connection after ${this.#sent.count} records: ${why}`,
      "Look at what the server says. Records without a receipt may or may not be stored: start over with a new database.",
      { cause: error },
    );
  }
}

/** What a system error code means to somebody who gave an address. */
const UNREACHABLE: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there",
  ENOTFOUND: "there is no such host",
  EHOSTUNREACH: "no way leads there",
  ENETUNREACH: "no way leads there",
};

function explainUnreachable(url: string, error: unknown): UserError {
  const reason = UNREACHABLE[findErrorCode(error) ?? ""];
  if (reason === undefined) {
    const message = error instanceof Error ? error.message : String(error);
    return new UserError(`Cannot open a connection to ${url}: ${message}`, "Look at what the server says.", {
      cause: error,
    });
  }
  return new UserError(
    `Cannot connect to ${url}: ${reason}`,
    "Check the address after --url, and that a server runs there: start one with --serve.",
    { cause: error },
  );
}
