import { HandshakeError, HandshakeRefusal } from "../handshake/handshake-error.ts";
import type { ExtensionEntry } from "../handshake/http-fields.ts";
import { parseExtensionList } from "../handshake/http-fields.ts";
import type { DeflateFilter } from "./codec.ts";

/*
 * Theory of operation. RFC 7692 §7.1: the client offers, the server picks the first offer that it can keep, and answers with
 * what both must do. `server_*` binds the server's compressor, `client_*` the client's (E26). An offer that a server
 * cannot keep is declined (the connection works uncompressed); a response that a client did not ask for is fatal.
 */

/** How to compress messages (RFC 7692). Every member is optional; what is left out is left to the peer. */
export interface PerMessageDeflateOptions {
  /** The server resets its compressor after each message: less memory, worse ratio. */
  serverNoContextTakeover?: boolean | undefined;
  /** The client resets its compressor after each message. */
  clientNoContextTakeover?: boolean | undefined;
  /** Base-2 logarithm of the server's window, 8 to 15. A server limited to 8 never compresses: zlib cannot (D-30). */
  serverMaxWindowBits?: number | undefined;
  /** Base-2 logarithm of the client's window, 8 to 15. A client limited to 8 never compresses. */
  clientMaxWindowBits?: number | undefined;
  /** Messages shorter than this, in bytes, are sent as they are when the context is not taken over. */
  thresholdBytes?: number | undefined;
  /** zlib's level, 0 to 9. */
  level?: number | undefined;
  /** zlib's memLevel, 1 to 9. */
  memLevel?: number | undefined;
  /**
   * Says for each message whether to compress it: false for what is compressed already, such as images, and for secrets.
   * Called while the message is handed to the connection, with the message as it was given (bytes as a view of the
   * caller's memory), and only for messages that would be compressed without it. If it throws, or returns anything but a
   * boolean, the message is sent uncompressed and the process emits a warning (`SLUICE_DEFLATE_FILTER`) once.
   *
   * @defaultValue every message from `thresholdBytes` is compressed
   * @example
   * ```ts
   * import { WebSocketStream } from "sluice";
   *
   * const filter = (message: string | Uint8Array) => typeof message === "string";
   * const stream = new WebSocketStream("wss://example.com/", { perMessageDeflate: { filter } });
   * ```
   */
  filter?: DeflateFilter | undefined;
}

/** What both ends agreed upon. A window that nobody limited is 15. */
export interface PerMessageDeflateParameters {
  readonly serverNoContextTakeover: boolean;
  readonly clientNoContextTakeover: boolean;
  readonly serverMaxWindowBits: number;
  readonly clientMaxWindowBits: number;
}

/** The four parameters as they stand in a field; null: not there. */
interface WrittenParameters {
  serverNoContextTakeover: boolean;
  clientNoContextTakeover: boolean;
  serverMaxWindowBits: number | null;
  /** True: there without a value, which only an offer may have. */
  clientMaxWindowBits: number | true | null;
}

const NAME = "permessage-deflate";
const DEFAULT_WINDOW_BITS = 15;
/** zlib takes 8 for 9 when it compresses, and would use distances that the peer cannot resolve (E27). */
const MIN_ZLIB_WINDOW_BITS = 9;

/**
 * The client's offer, the value of `Sec-WebSocket-Extensions` (D-33).
 *
 * @throws {RangeError} if a number of `options` is out of its range
 * @throws {TypeError} if `options.filter` is not a function
 * @example
 * createOffer(true); // "permessage-deflate; client_max_window_bits"
 */
export function createOffer(options: PerMessageDeflateOptions | true): string {
  const wanted = options === true ? {} : options;
  checkOptions(wanted);
  return write({
    serverNoContextTakeover: wanted.serverNoContextTakeover === true,
    clientNoContextTakeover: wanted.clientNoContextTakeover === true,
    serverMaxWindowBits: wanted.serverMaxWindowBits ?? null,
    clientMaxWindowBits: wanted.clientMaxWindowBits ?? true,
  });
}

/**
 * The server's choice among a client's offers: the first that it can keep (E10), or null (E12: no field in the response).
 *
 * @param headerValue `Sec-WebSocket-Extensions` of the request, several fields joined by `", "`
 * @throws {HandshakeRefusal} 400 if the value is malformed (D-31)
 * @throws {RangeError} if a number of `options` is out of its range
 * @throws {TypeError} if `options.filter` is not a function
 */
export function acceptOffer(
  headerValue: string,
  options: PerMessageDeflateOptions | true,
): { parameters: PerMessageDeflateParameters; headerValue: string } | null {
  const own = options === true ? {} : options;
  checkOptions(own);
  const entries = parseExtensionList(headerValue);
  if (entries === null) {
    throw new HandshakeRefusal("Sec-WebSocket-Extensions is malformed", { statusCode: 400, section: "RFC 6455 §9.1" });
  }
  for (const entry of entries) {
    if (entry.name !== NAME) continue;
    const offer = read(entry);
    const answer = typeof offer === "string" ? null : answerOffer(offer, own);
    if (answer === null) continue;
    return {
      parameters: {
        serverNoContextTakeover: answer.serverNoContextTakeover,
        clientNoContextTakeover: answer.clientNoContextTakeover,
        serverMaxWindowBits: answer.serverMaxWindowBits ?? DEFAULT_WINDOW_BITS,
        clientMaxWindowBits: (answer.clientMaxWindowBits as number | null) ?? DEFAULT_WINDOW_BITS,
      },
      headerValue: write(answer),
    };
  }
  return null;
}

/**
 * What the server's response means for a client that offered `offer`.
 *
 * @param headerValue `Sec-WebSocket-Extensions` of the response, several fields joined by `", "`
 * @param offer the value that the request carried, from {@link createOffer}, or `""`
 * @throws {HandshakeError} if the value is malformed or is not a possible answer to the offer
 */
export function acceptResponse(headerValue: string, offer: string): PerMessageDeflateParameters | null {
  const entries = parseExtensionList(headerValue);
  if (entries === null) throw responseError("is malformed", headerValue, "RFC 6455 §9.1");
  const offered = offer === "" ? undefined : parseExtensionList(offer)?.find((entry) => entry.name === NAME);
  const wanted = offered === undefined ? "nothing" : read(offered);
  for (const entry of entries) {
    if (entry.name !== NAME || typeof wanted === "string") {
      // RFC 6455 §4.1: "the use of an extension that was not present in the client's handshake […] MUST _Fail_".
      throw responseError(`has ${JSON.stringify(entry.name)}, which was not offered`, headerValue, "RFC 6455 §4.1");
    }
  }
  if (entries.length > 1) throw responseError(`accepts ${NAME} twice`, headerValue, "RFC 7692 §5");
  const answer = read(entries[0] as ExtensionEntry);
  const problem = typeof answer === "string" ? answer : mismatch(answer, wanted as WrittenParameters);
  if (problem !== null) throw responseError(problem, headerValue, "RFC 7692 §7.1");
  return agree(answer as WrittenParameters, wanted as WrittenParameters);
}

/** The server's answer to one offer, or null to decline it (E05). */
function answerOffer(offer: WrittenParameters, own: PerMessageDeflateOptions): WrittenParameters | null {
  // Asked for, and refused by our own configuration: RFC 7692 §7.1.1.1 leaves only to decline.
  if (offer.serverNoContextTakeover && own.serverNoContextTakeover === false) return null;
  if (offer.serverMaxWindowBits !== null && offer.serverMaxWindowBits < MIN_ZLIB_WINDOW_BITS) return null;
  // RFC 7692 §7.1.2.2: without the parameter in the offer the server cannot limit the client.
  if (own.clientMaxWindowBits !== undefined && own.clientMaxWindowBits < DEFAULT_WINDOW_BITS) {
    if (offer.clientMaxWindowBits === null) return null;
  }
  return {
    serverNoContextTakeover: offer.serverNoContextTakeover || own.serverNoContextTakeover === true,
    // The client's hint is confirmed, so that our inflater's memory can go too.
    clientNoContextTakeover:
      own.clientNoContextTakeover === true || (offer.clientNoContextTakeover && own.clientNoContextTakeover !== false),
    serverMaxWindowBits: smaller(offer.serverMaxWindowBits, own.serverMaxWindowBits),
    clientMaxWindowBits:
      offer.clientMaxWindowBits === null
        ? null
        : smaller(offer.clientMaxWindowBits === true ? null : offer.clientMaxWindowBits, own.clientMaxWindowBits),
  };
}

/** Why a response is no answer to what was offered (E03, E06-E09), or null. */
function mismatch(answer: WrittenParameters, offer: WrittenParameters): string | null {
  if (answer.clientMaxWindowBits === true) return "has client_max_window_bits without a value";
  if (answer.clientMaxWindowBits !== null) {
    if (offer.clientMaxWindowBits === null) return "has client_max_window_bits, which was not offered";
    if (offer.clientMaxWindowBits !== true && answer.clientMaxWindowBits > offer.clientMaxWindowBits) {
      return `has client_max_window_bits above the offered ${offer.clientMaxWindowBits}`;
    }
  }
  if (offer.serverMaxWindowBits !== null) {
    if (answer.serverMaxWindowBits === null) return "lacks server_max_window_bits, which was asked for";
    if (answer.serverMaxWindowBits > offer.serverMaxWindowBits) {
      return `has server_max_window_bits above the offered ${offer.serverMaxWindowBits}`;
    }
  }
  if (offer.serverNoContextTakeover && !answer.serverNoContextTakeover) {
    return "lacks server_no_context_takeover, which was asked for";
  }
  return null;
}

/** What holds for a client after a good answer. Its own limits hold too where the server does not repeat them (§7.1.1.2). */
function agree(answer: WrittenParameters, offer: WrittenParameters): PerMessageDeflateParameters {
  const offeredBits = offer.clientMaxWindowBits === true ? null : offer.clientMaxWindowBits;
  const clientBits = (answer.clientMaxWindowBits as number | null) ?? offeredBits;
  return {
    serverNoContextTakeover: answer.serverNoContextTakeover,
    clientNoContextTakeover: answer.clientNoContextTakeover || offer.clientNoContextTakeover,
    serverMaxWindowBits: answer.serverMaxWindowBits ?? DEFAULT_WINDOW_BITS,
    clientMaxWindowBits: clientBits ?? DEFAULT_WINDOW_BITS,
  };
}

/** The parameters of an entry, or what is wrong with them (E01-E04). */
function read(entry: ExtensionEntry): WrittenParameters | string {
  const written: WrittenParameters = {
    serverNoContextTakeover: false,
    clientNoContextTakeover: false,
    serverMaxWindowBits: null,
    clientMaxWindowBits: null,
  };
  const seen = new Set<string>();
  for (const { name, value } of entry.parameters) {
    if (seen.has(name)) return `has ${name} twice`;
    seen.add(name);
    switch (name) {
      case "server_no_context_takeover":
      case "client_no_context_takeover":
        if (value !== null) return `has a value for ${name}`;
        written[name === "server_no_context_takeover" ? "serverNoContextTakeover" : "clientNoContextTakeover"] = true;
        break;
      case "server_max_window_bits":
      case "client_max_window_bits": {
        const bits = value === null ? null : parseWindowBits(value);
        if (value !== null && bits === null) return `has an invalid value for ${name}`;
        if (name === "client_max_window_bits") written.clientMaxWindowBits = bits ?? true;
        else if (bits === null) return `has ${name} without a value`;
        else written.serverMaxWindowBits = bits;
        break;
      }
      default:
        return `has the unknown parameter ${JSON.stringify(name)}`;
    }
  }
  return written;
}

/** RFC 7692 §7.1.2.1: "a decimal integer value without leading zeroes between 8 to 15, inclusive". */
function parseWindowBits(value: string): number | null {
  return /^(?:[89]|1[0-5])$/.test(value) ? Number(value) : null;
}

function write(parameters: WrittenParameters): string {
  let text = NAME;
  if (parameters.serverNoContextTakeover) text += "; server_no_context_takeover";
  if (parameters.clientNoContextTakeover) text += "; client_no_context_takeover";
  if (parameters.serverMaxWindowBits !== null) text += `; server_max_window_bits=${parameters.serverMaxWindowBits}`;
  if (parameters.clientMaxWindowBits === true) text += "; client_max_window_bits";
  else if (parameters.clientMaxWindowBits !== null)
    text += `; client_max_window_bits=${parameters.clientMaxWindowBits}`;
  return text;
}

function smaller(left: number | null, right: number | undefined): number | null {
  if (left === null) return right ?? null;
  return right === undefined ? left : Math.min(left, right);
}

/** What an option may be; the last two are zlib's own. */
const RANGES = {
  serverMaxWindowBits: [8, 15],
  clientMaxWindowBits: [8, 15],
  thresholdBytes: [0, Number.MAX_SAFE_INTEGER],
  level: [0, 9],
  memLevel: [1, 9],
} as const;

/**
 * Checks what a user gave as `perMessageDeflate`, before there is anything to negotiate.
 *
 * @throws {RangeError} if a number of `options` is out of its range
 * @throws {TypeError} if `options` is neither a boolean nor an object, or `options.filter` is not a function
 */
export function validateDeflateOptions(options: boolean | PerMessageDeflateOptions): void {
  if (typeof options === "boolean") return;
  if (typeof options !== "object" || options === null) {
    throw new TypeError(
      `Cannot use perMessageDeflate as it must be a boolean or an object: current value is ${String(options)}`,
    );
  }
  checkOptions(options);
}

function checkOptions(options: PerMessageDeflateOptions): void {
  const { filter } = options;
  if (filter !== undefined && typeof filter !== "function") {
    throw new TypeError(
      `Cannot use perMessageDeflate.filter as it must be a function: current type is ${typeof filter}`,
    );
  }
  for (const name of Object.keys(RANGES) as (keyof typeof RANGES)[]) {
    const value = options[name];
    const [minimum, maximum] = RANGES[name];
    if (value !== undefined && !(Number.isInteger(value) && value >= minimum && value <= maximum)) {
      throw new RangeError(
        `Cannot use ${name} as it must be an integer from ${minimum} to ${maximum}: current value is ${value}`,
      );
    }
  }
}

function responseError(problem: string, headerValue: string, section: string): HandshakeError {
  const shown = headerValue.length <= 200 ? headerValue : `${headerValue.slice(0, 200)}…`;
  return new HandshakeError(`Cannot open WebSocket as Sec-WebSocket-Extensions ${problem}: ${JSON.stringify(shown)}`, {
    code: "ERR_SLUICE_HANDSHAKE_EXTENSIONS",
    section,
  });
}
