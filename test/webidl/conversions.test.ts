import { CloseEvent, WebSocket, WebSocketError, WebSocketStream } from "sluice";
import { describe, expect, it } from "vitest";
import { OwnCloseEvent } from "../../packages/sluice/src/legacy/close-event.ts";
import { getDictionaryMembers } from "./standard.ts";

/** The port is blocked (D-28): the attempt fails without a packet. */
const NOWHERE = "ws://127.0.0.1:1/";

/** The number that a conversion gives, or what it throws. */
const CONVERSIONS: readonly [value: unknown, enforced: number | null, clamped: number, modulo: number][] = [
  [Number.NaN, null, 0, 0],
  [Number.POSITIVE_INFINITY, null, 65_535, 0],
  [Number.NEGATIVE_INFINITY, null, 0, 0],
  [-1, null, 0, 65_535],
  [-0.5, 0, 0, 0],
  [70_000, null, 65_535, 4464],
  [65_536 + 1000, null, 65_535, 1000],
  [1000.5, 1000, 1000, 1000],
  [3000.5, 3000, 3000, 3000],
  [3001.5, 3001, 3002, 3001],
  [999.5, 999, 1000, 999],
  ["3000", 3000, 3000, 3000],
  ["0xbb8", 3000, 3000, 3000],
  ["x", null, 0, 0],
  [null, 0, 0, 0],
  [true, 1, 1, 1],
  [{ valueOf: () => 4000 }, 4000, 4000, 4000],
  [[4000], 4000, 4000, 4000],
];

/** What an operation makes of a close code that it has converted: it may be sent, or it may not. */
function isSendable(code: number): boolean {
  return code === 1000 || (code >= 3000 && code <= 4999);
}

describe("[EnforceRange] unsigned short closeCode", () => {
  it.each(CONVERSIONS)("%o", (value, enforced) => {
    const init = { closeCode: value as number };
    const operations = [() => new WebSocketError("", init), () => new WebSocketStream(NOWHERE).close(init)];
    for (const operation of operations) {
      if (enforced === null) expect(operation).toThrow(TypeError);
      else if (!isSendable(enforced))
        expect(operation).toThrow(expect.objectContaining({ name: "InvalidAccessError" }));
      else expect(operation).not.toThrow();
    }
    if (enforced !== null && isSendable(enforced)) expect(new WebSocketError("", init).closeCode).toBe(enforced);
  });

  it.each([1n, Symbol("x")])("throws a TypeError for %s", (value) => {
    expect(() => new WebSocketError("", { closeCode: value as unknown as number })).toThrow(TypeError);
  });

  it("is absent if undefined", () => {
    expect(new WebSocketError("", { closeCode: undefined }).closeCode).toBeNull();
  });
});

describe("[Clamp] unsigned short code", () => {
  it.each(CONVERSIONS)("%o", (value, _, clamped) => {
    const close = (): void => new WebSocket(NOWHERE).close(value as number);
    if (isSendable(clamped)) expect(close).not.toThrow();
    else
      expect(close).toThrow(
        expect.objectContaining({ name: "InvalidAccessError", message: expect.stringMatching(`${clamped}$`) }),
      );
  });

  it.each([1n, Symbol("x")])("throws a TypeError for %s", (value) => {
    expect(() => new WebSocket(NOWHERE).close(value as unknown as number)).toThrow(TypeError);
  });
});

describe("unsigned short code of our own CloseEvent", () => {
  it.each(CONVERSIONS)("%o", (value, _enforced, _clamped, modulo) => {
    expect(new OwnCloseEvent("close", { code: value as number }).code).toBe(modulo);
  });
});

// The platform's class where there is one; that of Node 24 and 26 leaves negative numbers negative.
describe("unsigned short code of the exported CloseEvent", () => {
  it.each(CONVERSIONS.filter(([value]) => !(Number(value) < 0)))("%o", (value, _enforced, _clamped, modulo) => {
    expect(new CloseEvent("close", { code: value as number }).code).toBe(modulo);
  });
});

describe("dictionaries", () => {
  const takers: readonly [dictionary: string, taker: string, take: (value: object) => unknown][] = [
    ["WebSocketCloseInfo", "WebSocketStream close()", (value) => new WebSocketStream(NOWHERE).close(value)],
    ["WebSocketCloseInfo", "WebSocketError constructor", (value) => new WebSocketError("", value)],
    ["CloseEventInit", "CloseEvent constructor", (value) => new OwnCloseEvent("close", value)],
  ];

  it.each(takers)("%s of the %s: each member is read once, in order", (dictionary, _, take) => {
    expect(recordReads(take)).toEqual(getDictionaryMembers(dictionary));
  });

  it("WebSocketStreamOptions: the standard's members are read first and once, in order", () => {
    const reads = recordReads((value) => new WebSocketStream(NOWHERE, value));
    const members = getDictionaryMembers("WebSocketStreamOptions");
    expect(reads.slice(0, members.length)).toEqual(members);
  });

  const all: typeof takers = [
    ...takers,
    ["WebSocketStreamOptions", "WebSocketStream constructor", (value) => new WebSocketStream(NOWHERE, value)],
  ];

  it.each(all)("%s of the %s: undefined and null are empty, other non-objects throw a TypeError", (_, _taker, take) => {
    for (const empty of [undefined, null, {}, () => {}]) expect(() => take(empty as object)).not.toThrow();
    for (const wrong of [true, 0, 1n, "", "x", Symbol("x")]) {
      expect(() => take(wrong as unknown as object)).toThrow(TypeError);
    }
  });

  function recordReads(take: (value: object) => unknown): string[] {
    const reads: string[] = [];
    const get = (_: object, key: PropertyKey): undefined => void reads.push(String(key));
    take(new Proxy({}, { get }));
    return reads;
  }
});

describe("strings and sequences", () => {
  it("USVString: lone surrogates become U+FFFD", () => {
    expect(new WebSocketError("", { reason: "a\ud800" }).reason).toBe("a\ufffd");
    expect(new WebSocket("ws://127.0.0.1:1/\ud800").url).toBe("ws://127.0.0.1:1/%EF%BF%BD");
    expect(new WebSocketStream("ws://127.0.0.1:1/\ud800").url).toBe("ws://127.0.0.1:1/%EF%BF%BD");
  });

  it("DOMString: lone surrogates stay", () => {
    expect(new WebSocketError("a\ud800").message).toBe("a\ud800");
  });

  it.each(["x", 1, true, null, {}, { [Symbol.iterator]: 1 }])(
    "sequence<USVString>: %o throws a TypeError",
    (protocols) => {
      expect(() => new WebSocketStream(NOWHERE, { protocols: protocols as unknown as string[] })).toThrow(TypeError);
    },
  );

  it("sequence<USVString>: any iterable object", () => {
    expect(() => new WebSocketStream(NOWHERE, { protocols: new Set(["a", "b"]) })).not.toThrow();
    expect(() => new WebSocketStream(NOWHERE, { protocols: Object("ab") })).not.toThrow();
    expect(() => new WebSocketStream(NOWHERE, { protocols: undefined })).not.toThrow();
  });

  it.each([null, {}, 1, new EventTarget()])("signal: %o throws a TypeError", (signal) => {
    expect(() => new WebSocketStream(NOWHERE, { signal: signal as AbortSignal })).toThrow(TypeError);
  });
});
