import { type DuckDBConnection, DuckDBInstance, INTEGER } from "@duckdb/node-api";
import { Checksum } from "./checksum.ts";

/**
 * Reads the stored records again and sums them up by connection, row by row, with the code that summed them up when they
 * were sent.
 *
 * @param connection the only one to read; without it all of them
 */
export async function readBack(reader: DuckDBConnection, connection?: number): Promise<Map<number, Checksum>> {
  const result = await reader.stream(
    `SELECT connection, sequence, epoch_ms(departed_at)::DOUBLE, delay_minutes, distance_miles, origin, destination
     FROM departures WHERE $1 IS NULL OR connection = $1`,
    [connection ?? null],
    [INTEGER],
  );
  const checksums = new Map<number, Checksum>();
  for (let chunk = await result.fetchChunk(); chunk !== null && chunk.rowCount > 0; chunk = await result.fetchChunk()) {
    const [connections, sequences, times, delays, distances, origins, destinations] =
      chunk.getColumns() as StoredColumns;
    for (let row = 0; row < chunk.rowCount; row++) {
      const connection = connections[row] as number;
      let checksum = checksums.get(connection);
      if (checksum === undefined) {
        checksum = new Checksum();
        checksums.set(connection, checksum);
      }
      checksum.add(sequences[row] as number, {
        departedAtMs: times[row] as number,
        delayMinutes: delays[row] as number,
        distanceMiles: distances[row] as number,
        origin: origins[row] as string,
        destination: destinations[row] as string,
      });
    }
  }
  return checksums;
}

// By column: half the time that rows take.
type StoredColumns = [number[], number[], number[], number[], number[], string[], string[]];

/** What a database file holds, as found by a process that had no part in writing it. */
export interface Stock {
  readonly records: number;
  readonly checksum: string;
  /** Whether each connection's records are the first n of its sequence: none missing in between, none twice. */
  readonly isGapFree: boolean;
}

/** Opens a database file that nobody else has open, and takes stock. */
export async function takeStock(path: string): Promise<Stock> {
  const instance = await DuckDBInstance.create(path, { access_mode: "READ_ONLY", memory_limit: "256MB", threads: "1" });
  const reader = await instance.connect();
  try {
    const total = new Checksum();
    for (const checksum of (await readBack(reader)).values()) total.addAll(checksum);
    const gaps = await reader.runAndReadAll(
      `SELECT connection FROM departures GROUP BY connection
       HAVING min(sequence) <> 0 OR max(sequence) <> count(*) - 1 OR count(DISTINCT sequence) <> count(*)`,
    );
    return { records: total.count, checksum: total.toString(), isGapFree: gaps.currentRowCount === 0 };
  } finally {
    reader.closeSync();
    instance.closeSync();
  }
}
