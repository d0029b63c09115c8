import type { DeflateFilter, PerMessageDeflateCodec } from "../protocol/permessage-deflate/codec.ts";
import type { PerMessageDeflateParameters } from "../protocol/permessage-deflate/negotiate.ts";
import type { Role } from "../protocol/role.ts";
import { guardFilter } from "./deflate-filter.ts";
import { ZlibDeflater } from "./zlib-deflater.ts";
import { ZlibInflater } from "./zlib-inflater.ts";
import { zlibSettings } from "./zlib-settings.ts";

/** How one connection compresses. Nothing here is negotiated. */
export interface ZlibCodecOptions {
  /**
   * Effort of zlib, 0 to 9.
   *
   * @defaultValue 3: on JSON of 1 and 16 KiB 0.5 to 0.8 of the time of zlib's own default (6), for 7 to 18 % more bytes
   */
  readonly level?: number | undefined;
  /** Memory of zlib's deflate, 1 to 9. @defaultValue 6: 48 KiB less than zlib's own default (8), same size, same speed */
  readonly memLevel?: number | undefined;
  /**
   * Messages below this size are sent uncompressed, in bytes.
   *
   * @defaultValue 1,024 without context takeover (below, a message has little in itself to refer to); 64 with it (below,
   *   what is saved is less than what TCP and IP put around it)
   */
  readonly thresholdBytes?: number | undefined;
  /**
   * Messages to deflate, and slices to inflate, above this size are handed to zlib's threads, in bytes. Below, that costs
   * more than it saves: 30 to 60 µs a message.
   *
   * @defaultValue `asyncAboveBytes` of the process's zlib settings, when the connection begins
   */
  readonly asyncAboveBytes?: number | undefined;
  /** Says for each message whether to compress it. @defaultValue all */
  readonly filter?: DeflateFilter | undefined;
  /** For tests: false leaves the undocumented handle alone and uses only the public API. @defaultValue true */
  readonly isHandleAllowed?: boolean | undefined;
}

/** Smallest message compressed without context takeover, as elsewhere (spec-digest E28). */
const THRESHOLD_BYTES = 1_024;
const TAKEOVER_THRESHOLD_BYTES = 64;

/**
 * permessage-deflate (RFC 7692) on `node:zlib`, for one connection. Takes no memory until it is used.
 *
 * @param role ours: it decides which of the parameters are ours and which are the peer's (spec-digest E26)
 * @param parameters as negotiated
 * @throws {RangeError} if an option is out of its range
 */
export function createPerMessageDeflateCodec(
  role: Role,
  parameters: PerMessageDeflateParameters,
  options: ZlibCodecOptions = {},
): PerMessageDeflateCodec {
  const server = {
    windowBits: parameters.serverMaxWindowBits,
    hasContextTakeover: !parameters.serverNoContextTakeover,
  };
  const client = {
    windowBits: parameters.clientMaxWindowBits,
    hasContextTakeover: !parameters.clientNoContextTakeover,
  };
  const [own, peer] = role === "server" ? [server, client] : [client, server];
  const asyncAboveBytes = options.asyncAboveBytes ?? zlibSettings.asyncAboveBytes;
  const isHandleAllowed = options.isHandleAllowed ?? true;
  const defaultThresholdBytes = own.hasContextTakeover ? TAKEOVER_THRESHOLD_BYTES : THRESHOLD_BYTES;
  return {
    inflater: new ZlibInflater({ ...peer, asyncAboveBytes, isHandleAllowed }),
    deflater: new ZlibDeflater({
      ...own,
      level: checkRange("level", options.level ?? 3, 0, 9),
      memLevel: checkRange("memLevel", options.memLevel ?? 6, 1, 9),
      thresholdBytes: options.thresholdBytes ?? defaultThresholdBytes,
      asyncAboveBytes,
      isHandleAllowed,
      filter: options.filter && guardFilter(options.filter),
    }),
  };
}

function checkRange(name: string, value: number, min: number, max: number): number {
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw new RangeError(`Cannot compress as ${name} must be from ${min} to ${max}: current value is ${value}`);
}
