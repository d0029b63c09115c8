import { describe, expect, it } from "vitest";
import type { WebSocketStreamOptions } from "../../packages/sluice/src/streams/options.ts";
import { WebSocketError } from "../../packages/sluice/src/streams/websocket-error.ts";
import { WebSocketStream } from "../../packages/sluice/src/streams/websocket-stream.ts";
import { HostileServer, type HostileServerOptions } from "../../packages/sluice/src/testing/hostile-server.ts";
import { createScope } from "../support/scope.ts";
import { codeOf, reasonOf } from "./outcome.ts";
import { measureProcessMemory } from "./process-memory.ts";
import { createStage, withField } from "./stage.ts";

createStage();
const use = createScope();

/** The connection could not be opened, for this reason, and the server has lost the client. */
async function expectNoConnection(
  respond: NonNullable<HostileServerOptions["respond"]>,
  code: string,
  options: WebSocketStreamOptions = {},
): Promise<Error & { cause: { statusCode: number | null; body: string | null } }> {
  const hostile = use(await HostileServer.listen({ respond }));
  const stream = new WebSocketStream(hostile.url, options);
  const peer = await hostile.accept();
  const error = await reasonOf(stream.opened);
  expect(error).toBeInstanceOf(WebSocketError);
  expect((error as WebSocketError).closeCode).toBe(null);
  expect(codeOf(error)).toMatch(new RegExp(`^(${code})$`));
  const closed = (await reasonOf(stream.closed)) as WebSocketError;
  expect([closed.closeCode, closed.cause]).toEqual([1006, (error as Error).cause]);
  // H10: no byte behind the request.
  await peer.until(() => peer.hasEnded || peer.isClosed);
  expect([peer.frames, peer.rest.byteLength]).toEqual([[], 0]);
  return error as never;
}

const set = (name: string, value: string) => (legal: string) =>
  legal.replace(new RegExp(`^${name}: .*$`, "m"), `${name}: ${value}`);
const drop = (name: string) => (legal: string) => legal.replace(new RegExp(`^${name}: .*\r\n`, "m"), "");
const add = (field: string) => (legal: string) => withField(legal, field);
const status = (text: string) => (legal: string) => legal.replace(/^HTTP\/1\.1 101 .*(?=\r\n)/, text);

/** Where there are two codes, Node's releases differ in what their parser takes. */
const RESPONSES: readonly (readonly [name: string, code: string, change: (legal: string) => string])[] = [
  ["no Sec-WebSocket-Accept", "ACCEPT", drop("Sec-WebSocket-Accept")],
  ["the accept value of another request", "ACCEPT", set("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")],
  ["an empty accept value", "ACCEPT", set("Sec-WebSocket-Accept", "")],
  ["two accept values", "ACCEPT", add("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")],
  [
    "an accept value in lower case",
    "ACCEPT",
    (legal) => legal.replace(/(Accept: )(.*)/, (_, name, value) => name + value.toLowerCase()),
  ],
  ["an accept value with more behind it", "ACCEPT", (legal) => legal.replace(/(Accept: .*)/, "$1, x")],
  ["no Upgrade", "UPGRADE", drop("Upgrade")],
  ["Upgrade: h2c", "UPGRADE", set("Upgrade", "h2c")],
  ["Upgrade: websocket, h2c", "UPGRADE", set("Upgrade", "websocket, h2c")],
  ["no Connection", "CONNECTION", drop("Connection")],
  ["Connection: close", "CONNECTION", set("Connection", "close")],
  ["HTTP/1.0", "VERSION", status("HTTP/1.0 101 Switching Protocols")],
  ["HTTP/2.0", "VERSION|SYNTAX", status("HTTP/2.0 101 Switching Protocols")],
  ["HTTP/3.0", "VERSION|SYNTAX", status("HTTP/3.0 101 Switching Protocols")],
  ["a status of four digits", "SYNTAX", status("HTTP/1.1 1010 Switching Protocols")],
  ["status 000", "STATUS|SYNTAX", () => "HTTP/1.1 000 Nothing\r\nContent-Length: 0\r\n\r\n"],
  ["another protocol", "SYNTAX", () => "SSH-2.0-OpenSSH_9.6\r\n\r\n"],
  ["TLS", "SYNTAX", () => "\x15\x03\x01\x00\x02\x02\x28\r\n\r\n"],
  ["a request", "SYNTAX", () => "GET / HTTP/1.1\r\nHost: x\r\n\r\n"],
  ["a line feed in a field", "SYNTAX", add("X-A: 1\nX-B: 2")],
  ["a carriage return in a field", "SYNTAX", add("X-A: 1\rX-B: 2")],
  ["a zero byte in a field", "SYNTAX", add("X-A: 1\0")],
  ["a field without a colon", "SYNTAX", add("X-A")],
  ["a field of 17,000 bytes", "SYNTAX", add(`X-A: ${"x".repeat(17_000)}`)],
  ["100,000 fields", "SYNTAX", (legal) => legal.replace(/\r\n\r\n$/, `\r\n${"a:b\r\n".repeat(100_000)}\r\n`)],
  [
    "a second accept value behind 2,500 fields",
    "ACCEPT",
    (legal) =>
      add("Sec-WebSocket-Accept: x")(
        legal.replace(/\r\n\r\n$/, `\r\n${"a:b\r\n".repeat(2_500)}`.replace(/\r\n$/, "\r\n\r\n")),
      ),
  ],
  ["an extension that was not offered", "EXTENSIONS", add("Sec-WebSocket-Extensions: x-unknown")],
  ["an extension that is no extension", "EXTENSIONS", add("Sec-WebSocket-Extensions: ;")],
  ["permessage-deflate twice", "EXTENSIONS", add("Sec-WebSocket-Extensions: permessage-deflate, permessage-deflate")],
  ["an unknown parameter", "EXTENSIONS", add("Sec-WebSocket-Extensions: permessage-deflate; unknown")],
  ["a window of 7 bits", "EXTENSIONS", add("Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=7")],
  ["a window of 16 bits", "EXTENSIONS", add("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=16")],
  [
    "a window without a value",
    "EXTENSIONS",
    add("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"),
  ],
  [
    "a parameter twice",
    "EXTENSIONS",
    add("Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; server_no_context_takeover"),
  ],
  ["15,000 spaces inside an extension", "EXTENSIONS", add(`Sec-WebSocket-Extensions: x${" ".repeat(15_000)}y`)],
  ["a quote of 15,000 backslashes", "EXTENSIONS", add(`Sec-WebSocket-Extensions: x;y="${"\\".repeat(15_000)}`)],
  ["a subprotocol that nobody offered", "PROTOCOL", add("Sec-WebSocket-Protocol: chat")],
  ["an empty subprotocol", "PROTOCOL", add("Sec-WebSocket-Protocol: ")],
];

describe("RFC 6455 §4.1: a hostile response does not open our client's connection", () => {
  it.each(RESPONSES)("%s: ERR_SLUICE_HANDSHAKE_%s", async (_, code, change) => {
    await expectNoConnection(change, `ERR_SLUICE_HANDSHAKE_(${code})`);
  });

  it.each([200, 204, 304, 400, 401, 403, 404, 407, 426, 429, 500, 503, 599])("status %i", async (code) => {
    const respond = () => `HTTP/1.1 ${code} X\r\nContent-Length: 0\r\nWWW-Authenticate: Basic\r\n\r\n`;
    const error = await expectNoConnection(respond, "ERR_SLUICE_HANDSHAKE_STATUS");
    expect(error.cause.statusCode).toBe(code);
  });

  it.each([
    ["a subprotocol in another case", ["Chat"], "chat"],
    ["a list of the offered ones", ["a", "b"], "a, b"],
  ])("%s", async (_, protocols, selected) => {
    const respond = add(`Sec-WebSocket-Protocol: ${selected}`);
    await expectNoConnection(respond, "ERR_SLUICE_HANDSHAKE_PROTOCOL", { protocols });
  });

  it("no redirect is followed, and no credential repeated", async () => {
    for (const code of [301, 302, 303, 307, 308, 401]) {
      const target = use(await HostileServer.listen());
      let requests = 0;
      const second = target.accept().then(() => requests++);
      await expectNoConnection(
        () => {
          requests++;
          return `HTTP/1.1 ${code} X\r\nLocation: ${target.url}\r\nWWW-Authenticate: Basic realm="x"\r\nContent-Length: 0\r\n\r\n`;
        },
        "ERR_SLUICE_HANDSHAKE_STATUS",
        { headers: { Authorization: "Basic c2VjcmV0" } },
      );
      expect(requests).toBe(1);
      void second;
    }
  });
});

describe("responses that do not end", () => {
  it.each([
    ["nothing", ""],
    ["half a status line", "HTTP/1.1 10"],
    ["half a head", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: web"],
    ["only 100 Continue", "HTTP/1.1 100 Continue\r\n\r\n"],
  ])("%s: the handshake's time runs out", async (_, response) => {
    await expectNoConnection(() => response, "ERR_SLUICE_HANDSHAKE_TIMEOUT", { handshakeTimeoutMs: 150 });
  });

  it("a signal ends the wait too", async () => {
    const hostile = use(await HostileServer.listen({ respond: () => null }));
    const controller = new AbortController();
    const stream = new WebSocketStream(hostile.url, { signal: controller.signal });
    const peer = await hostile.accept();
    controller.abort("enough");
    expect(await reasonOf(stream.opened)).toBe("enough");
    expect(await reasonOf(stream.closed)).toBe("enough");
    await peer.until(() => peer.hasEnded || peer.isClosed);
  });

  it("a head without an end is cut off at 16 KiB, and what comes then is not read", async () => {
    const hostile = use(await HostileServer.listen({ respond: () => "HTTP/1.1 101 Switching Protocols\r\n" }));
    const stream = new WebSocketStream(hostile.url);
    const peer = await hostile.accept();
    const line = Buffer.from(`X-A: ${"x".repeat(59)}\r\n`);
    const sent = await peer.flood(line, 1_000_000);
    expect(sent).toBeLessThan(1_000_000);
    expect(codeOf(await reasonOf(stream.opened))).toBe("ERR_SLUICE_HANDSHAKE_SYNTAX");
  });

  it("interim responses without end cost no memory, until the time runs out", async () => {
    const hostile = use(await HostileServer.listen({ respond: () => null }));
    const before = await measureProcessMemory();
    const stream = new WebSocketStream(hostile.url, { handshakeTimeoutMs: 500 });
    const peer = await hostile.accept();
    const flooding = peer.flood(Buffer.from("HTTP/1.1 102 Processing\r\nX-A: 1\r\n\r\n"), Number.POSITIVE_INFINITY);
    expect(codeOf(await reasonOf(stream.opened))).toBe("ERR_SLUICE_HANDSHAKE_TIMEOUT");
    expect(await flooding).toBeGreaterThan(0);
    expect((await measureProcessMemory()) - before).toBeLessThan(16 * 1024 * 1024);
  });

  it("of a refusal's body without end 4 KiB are kept, and no more is waited for", async () => {
    const hostile = use(
      await HostileServer.listen({ respond: () => "HTTP/1.1 503 X\r\nTransfer-Encoding: chunked\r\n\r\n" }),
    );
    const stream = new WebSocketStream(hostile.url);
    const peer = await hostile.accept();
    const flooding = peer.flood(Buffer.from(`400\r\n${"y".repeat(1_024)}\r\n`), Number.POSITIVE_INFINITY);
    const error = (await reasonOf(stream.opened)) as { cause: { body: string } };
    expect(codeOf(error)).toBe("ERR_SLUICE_HANDSHAKE_STATUS");
    expect(error.cause.body).toBe("y".repeat(4_096));
    await flooding;
    await peer.until(() => peer.hasEnded || peer.isClosed);
  });

  it("a refusal's body that stops is not waited for", async () => {
    const respond = () => "HTTP/1.1 503 X\r\nContent-Length: 100\r\n\r\nbusy";
    const error = await expectNoConnection(respond, "ERR_SLUICE_HANDSHAKE_STATUS");
    expect(error.cause.body).toBe("busy");
  });
});
