import type { ServerWebSocketStream } from "sluice/server";
import { DecodeStream } from "./decode.ts";
import type { ConnectionStatus } from "./processes.ts";
import { Stopwatch } from "./stopwatch.ts";
import type { Warehouse } from "./warehouse.ts";
import { type Batch, encodeReceipt, INVALID_MESSAGE_CLOSE_CODE } from "./wire.ts";

/** One connection of the server, from its first message to the receipt. */
export class Ingestion {
  readonly #stream: ServerWebSocketStream;
  readonly #number: number;
  readonly #warehouse: Warehouse;
  readonly #client: number;
  readonly #stopwatch: Stopwatch = new Stopwatch("connection");
  #records = 0;
  #peakHeldBytes = 0;
  #isDone = false;

  /** @param number tells this connection's rows from others' in the database */
  constructor(stream: ServerWebSocketStream, number: number, warehouse: Warehouse) {
    this.#stream = stream;
    this.#number = number;
    this.#warehouse = warehouse;
    this.#client = Number(new URL(stream.request.url ?? "", "ws://server").searchParams.get("client") ?? number);
  }

  /**
   * Stores what comes and answers with the receipt.
   *
   * @throws whatever kept it from that; the connection is closed then, or about to be
   */
  async run(): Promise<void> {
    try {
      const { readable, writable } = await this.#stream.opened;
      const decoder = new DecodeStream(() => this.sample());
      const store = new WritableStream<Batch>({ write: (batch) => this.#store(batch) });
      // preventCancel: the client's last message ends the decoder, but must not end the connection, which still has to carry
      // the receipt.
      await readable.pipeThrough(decoder, { preventCancel: true }).pipeTo(store);
      if (decoder.announced === null) throw new Error("the client left without saying that it was done");
      await this.#acknowledge(writable);
      await this.#stream.closed;
    } catch (error) {
      // The reason of a Close frame has at most 123 bytes.
      if (error instanceof TypeError) {
        this.#stream.close({ closeCode: INVALID_MESSAGE_CLOSE_CODE, reason: error.message.slice(0, 120) });
      }
      throw error;
    } finally {
      this.#isDone = true;
    }
  }

  /** Notes how much memory is held. */
  sample(): number {
    const { heldBytesIn } = this.#stream.metrics();
    this.#peakHeldBytes = Math.max(this.#peakHeldBytes, heldBytesIn);
    return heldBytesIn;
  }

  /** Where it stands. */
  get status(): ConnectionStatus {
    const heldBytes = this.sample();
    return {
      client: this.#client,
      records: this.#records,
      wireBytes: this.#stream.metrics().bytesReceived,
      heldBytes,
      peakHeldBytes: this.#peakHeldBytes,
      spent: this.#stopwatch.read(),
      isDone: this.#isDone,
    };
  }

  async #store(batch: Batch): Promise<void> {
    this.#stopwatch.enter("application");
    await this.#warehouse.insert(this.#number, batch);
    this.#records += batch.departures.length;
    this.#stopwatch.enter("connection");
  }

  /** Says what is on the disk, by reading it again. */
  async #acknowledge(writable: WritableStream<string>): Promise<void> {
    this.#stopwatch.enter("application");
    await this.#warehouse.commit();
    const stored = await this.#warehouse.readBack(this.#number);
    const writer = writable.getWriter();
    await writer.write(encodeReceipt(stored));
    writer.releaseLock();
    this.#stopwatch.enter("connection");
  }
}
