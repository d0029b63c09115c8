// The data: three million departures of US airlines between January and June 2001, as the airlines had to report them to the
// Bureau of Transportation Statistics. The npm package vega-datasets carries them as a Parquet file, which DuckDB reads.
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import type { Departure } from "./departure.ts";
import { shuffled } from "./shuffled.ts";

/** How many records the data set has. */
export const DATA_SET_RECORDS = 3_000_000;

const DUCKDB_SETTINGS = { memory_limit: "128MB", threads: "1" };
const MINUTE_MS = 60_000;

/**
 * Departures in the order of time, as short as they can be: 10 bytes each, so that a fleet that has them all at hand is
 * not what fills the memory.
 */
export class DataSet {
  readonly #minutes: Int32Array;
  readonly #delays: Int16Array;
  readonly #distances: Int16Array;
  readonly #origins: Uint8Array;
  readonly #destinations: Uint8Array;
  /** The codes of the airports; a flight refers to them by their place. */
  readonly #airports: string[] = [];
  readonly #places: Map<string, number> = new Map();

  private constructor(records: number) {
    this.#minutes = new Int32Array(records);
    this.#delays = new Int16Array(records);
    this.#distances = new Int16Array(records);
    this.#origins = new Uint8Array(records);
    this.#destinations = new Uint8Array(records);
  }

  /** Reads the first `records` of the file in the package. */
  static async load(records: number): Promise<DataSet> {
    const entry = createRequire(import.meta.url).resolve("vega-datasets");
    const path = join(dirname(entry), "..", "data", "flights-3m.parquet");
    const instance = await DuckDBInstance.create(":memory:", DUCKDB_SETTINGS);
    const connection = await instance.connect();
    try {
      const dataSet = new DataSet(records);
      const result = await connection.stream(
        `SELECT epoch_ms(date)::DOUBLE, delay::INTEGER, distance::INTEGER, origin, destination
         FROM read_parquet($1) LIMIT $2`,
        [path, records],
      );
      let start = 0;
      for (
        let chunk = await result.fetchChunk();
        chunk !== null && chunk.rowCount > 0;
        chunk = await result.fetchChunk()
      ) {
        dataSet.#fill(start, chunk.getColumns() as Columns);
        start += chunk.rowCount;
      }
      return dataSet;
    } finally {
      connection.closeSync();
      instance.closeSync();
    }
  }

  /** How many departures there are. */
  get length(): number {
    return this.#minutes.length;
  }

  /**
   * Deals the airports out to `clients` offices, so that each has about as much to report.
   *
   * @param seed another seed, another distribution
   * @returns for each client the departures of its airports, in the order of time
   */
  deal(clients: number, seed: number): Iterable<Departure>[] {
    const departuresOf = new Array<number>(this.#airports.length).fill(0);
    for (const origin of this.#origins) departuresOf[origin] = (departuresOf[origin] as number) + 1;
    const airports = shuffled([...departuresOf.keys()], seed);
    airports.sort((a, b) => (departuresOf[b] as number) - (departuresOf[a] as number));
    const shares = new Array<number>(clients).fill(0);
    const clientOf = new Uint16Array(this.#airports.length);
    for (const airport of airports) {
      const client = shares.indexOf(Math.min(...shares));
      shares[client] = (shares[client] as number) + (departuresOf[airport] as number);
      clientOf[airport] = client;
    }
    const rows = shares.map((share) => new Uint32Array(share));
    const filled = new Array<number>(clients).fill(0);
    for (let row = 0; row < this.length; row++) {
      const client = clientOf[this.#origins[row] as number] as number;
      (rows[client] as Uint32Array)[filled[client] as number] = row;
      filled[client] = (filled[client] as number) + 1;
    }
    return rows.map((own) => this.#departures(own));
  }

  *#departures(rows: Uint32Array): Generator<Departure, void, void> {
    for (const row of rows) {
      yield {
        departedAtMs: (this.#minutes[row] as number) * MINUTE_MS,
        delayMinutes: this.#delays[row] as number,
        distanceMiles: this.#distances[row] as number,
        origin: this.#airports[this.#origins[row] as number] as string,
        destination: this.#airports[this.#destinations[row] as number] as string,
      };
    }
  }

  #fill(start: number, [times, delays, distances, origins, destinations]: Columns): void {
    this.#minutes.set(
      times.map((ms) => ms / MINUTE_MS),
      start,
    );
    this.#delays.set(delays, start);
    this.#distances.set(distances, start);
    this.#origins.set(
      origins.map((code) => this.#toPlace(code)),
      start,
    );
    this.#destinations.set(
      destinations.map((code) => this.#toPlace(code)),
      start,
    );
  }

  /** There are 229 airports: a byte is enough. */
  #toPlace(code: string): number {
    let place = this.#places.get(code);
    if (place === undefined) {
      place = this.#airports.push(code) - 1;
      this.#places.set(code, place);
    }
    return place;
  }
}

// By column: half the time that rows take.
type Columns = [number[], number[], number[], string[], string[]];
