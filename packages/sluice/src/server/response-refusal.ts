import type { Refusal } from "./refusal.ts";
import { DEFAULT_SERVER_LIMITS } from "./server-limits.ts";

/** Whether a hook's answer is a Response, also one of another realm or library. */
export function isResponse(value: unknown): value is Response {
  return value instanceof Response || Object.prototype.toString.call(value) === "[object Response]";
}

/** Fields that describe the connection between two hops, or the length: they are written anew (RFC 9110 §7.6.1). */
const CONNECTION_FIELDS = new Set([
  "connection",
  "content-length",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
]);

/**
 * Turns a Response into what is sent. The body is read to its end or to 64 KiB, whichever comes first; the rest is cut.
 *
 * @param signal ends the reading of a body that does not come; what was read by then is used
 * @throws {TypeError} if the Response cannot be sent as a refusal, e.g. because its body was used
 */
export async function toRefusal(response: Response, signal: AbortSignal): Promise<Refusal> {
  const { status, headers } = response;
  // `Response.error()` has status 0.
  if (status < 200 || status > 599) {
    throw new TypeError(
      `Cannot refuse with this Response as its status must be from 200 to 599: current status is ${status}`,
    );
  }
  if (response.bodyUsed || response.body?.locked) {
    throw new TypeError("Cannot refuse with this Response as its body is used already");
  }
  const fields: [string, string][] = [];
  headers.forEach((value, name) => {
    if (!CONNECTION_FIELDS.has(name) && (name !== "upgrade" || status === 426)) {
      fields.push([name, value]);
    }
  });
  const body = response.body === null ? new Uint8Array(0) : await readBody(response.body, signal);
  return { statusCode: status, fields, body };
}

async function readBody(stream: ReadableStream<Uint8Array>, signal: AbortSignal): Promise<Uint8Array> {
  const limit = DEFAULT_SERVER_LIMITS.maxRefusalBodyBytes;
  const chunks: Uint8Array[] = [];
  let byteLength = 0;
  const reader = stream.getReader();
  const stop = (): void => {
    // The source's own failure to stop changes nothing for the client.
    reader.cancel(signal.reason).catch(() => {});
  };
  signal.addEventListener("abort", stop, { once: true });
  try {
    while (byteLength < limit && !signal.aborted) {
      const { done, value } = await reader.read();
      if (done) {
        break;
      }
      const chunk = value.subarray(0, limit - byteLength);
      chunks.push(chunk);
      byteLength += chunk.byteLength;
    }
  } finally {
    signal.removeEventListener("abort", stop);
    stop();
  }
  return Buffer.concat(chunks, byteLength);
}
