// The database, and the reason for everything else here: it takes what it can take and not more. A connection's records
// go into the transaction that is open at the moment, together with those of the others; a message is never split over two.
import {
  type DuckDBAppender,
  type DuckDBConnection,
  DuckDBDataChunk,
  DuckDBInstance,
  DuckDBTimestampValue,
  INTEGER,
  SMALLINT,
  TIMESTAMP,
  VARCHAR,
} from "@duckdb/node-api";
import { Checksum } from "./checksum.ts";
import type { Departure } from "./departure.ts";
import type { Pace } from "./pace.ts";
import { readBack } from "./read-back.ts";
import type { Batch } from "./wire.ts";

/** Records after which a transaction is committed. */
const COMMIT_RECORDS = 2_000;
/** Time after which it is committed even so. */
const COMMIT_AFTER_MS = 250;
/** Most rows that a chunk of DuckDB's takes. */
const CHUNK_ROWS = 2_048;
/** DuckDB's own memory. Enough for the rows of a transaction and the blocks being written, and small enough to be seen. */
const DUCKDB_SETTINGS = { memory_limit: "128MB", threads: "1" };

const COLUMN_TYPES = [INTEGER, INTEGER, TIMESTAMP, SMALLINT, SMALLINT, VARCHAR, VARCHAR];
const CREATE_TABLE = `CREATE TABLE departures (
  connection INTEGER NOT NULL, sequence INTEGER NOT NULL, departed_at TIMESTAMP NOT NULL,
  delay_minutes SMALLINT NOT NULL, distance_miles SMALLINT NOT NULL, origin VARCHAR NOT NULL, destination VARCHAR NOT NULL
)`;

interface Row extends Departure {
  readonly connection: number;
  readonly sequence: number;
}

/** A DuckDB database file that takes departures at the pace it is given. */
export class Warehouse {
  readonly #instance: DuckDBInstance;
  readonly #writer: DuckDBConnection;
  readonly #appender: DuckDBAppender;
  readonly #pace: Pace;
  #pending: Row[] = [];
  #commitTimer: NodeJS.Timeout | null = null;
  #committing: Promise<void> = Promise.resolve();
  #reading: Promise<unknown> = Promise.resolve();
  readonly #onFailure: (error: unknown) => void;
  #failure: unknown = null;
  #acceptedRecords = 0;
  #committedRecords = 0;

  private constructor(parts: {
    instance: DuckDBInstance;
    writer: DuckDBConnection;
    appender: DuckDBAppender;
    pace: Pace;
    onFailure: (error: unknown) => void;
  }) {
    this.#instance = parts.instance;
    this.#writer = parts.writer;
    this.#appender = parts.appender;
    this.#pace = parts.pace;
    this.#onFailure = parts.onFailure;
  }

  /**
   * Creates the file with an empty table.
   *
   * @param pace decides how slow the database is
   * @param onFailure called once, when it cannot write any more
   */
  static async create(path: string, pace: Pace, onFailure: (error: unknown) => void): Promise<Warehouse> {
    const instance = await DuckDBInstance.create(path, DUCKDB_SETTINGS);
    const writer = await instance.connect();
    await writer.run(CREATE_TABLE);
    return new Warehouse({ instance, writer, appender: await writer.createAppender("departures"), pace, onFailure });
  }

  /** Records that passed the pace: in the open transaction or committed. */
  get acceptedRecords(): number {
    return this.#acceptedRecords;
  }

  /** Records that are on the disk. */
  get committedRecords(): number {
    return this.#committedRecords;
  }

  /** Takes a batch: fulfils when there is room for the next one. @throws what went wrong with the database, from then on */
  async insert(connection: number, batch: Batch): Promise<void> {
    await this.#pace.take(batch.departures.length);
    if (this.#failure !== null) throw this.#failure;
    let sequence = batch.first;
    for (const departure of batch.departures) this.#pending.push({ ...departure, connection, sequence: sequence++ });
    this.#acceptedRecords += batch.departures.length;
    if (this.#pending.length >= COMMIT_RECORDS) await this.commit();
    else this.#commitTimer ??= setTimeout(() => void this.commit().catch(() => {}), COMMIT_AFTER_MS); // kept in #failure
  }

  /** Fulfils when every record accepted so far is on the disk. */
  commit(): Promise<void> {
    if (this.#commitTimer !== null) clearTimeout(this.#commitTimer);
    this.#commitTimer = null;
    this.#committing = this.#committing.then(() => this.#commitPending());
    return this.#committing;
  }

  /** Reads a connection's records from the database again; one connection's at a time, as reading costs memory. */
  readBack(connection: number): Promise<Checksum> {
    const result = this.#reading.then(() => this.#readBack(connection));
    this.#reading = result.catch(() => {}); // told to whoever asked
    return result;
  }

  /** Commits what there is and closes the file. */
  async close(): Promise<void> {
    try {
      await this.commit();
      this.#appender.closeSync();
    } finally {
      this.#writer.closeSync();
      this.#instance.closeSync();
    }
  }

  async #readBack(connection: number): Promise<Checksum> {
    const reader = await this.#instance.connect();
    try {
      const stored = await readBack(reader, connection);
      return stored.get(connection) ?? new Checksum();
    } finally {
      reader.closeSync();
    }
  }

  async #commitPending(): Promise<void> {
    if (this.#failure !== null) throw this.#failure;
    const rows = this.#pending;
    if (rows.length === 0) return;
    this.#pending = [];
    try {
      await this.#writer.run("BEGIN");
      for (let start = 0; start < rows.length; start += CHUNK_ROWS) {
        this.#appender.appendDataChunk(toChunk(rows.slice(start, start + CHUNK_ROWS)));
      }
      this.#appender.flushSync();
      await this.#writer.run("COMMIT");
    } catch (error) {
      this.#failure = error; // what was accepted is lost now, so no later record may be acknowledged either
      this.#onFailure(error);
      throw error;
    }
    this.#committedRecords += rows.length;
  }
}

function toChunk(rows: readonly Row[]): DuckDBDataChunk {
  const chunk = DuckDBDataChunk.create(COLUMN_TYPES);
  chunk.setColumns([
    rows.map((row) => row.connection),
    rows.map((row) => row.sequence),
    rows.map((row) => new DuckDBTimestampValue(BigInt(row.departedAtMs) * 1_000n)),
    rows.map((row) => row.delayMinutes),
    rows.map((row) => row.distanceMiles),
    rows.map((row) => row.origin),
    rows.map((row) => row.destination),
  ]);
  return chunk;
}
