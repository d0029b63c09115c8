import type { IncomingMessage } from "node:http";
import { fieldValues } from "../protocol/handshake/http-fields.ts";

/**
 * A field of a request, several joined with ", "; undefined if there is none.
 *
 * Reads the raw list: `request.headers` is an object that Node makes on first use and that would then stay for as long as the
 * connection, about 600 bytes each.
 *
 * @param lowerCaseName the field's name in lower case
 */
export function getRequestField(request: IncomingMessage, lowerCaseName: string): string | undefined {
  const values = fieldValues(request.rawHeaders, lowerCaseName);
  return values.length === 0 ? undefined : values.join(", ");
}
