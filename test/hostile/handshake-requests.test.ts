import { describe, expect, it } from "vitest";
import { serve } from "../../packages/sluice/src/server.ts";
import { connectHostile } from "../../packages/sluice/src/testing/hostile-client.ts";
import type { HostilePeer } from "../../packages/sluice/src/testing/hostile-peer.ts";
import { createScope } from "../support/scope.ts";
import { expectClose, expectFailure } from "./outcome.ts";
import { createStage, withField } from "./stage.ts";

const stage = createStage();
const use = createScope();

type Change = (legal: string) => string;

const set =
  (name: string, value: string): Change =>
  (legal) =>
    legal.replace(new RegExp(`^${name}: .*$`, "m"), `${name}: ${value}`);
const drop =
  (name: string): Change =>
  (legal) =>
    legal.replace(new RegExp(`^${name}: .*\r\n`, "m"), "");
const add =
  (...fields: string[]): Change =>
  (legal) =>
    fields.reduce(withField, legal);
const line =
  (text: string): Change =>
  (legal) =>
    legal.replace(/^.*(?=\r\n)/, text);

/** The peer got one HTTP response with this status, and then the end. */
async function expectRefusal(peer: HostilePeer, status: number): Promise<void> {
  await peer.until(() => peer.hasEnded || peer.isClosed);
  expect(peer.statusCode).toBe(status);
  const length = /^content-length: (\d+)\r$/im.exec(peer.head)?.[1];
  // Nothing else stands behind it: no second response, no byte of the attacker's.
  expect(peer.rest.byteLength).toBe(Number(length ?? 0));
  peer.end();
  await peer.until(() => peer.isClosed);
}

const REQUESTS: readonly (readonly [name: string, status: number, change: Change])[] = [
  ["the method POST", 405, line("POST / HTTP/1.1")],
  ["the method CONNECT", 405, line("CONNECT / HTTP/1.1")],
  ["HTTP/1.0", 400, line("GET / HTTP/1.0")],
  ["HTTP/0.9", 400, line("GET /")],
  ["HTTP/2.0", 400, line("GET / HTTP/2.0")],
  ["the preface of HTTP/2", 400, () => "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
  ["the hello of TLS", 400, () => "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"],
  ["no key", 400, drop("Sec-WebSocket-Key")],
  ["two keys", 400, add("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")],
  ["two keys in one field", 400, set("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ==")],
  ["an empty key", 400, set("Sec-WebSocket-Key", "")],
  ["a key of 15 bytes", 400, set("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25j")],
  ["a key of 17 bytes", 400, set("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZTE=")],
  ["a key that is no base64", 400, set("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25j**==")],
  ["no version", 426, drop("Sec-WebSocket-Version")],
  ["version 0", 426, set("Sec-WebSocket-Version", "0")],
  ["version 13 twice", 426, add("Sec-WebSocket-Version: 13")],
  ["version 013", 426, set("Sec-WebSocket-Version", "013")],
  ["a list of versions", 426, set("Sec-WebSocket-Version", "13, 8")],
  ["no Host", 400, drop("Host")],
  ["two Hosts", 400, add("Host: elsewhere.example")],
  ["a Host with user information", 400, set("Host", "user@localhost")],
  ["a Host with a path", 400, set("Host", "localhost/path")],
  ["a Host with white space inside", 400, set("Host", "local host")],
  ["an empty Host", 400, set("Host", "")],
  ["Upgrade: h2c", 400, set("Upgrade", "h2c")],
  ["no Upgrade", 426, drop("Upgrade")],
  ["Connection: keep-alive", 426, set("Connection", "keep-alive")],
  ["an empty subprotocol", 400, add("Sec-WebSocket-Protocol: ")],
  ["a subprotocol with a separator", 400, add("Sec-WebSocket-Protocol: a b")],
  ["an empty element among subprotocols", 400, add("Sec-WebSocket-Protocol: a,,b")],
  ["a subprotocol twice", 400, add("Sec-WebSocket-Protocol: chat", "Sec-WebSocket-Protocol: chat")],
  ["an extension without a name", 400, add("Sec-WebSocket-Extensions: ;")],
  ["an extension's parameter without a name", 400, add("Sec-WebSocket-Extensions: a; =1")],
  ["a quote that does not end", 400, add('Sec-WebSocket-Extensions: a; b="c')],
  ["a quoted value that is no token", 400, add('Sec-WebSocket-Extensions: a; b="c d"')],
  ["a control character in an extension", 400, add("Sec-WebSocket-Extensions: a\x01")],
  // Header injection and smuggling: Node's parser is strict, and nothing of it may be taken as a field.
  ["a line feed in a value", 400, add("X-A: 1\nX-B: 2")],
  ["a carriage return in a value", 400, add("X-A: 1\rX-B: 2")],
  ["a zero byte in a value", 400, add("X-A: 1\0")],
  ["a space in front of the colon", 400, add("X-A : 1")],
  ["a folded field", 400, add("X-A: 1\r\n 2")],
  ["a name with a space", 400, add("X A: 1")],
  ["a field without a colon", 400, add("X-A")],
  ["a body and chunks", 400, add("Content-Length: 5", "Transfer-Encoding: chunked")],
  ["two lengths", 400, add("Content-Length: 5", "Content-Length: 6")],
  ["a request target with a space", 400, line("GET /a b HTTP/1.1")],
  ["a request target with a line feed", 400, line("GET /a\n HTTP/1.1")],
  ["a request target without a slash", 400, line("GET x HTTP/1.1")],
  ["the request target *", 400, line("GET * HTTP/1.1")],
  // RFC 6455 §10.2: pages of others, with the visitor's cookies, to a server on this very machine.
  ["a page of another origin", 403, add("Origin: https://evil.example", "Cookie: session=1")],
  ["a page of another port of this machine", 403, add("Origin: http://127.0.0.1:1")],
  ["a page whose host begins like ours", 403, add("Origin: http://127.0.0.1.evil.example")],
  ["a page whose user information looks like us", 403, add("Origin: http://127.0.0.1@evil.example")],
  ["a sandboxed frame", 403, add("Origin: null")],
  ["a file", 403, add("Origin: file://")],
  ["an empty origin", 403, add("Origin: ")],
];

describe("RFC 6455 §4.2: our server refuses a hostile request with one response, and ends", () => {
  it.each(REQUESTS)("%s: %i", async (_, status, change) => {
    const peer = await stage.connect({ request: change });
    await expectRefusal(peer, status);
  });

  it("two origins are none", async () => {
    const own = new URL(stage.url).host;
    const peer = await stage.connect({ request: add(`Origin: http://${own}`, "Origin: https://evil.example") });
    await peer.until(() => peer.hasEnded);
    expect([400, 403]).toContain(peer.statusCode);
  });

  it("a page of our own origin is let in", async () => {
    const own = new URL(stage.url).host;
    const peer = await stage.connect({ request: add(`Origin: http://${own}`) });
    expect(peer.statusCode).toBe(101);
  });
});

/** What makes careless parsers take quadratic or exponential time; each fits into 16 KiB. */
const PATTERNS: readonly (readonly [name: string, status: number, change: Change])[] = [
  ["one field of 17,000 bytes", 431, add(`X-A: ${"x".repeat(17_000)}`)],
  ["a request target of 17,000 bytes", 431, line(`GET /${"x".repeat(17_000)} HTTP/1.1`)],
  ["a field name of 17,000 bytes", 431, add(`${"X".repeat(17_000)}: 1`)],
  ["3,000 fields", 431, add(...Array.from({ length: 3_000 }, () => "a:b"))],
  ["100,000 fields", 431, (legal) => legal.replace(/\r\n\r\n$/, `\r\n${"a:b\r\n".repeat(100_000)}\r\n`)],
  [
    "a key behind 3,000 fields",
    431,
    (legal) => add(...Array.from({ length: 3_000 }, () => "a:b"), "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==")(legal),
  ],
  ["15,000 spaces in front of an extension", 101, add(`Sec-WebSocket-Extensions: ${" ".repeat(15_000)}x`)],
  ["15,000 spaces inside an extension", 400, add(`Sec-WebSocket-Extensions: x${" ".repeat(15_000)}y`)],
  ["15,000 semicolons", 400, add(`Sec-WebSocket-Extensions: x${";".repeat(15_000)}`)],
  ["15,000 commas", 400, add(`Sec-WebSocket-Extensions: ${",".repeat(15_000)}`)],
  ["7,500 extensions", 101, add(`Sec-WebSocket-Extensions: ${"x,".repeat(7_499)}x`)],
  ["7,500 parameters", 101, add(`Sec-WebSocket-Extensions: x${";y".repeat(7_499)}`)],
  [
    "500 offers of deflate, each with all parameters unknown",
    101,
    add(`Sec-WebSocket-Extensions: ${Array.from({ length: 500 }, () => "permessage-deflate;x=1").join(",")}`),
  ],
  ["a quote of 15,000 backslashes", 400, add(`Sec-WebSocket-Extensions: x;y="${"\\".repeat(15_000)}`)],
  ["15,000 commas in Connection", 101, set("Connection", `${",".repeat(15_000)}Upgrade`)],
  ["15,000 tabs and spaces in Upgrade", 400, set("Upgrade", `${" \t".repeat(7_500)}x`)],
  ["7,500 subprotocols", 400, add(`Sec-WebSocket-Protocol: ${"x,".repeat(7_499)}x`)],
  [
    "4,000 different subprotocols",
    101,
    add(`Sec-WebSocket-Protocol: ${Array.from({ length: 3_000 }, (_, index) => index.toString(36)).join(",")}`),
  ],
  ["an origin of 15,000 colons", 403, add(`Origin: http://${":".repeat(15_000)}`)],
  ["a host of 15,000 dots", 400, set("Host", `${".".repeat(15_000)}:x`)],
];

describe("RFC 6455 §10.4: heads that are made to cost", () => {
  it.each(PATTERNS)("%s: %i", async (_, status, change) => {
    const peer = await stage.connect({ request: change });
    if (status === 101) expect(peer.statusCode).toBe(101);
    else await expectRefusal(peer, status);
  });
});

/** RFC 7692 §7.1: what a server must not take for an offer that it can keep. */
const OFFERS = [
  "permessage-deflate; server_max_window_bits=7",
  "permessage-deflate; server_max_window_bits=16",
  "permessage-deflate; server_max_window_bits=99999999999999999999",
  "permessage-deflate; server_max_window_bits=-1",
  "permessage-deflate; server_max_window_bits=010",
  "permessage-deflate; server_max_window_bits=1e1",
  "permessage-deflate; server_max_window_bits",
  'permessage-deflate; server_max_window_bits="16"',
  "permessage-deflate; client_max_window_bits=0",
  "permessage-deflate; client_max_window_bits=x",
  "permessage-deflate; server_no_context_takeover=1",
  "permessage-deflate; client_no_context_takeover=true",
  "permessage-deflate; client_no_context_takeover; client_no_context_takeover",
  "permessage-deflate; server_max_window_bits=10; server_max_window_bits=10",
  "permessage-deflate; unknown",
  "permessage-deflate; __proto__=1",
  "x-webkit-deflate-frame",
  "permessage-deflate-2",
];

describe("RFC 7692 §7.1: an offer of permessage-deflate that does not conform is declined", () => {
  it.each(OFFERS)("%s", async (offer) => {
    const deflating = use(await serve({ port: 0, host: "127.0.0.1", perMessageDeflate: true }, () => {}));
    const peer = await connectHostile((await deflating.listening).url, {
      request: add(`Sec-WebSocket-Extensions: ${offer}`),
    });
    use(peer);
    expect(peer.statusCode).toBe(101);
    expect(peer.head.toLowerCase()).not.toContain("sec-websocket-extensions");
    // And so a compressed message is a fault.
    peer.sendBomb(10);
    await expectClose({ peer }, 1002);
  });
});

describe("header injection through the server's own answers", () => {
  it("what a hook takes from the request does not become a field of its own", async () => {
    const errors: unknown[] = [];
    const server = use(
      await serve(
        {
          port: 0,
          host: "127.0.0.1",
          onError: (error) => errors.push(error),
          // A fault of the program: it trusts what a peer sent.
          upgrade: (request) => {
            const name = decodeURIComponent(new URL(request.url ?? "", "http://x").search.slice(1));
            return { headers: [["X-Name", name]] };
          },
        },
        () => {},
      ),
    );
    const url = (await server.listening).url;
    for (const attack of ["x%0d%0aSet-Cookie:%20a=b", "x%0aSet-Cookie:%20a=b", "x%0dy", "x%00"]) {
      const peer = use(await connectHostile(`${url}?${attack}`));
      await expectRefusal(peer, 500);
      expect(peer.head.toLowerCase()).not.toContain("set-cookie");
    }
    expect(errors).toHaveLength(4);
  });

  it("a subprotocol that was not offered cannot be selected", async () => {
    const errors: unknown[] = [];
    const onError = (error: unknown): void => void errors.push(error);
    const protocols = (): string => "chat\r\nSet-Cookie: a=b";
    const server = use(await serve({ port: 0, host: "127.0.0.1", onError, protocols }, () => {}));
    const peer = use(
      await connectHostile((await server.listening).url, { request: add("Sec-WebSocket-Protocol: chat") }),
    );
    await expectRefusal(peer, 500);
    expect(peer.head.toLowerCase()).not.toContain("set-cookie");
    expect(errors).toHaveLength(1);
  });
});

describe("requests behind requests", () => {
  it("a second request behind an upgrade is frames, and no legal ones", async () => {
    const meeting = await stage.meet("server", {
      behindHead: Buffer.from("GET /admin HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    });
    await expectFailure(meeting, "ERR_SLUICE_RESERVED_BIT");
    await expectClose(meeting, 1002);
  });

  it("a request behind one that is refused gets no answer", async () => {
    const peer = await stage.connect({ request: (legal) => drop("Sec-WebSocket-Key")(legal) + legal });
    await expectRefusal(peer, 400);
  });

  it("an upgrade behind a plain request gets no answer either", async () => {
    const peer = await stage.connect({ request: (legal) => `GET / HTTP/1.1\r\nHost: localhost\r\n\r\n${legal}` });
    await expectRefusal(peer, 426);
  });

  it("a body that never comes is not waited for", async () => {
    const peer = await stage.connect({ request: () => "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n" });
    await expectRefusal(peer, 426);
  });

  it("frames that come before the answer wait for the end of the handshake", async () => {
    const { readable } = await stage.meet("server", { behindHead: Buffer.from("818537fa213d7f9f4d5158", "hex") });
    expect((await readable.getReader().read()).value).toBe("Hello");
  });
});
