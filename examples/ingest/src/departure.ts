/** One flight that left an airport: a row of the data set, a line of a message, a row of the database. */
export interface Departure {
  /** Local time at the airport, to the minute, as milliseconds since 1970 counted as if that clock were UTC. */
  readonly departedAtMs: number;
  /** Minutes late on arrival; below zero: early. */
  readonly delayMinutes: number;
  /** Length of the flight in miles. */
  readonly distanceMiles: number;
  /** IATA code of the airport it left. */
  readonly origin: string;
  /** IATA code of the airport it went to. */
  readonly destination: string;
}

/** A departure as it travels: short names, since every record repeats them. */
export interface WireDeparture {
  readonly at: string;
  readonly delay: number;
  readonly miles: number;
  readonly from: string;
  readonly to: string;
}

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d$/;
const AIRPORT = /^[A-Z]{3}$/;
const DAY_MINUTES = 24 * 60;
/** Half the way round the earth is 12,437 miles. */
const LONGEST_FLIGHT_MILES = 12_500;

/** The form in which a departure is sent. */
export function toWire(departure: Departure): WireDeparture {
  return {
    at: new Date(departure.departedAtMs).toISOString().slice(0, "2001-01-01T00:00".length),
    delay: departure.delayMinutes,
    miles: departure.distanceMiles,
    from: departure.origin,
    to: departure.destination,
  };
}

/**
 * Checks a value that came from the network, field by field.
 *
 * @throws {TypeError} naming the field, if it is not a departure
 */
export function fromWire(value: unknown): Departure {
  if (typeof value !== "object" || value === null) throw new TypeError("departure must be an object");
  const { at, delay, miles, from, to } = value as Record<string, unknown>;
  const departedAtMs = typeof at === "string" && TIME.test(at) ? Date.parse(`${at}Z`) : Number.NaN;
  if (Number.isNaN(departedAtMs)) throw new TypeError('field "at" must be a time like 2001-01-31T23:59');
  if (!isInteger(delay, -DAY_MINUTES, 7 * DAY_MINUTES)) throw new TypeError('field "delay" must be whole minutes');
  if (!isInteger(miles, 1, LONGEST_FLIGHT_MILES)) throw new TypeError('field "miles" must be whole miles');
  if (!isAirport(from)) throw new TypeError('field "from" must be an airport code like JFK');
  if (!isAirport(to)) throw new TypeError('field "to" must be an airport code like JFK');
  return { departedAtMs, delayMinutes: delay, distanceMiles: miles, origin: from, destination: to };
}

function isInteger(value: unknown, lowest: number, highest: number): value is number {
  return Number.isInteger(value) && (value as number) >= lowest && (value as number) <= highest;
}

function isAirport(value: unknown): value is string {
  return typeof value === "string" && AIRPORT.test(value);
}
