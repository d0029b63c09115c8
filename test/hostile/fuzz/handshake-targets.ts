import { createHash } from "node:crypto";
import { validateServerResponse } from "../../../packages/sluice/src/protocol/handshake/client-handshake.ts";
import { HandshakeError, HandshakeRefusal } from "../../../packages/sluice/src/protocol/handshake/handshake-error.ts";
import { isToken, parseExtensionList } from "../../../packages/sluice/src/protocol/handshake/http-fields.ts";
import { validateClientRequest } from "../../../packages/sluice/src/protocol/handshake/server-handshake.ts";
import {
  createRefusal,
  createServerResponse,
} from "../../../packages/sluice/src/protocol/handshake/server-response.ts";
import {
  acceptOffer,
  acceptResponse,
  type PerMessageDeflateParameters,
} from "../../../packages/sluice/src/protocol/permessage-deflate/negotiate.ts";
import { check, checkSame } from "./check.ts";

/** What `act` returns, or null if it throws the one error that it may throw. */
function attempt<Result>(act: () => Result, allowed: new (...args: never[]) => Error): Result | null {
  try {
    return act();
  } catch (error) {
    check(error instanceof allowed, `${String(error)} leaves, where only ${allowed.name} may`);
    check(error.message.length < 1_000, "the text of an error does not repeat the peer without end");
    if (error instanceof HandshakeRefusal) checkRefusal(error);
    return null;
  }
}

function checkRefusal({ statusCode, headers, message }: HandshakeRefusal): void {
  check([400, 405, 426].includes(statusCode), `refuses with ${statusCode}`);
  const text = Buffer.from(createRefusal(statusCode, Object.entries(headers), message)).toString("latin1");
  check(text.startsWith(`HTTP/1.1 ${statusCode} `), "a refusal is an HTTP response");
}

/** Lines of an input: the first one, and the fields as Node's parser gives them, names and values in turn. */
function toHead(input: Uint8Array): { line: string; rawHeaders: string[] } {
  const [line = "", ...fields] = Buffer.from(input).toString("latin1").split("\n");
  const rawHeaders = fields.flatMap((field) => {
    const colon = field.indexOf(":");
    return colon < 0 ? [] : [field.slice(0, colon), field.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, "")];
  });
  return { line, rawHeaders };
}

const valuesOf = (rawHeaders: readonly string[], name: string): string[] =>
  rawHeaders.filter((_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === name);

/** A request: the first line has the method and the version's two digits, the others are fields. */
export function request(input: Uint8Array): void {
  const { line, rawHeaders } = toHead(input);
  const [, method = "GET", major = "1", minor = "1"] = /^([A-Z]+) .*HTTP\/(\d)\.(\d)/.exec(line) ?? [];
  const head = { method, httpVersionMajor: Number(major), httpVersionMinor: Number(minor), rawHeaders };
  const offer = attempt(() => validateClientRequest(head), HandshakeRefusal);
  if (offer === null) return;
  check(method === "GET" && major === "1" && minor >= "1", "only GET in HTTP/1.1 is accepted");
  checkSame(valuesOf(rawHeaders, "sec-websocket-key"), [offer.key], "one key");
  check(Buffer.from(offer.key, "base64").byteLength === 16, "a key of 16 bytes");
  checkSame(valuesOf(rawHeaders, "sec-websocket-version"), ["13"], "version 13");
  check(valuesOf(rawHeaders, "host").length === 1, "one Host");
  check(offer.protocols.every(isToken), "subprotocols are tokens");
  check(new Set(offer.protocols).size === offer.protocols.length, "subprotocols do not repeat");
  const deflate = offer.extensionsOffer === "" ? null : acceptOffer(offer.extensionsOffer, true);
  const response = createServerResponse({
    accept: "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
    protocol: offer.protocols[0] ?? "",
    extensions: deflate?.headerValue ?? "",
  });
  // Whatever a client sent, the answer has the fields that we give it and no other.
  const names = response
    .split("\r\n")
    .slice(1, -2)
    .map((field) => field.split(":")[0]);
  const expected = ["Upgrade", "Connection", "Sec-WebSocket-Accept"];
  if (offer.protocols.length > 0) expected.push("Sec-WebSocket-Protocol");
  if (deflate !== null) expected.push("Sec-WebSocket-Extensions");
  checkSame(names, expected, "fields of the response");
  check(response.endsWith("\r\n\r\n") && response.indexOf("\r\n\r\n") === response.length - 4, "one empty line");
}

/** A response: the first line has the version's two digits and the status, the others are fields; `ACCEPT` is the right value. */
export function response(input: Uint8Array): void {
  const offers = [
    { protocols: [], extensions: "" },
    { protocols: ["chat", "superchat"], extensions: "permessage-deflate; client_max_window_bits" },
    { protocols: ["chat"], extensions: "permessage-deflate; server_no_context_takeover; server_max_window_bits=10" },
  ];
  const key = "dGhlIHNhbXBsZSBub25jZQ==";
  const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
  const { line, rawHeaders } = toHead(
    Buffer.from(Buffer.from(input).toString("latin1").replace("ACCEPT", accept), "latin1"),
  );
  const [, major = "1", minor = "1", status = "101"] = /^HTTP\/(\d)\.(\d) (\d{3})/.exec(line) ?? [];
  const head = {
    statusCode: Number(status),
    httpVersionMajor: Number(major),
    httpVersionMinor: Number(minor),
    rawHeaders,
  };
  for (const offer of offers) {
    const result = attempt(() => validateServerResponse(head, { ...offer, key }, accept), HandshakeError);
    if (result === null) continue;
    check(status === "101" && major === "1" && minor >= "1", "only 101 in HTTP/1.1 opens");
    checkSame(valuesOf(rawHeaders, "sec-websocket-accept"), [accept], "one accept value, the right one");
    checkSame(
      valuesOf(rawHeaders, "upgrade").map((value) => value.toLowerCase()),
      ["websocket"],
      "Upgrade",
    );
    check(
      (offer.protocols as string[]).includes(result.protocol) || offer.protocols.length === 0,
      "an offered protocol",
    );
    check(result.protocol === "" || offer.protocols.length > 0, "a protocol only where one was offered");
    check(result.deflate === null || offer.extensions !== "", "an extension only where one was offered");
    if (result.deflate !== null) checkParameters(result.deflate);
  }
}

/** The value of Sec-WebSocket-Extensions, on its way in both directions. */
export function extensions(input: Uint8Array): void {
  const value = Buffer.from(input).toString("latin1");
  const entries = parseExtensionList(value);
  for (const { name, parameters } of entries ?? []) {
    check(isToken(name) && parameters.every((each) => isToken(each.name)), "names are tokens");
    check(
      parameters.every((each) => each.value === null || isToken(each.value)),
      "values are tokens",
    );
  }
  if (entries !== null) {
    // Written again it means the same.
    const write = (quote: string): string =>
      entries
        .map(({ name, parameters }) => {
          const texts = parameters.map((each) =>
            each.value === null ? each.name : `${each.name}=${quote}${each.value}${quote}`,
          );
          return [name, ...texts].join(" ; ");
        })
        .join(",");
    checkSame(parseExtensionList(write("")), entries, "written as tokens");
    checkSame(parseExtensionList(write('"')), entries, "written in quotes");
  }
  for (const options of [
    true,
    { serverMaxWindowBits: 9, clientMaxWindowBits: 9 },
    { serverNoContextTakeover: false },
  ] as const) {
    const accepted = attempt(() => acceptOffer(value, options), HandshakeRefusal);
    if (accepted === null) continue;
    check(entries !== null, "what is malformed is not accepted");
    checkParameters(accepted.parameters);
    check(accepted.parameters.serverMaxWindowBits >= 9, "zlib compresses with 9 bits at least (D-30)");
    // A client that offered just this has to understand the answer, and both have to mean the same by it.
    const offers = entries.filter(({ name }) => name === "permessage-deflate").map((entry) => writeEntry(entry));
    const agreed = offers.map((offer) => {
      try {
        return acceptResponse(accepted.headerValue, offer);
      } catch {
        return null;
      }
    });
    const same = agreed.some((each) => JSON.stringify(each) === JSON.stringify(accepted.parameters));
    check(same, `no offer of ${value} fits the answer ${accepted.headerValue}`);
  }
  for (const offer of [
    "",
    "permessage-deflate; client_max_window_bits",
    "permessage-deflate; server_max_window_bits=12",
  ]) {
    const agreed = attempt(() => acceptResponse(value, offer), HandshakeError);
    if (agreed !== null) checkParameters(agreed);
  }
}

function writeEntry({ name, parameters }: NonNullable<ReturnType<typeof parseExtensionList>>[number]): string {
  return [name, ...parameters.map((each) => (each.value === null ? each.name : `${each.name}=${each.value}`))].join(
    "; ",
  );
}

function checkParameters({ serverMaxWindowBits, clientMaxWindowBits }: PerMessageDeflateParameters): void {
  for (const bits of [serverMaxWindowBits, clientMaxWindowBits])
    check(bits >= 8 && bits <= 15, `a window of ${bits} bits`);
}
