// The data: three million departures of US airlines between January and June 2001, as the airlines had to report them to the
// Bureau of Transportation Statistics. The npm package vega-datasets carries them as a Parquet file, which DuckDB reads.
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import type { Departure } from "./departure.ts";
import { shuffled } from "./shuffled.ts";

/** How many records the data set has. */
export const DATA_SET_RECORDS = 3_000_000;

/** DuckDB as a reader: one thread and little memory, as the fleet is to be many small devices. */
const DUCKDB_SETTINGS = { memory_limit: "192MB", threads: "1" };

/** The departures, as read by a fleet. */
export class DataSet {
  readonly #instance: DuckDBInstance;
  readonly #path: string;

  private constructor(instance: DuckDBInstance, path: string) {
    this.#instance = instance;
    this.#path = path;
  }

  /** Opens the file in the package. */
  static async open(): Promise<DataSet> {
    const entry = createRequire(import.meta.url).resolve("vega-datasets");
    const path = join(dirname(entry), "..", "data", "flights-3m.parquet");
    return new DataSet(await DuckDBInstance.create(":memory:", DUCKDB_SETTINGS), path);
  }

  /**
   * Deals the airports of the first `records` departures out to `clients` offices, so that each has about as much to report.
   *
   * @param seed another seed, another distribution
   * @returns the airports of each client
   */
  async dealAirports(records: number, clients: number, seed: number): Promise<string[][]> {
    const connection = await this.#instance.connect();
    const counts = await connection.runAndReadAll(
      `SELECT origin, count(*)::INTEGER FROM ${this.#table} WHERE file_row_number < $1 GROUP BY origin ORDER BY origin`,
      [records],
    );
    connection.closeSync();
    const airports = shuffled(counts.getRows() as [string, number][], seed).sort((a, b) => b[1] - a[1]);
    const offices = Array.from({ length: clients }, () => ({ airports: [] as string[], departures: 0 }));
    for (const [airport, departures] of airports) {
      const smallest = offices.reduce((a, b) => (b.departures < a.departures ? b : a));
      smallest.airports.push(airport);
      smallest.departures += departures;
    }
    return offices.map((office) => office.airports);
  }

  /** The departures from these airports among the first `records`, in the order of time, read as they are asked for. */
  async *departures(airports: readonly string[], records: number): AsyncGenerator<Departure, void, void> {
    if (airports.length === 0) return;
    const connection = await this.#instance.connect();
    try {
      await connection.run("SET streaming_buffer_size = '128KB'"); // DuckDB reads ahead only so far
      for await (const [times, delays, distances, origins, destinations] of this.#chunks(
        connection,
        airports,
        records,
      )) {
        for (let row = 0; row < times.length; row++) {
          yield {
            departedAtMs: times[row] as number,
            delayMinutes: delays[row] as number,
            distanceMiles: distances[row] as number,
            origin: origins[row] as string,
            destination: destinations[row] as string,
          };
        }
      }
    } finally {
      connection.closeSync();
    }
  }

  /** Closes the file. */
  close(): void {
    this.#instance.closeSync();
  }

  async *#chunks(
    connection: DuckDBConnection,
    airports: readonly string[],
    records: number,
  ): AsyncGenerator<Columns, void, void> {
    const result = await connection.stream(
      `SELECT epoch_ms(date)::DOUBLE, delay::INTEGER, distance::INTEGER, origin, destination FROM ${this.#table}
       WHERE file_row_number < $1 AND list_contains(string_split($2, ','), origin)`,
      [records, airports.join(",")],
    );
    for (
      let chunk = await result.fetchChunk();
      chunk !== null && chunk.rowCount > 0;
      chunk = await result.fetchChunk()
    ) {
      yield chunk.getColumns() as Columns;
    }
  }

  get #table(): string {
    return `read_parquet('${this.#path.replaceAll("'", "''")}', file_row_number = true)`;
  }
}

// By column: half the time that rows take.
type Columns = [number[], number[], number[], string[], string[]];
