import { describe, expect, it } from "vitest";
import { HandshakeError, HandshakeRefusal } from "../handshake/handshake-error.ts";
import type { PerMessageDeflateOptions, PerMessageDeflateParameters } from "./negotiate.ts";
import { acceptOffer, acceptResponse, createOffer, validateDeflateOptions } from "./negotiate.ts";

const P = "permessage-deflate";

function parameters(changes: Partial<PerMessageDeflateParameters> = {}): PerMessageDeflateParameters {
  return {
    serverNoContextTakeover: false,
    clientNoContextTakeover: false,
    serverMaxWindowBits: 15,
    clientMaxWindowBits: 15,
    ...changes,
  };
}

describe("RFC 7692 §7.1 the client's offer", () => {
  it.each<[PerMessageDeflateOptions | true, string]>([
    [true, `${P}; client_max_window_bits`],
    [{}, `${P}; client_max_window_bits`],
    [{ clientMaxWindowBits: 10 }, `${P}; client_max_window_bits=10`],
    [{ serverMaxWindowBits: 8 }, `${P}; server_max_window_bits=8; client_max_window_bits`],
    [{ serverNoContextTakeover: true }, `${P}; server_no_context_takeover; client_max_window_bits`],
    [
      { serverNoContextTakeover: true, clientNoContextTakeover: true, serverMaxWindowBits: 9, clientMaxWindowBits: 15 },
      `${P}; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=9; client_max_window_bits=15`,
    ],
    [{ serverNoContextTakeover: false, level: 1, thresholdBytes: 10 }, `${P}; client_max_window_bits`],
  ])("createOffer(%j)", (options, expected) => {
    expect(createOffer(options)).toBe(expected);
  });

  it.each([7, 16, 9.5, Number.NaN, -8])("a window of %d bits is a RangeError on both sides", (bits) => {
    expect(() => createOffer({ serverMaxWindowBits: bits })).toThrow(RangeError);
    expect(() => createOffer({ clientMaxWindowBits: bits })).toThrow(RangeError);
    expect(() => acceptOffer(P, { serverMaxWindowBits: bits })).toThrow(RangeError);
    expect(() => acceptOffer(P, { clientMaxWindowBits: bits })).toThrow(RangeError);
  });
});

it.each([
  { level: 10 },
  { level: -1 },
  { memLevel: 0 },
  { memLevel: 10 },
  { thresholdBytes: -1 },
  { thresholdBytes: 0.5 },
])("%j is a RangeError on both sides", (options) => {
  expect(() => createOffer(options)).toThrow(RangeError);
  expect(() => acceptOffer(P, options)).toThrow(RangeError);
});

it.each([true, null, "text", {}])("filter %j is a TypeError on both sides", (filter) => {
  const options = { filter } as unknown as PerMessageDeflateOptions;
  expect(() => createOffer(options)).toThrow(TypeError);
  expect(() => acceptOffer(P, options)).toThrow(TypeError);
});

describe("validateDeflateOptions()", () => {
  it.each([true, false, {}, { level: 9, serverMaxWindowBits: 8, filter: () => true }])("takes %o", (options) => {
    expect(() => validateDeflateOptions(options)).not.toThrow();
  });

  it.each([
    ["yes", "must be a boolean or an object: current value is yes"],
    [1, "must be a boolean or an object: current value is 1"],
    [null, "must be a boolean or an object: current value is null"],
    [{ filter: "text" }, "must be a function: current type is string"],
  ])("%j is a TypeError", (options, text) => {
    const call = (): void => validateDeflateOptions(options as unknown as boolean);
    expect(call).toThrow(TypeError);
    expect(call).toThrow(text);
  });

  it("a number out of its range is a RangeError, as when it is used", () => {
    expect(() => validateDeflateOptions({ memLevel: 10 })).toThrow(
      new RangeError("Cannot use memLevel as it must be an integer from 1 to 9: current value is 10"),
    );
  });
});

it("a filter changes nothing of what is negotiated", () => {
  const filter = (): boolean => false;
  expect(createOffer({ filter })).toBe(createOffer(true));
  expect(acceptOffer(P, { filter })).toEqual(acceptOffer(P, true));
});

/** Each with its value written as an offer and as a response. */
const BAD_EVERYWHERE: [id: string, value: string][] = [
  ["E01: an unknown parameter", `${P}; foo`],
  ["E01: an unknown parameter with a value", `${P}; foo=1`],
  ["E02: a parameter twice", `${P}; server_no_context_takeover; server_no_context_takeover`],
  ["E02: a parameter twice in other case", `${P}; client_no_context_takeover; CLIENT_no_context_takeover`],
  ["E02: a window twice", `${P}; server_max_window_bits=10; server_max_window_bits=10`],
  ["E03: a value where none is allowed (server)", `${P}; server_no_context_takeover=1`],
  ["E03: a value where none is allowed (client)", `${P}; client_no_context_takeover=true`],
  ["E03: no value where one is required", `${P}; server_max_window_bits`],
  ...["7", "16", "0", "08", "015", "+9", "-9", "1e1", "9.0", "0x9", "9a", "a", "10000000000000000000"].flatMap(
    (bits): [string, string][] => [
      [`E04: server window ${bits}`, `${P}; server_max_window_bits=${bits}`],
      [`E04: client window ${bits}`, `${P}; client_max_window_bits=${bits}`],
    ],
  ),
];

describe("RFC 7692 §7.1 the server's choice", () => {
  it.each<[string, PerMessageDeflateOptions | true, string, Partial<PerMessageDeflateParameters>]>([
    [P, true, P, {}],
    ["PerMessage-Deflate", true, P, {}],
    [`${P}; client_max_window_bits`, true, P, {}],
    [`${P}; client_max_window_bits=10`, true, `${P}; client_max_window_bits=10`, { clientMaxWindowBits: 10 }],
    [`${P}; client_max_window_bits="10"`, true, `${P}; client_max_window_bits=10`, { clientMaxWindowBits: 10 }],
    [
      `${P}; client_max_window_bits`,
      { clientMaxWindowBits: 9 },
      `${P}; client_max_window_bits=9`,
      { clientMaxWindowBits: 9 },
    ],
    [
      `${P}; client_max_window_bits=8`,
      { clientMaxWindowBits: 9 },
      `${P}; client_max_window_bits=8`,
      { clientMaxWindowBits: 8 },
    ],
    [P, { clientMaxWindowBits: 15 }, P, {}],
    [`${P}; server_max_window_bits=9`, true, `${P}; server_max_window_bits=9`, { serverMaxWindowBits: 9 }],
    [
      `${P}; server_max_window_bits=12`,
      { serverMaxWindowBits: 10 },
      `${P}; server_max_window_bits=10`,
      { serverMaxWindowBits: 10 },
    ],
    [P, { serverMaxWindowBits: 10 }, `${P}; server_max_window_bits=10`, { serverMaxWindowBits: 10 }],
    [`${P}; server_no_context_takeover`, true, `${P}; server_no_context_takeover`, { serverNoContextTakeover: true }],
    [P, { serverNoContextTakeover: true }, `${P}; server_no_context_takeover`, { serverNoContextTakeover: true }],
    [`${P}; client_no_context_takeover`, true, `${P}; client_no_context_takeover`, { clientNoContextTakeover: true }],
    [`${P}; client_no_context_takeover`, { clientNoContextTakeover: false }, P, {}],
    [P, { clientNoContextTakeover: true }, `${P}; client_no_context_takeover`, { clientNoContextTakeover: true }],
  ])("%s with %j is answered %s", (offer, options, headerValue, changes) => {
    expect(acceptOffer(offer, options)).toEqual({ headerValue, parameters: parameters(changes) });
  });

  it.each(BAD_EVERYWHERE)("%s declines the offer", (_id, offer) => {
    expect(acceptOffer(offer, true)).toBe(null);
  });

  it.each<[string, string, PerMessageDeflateOptions]>([
    ["a window that zlib cannot keep", `${P}; server_max_window_bits=8`, {}],
    ["a context that we insist on", `${P}; server_no_context_takeover`, { serverNoContextTakeover: false }],
    ["a client window that cannot be limited", P, { clientMaxWindowBits: 10 }],
  ])("E05: %s declines the offer", (_name, offer, options) => {
    expect(acceptOffer(offer, options)).toBe(null);
  });

  it("E10: the first acceptable of several offers is taken", () => {
    expect(
      acceptOffer(`foo, ${P}; server_max_window_bits=8, ${P}; server_max_window_bits=9, ${P}`, true)?.headerValue,
    ).toBe(`${P}; server_max_window_bits=9`);
  });

  it.each(["foo", "x-webkit-deflate-frame; no_context_takeover", `foo; ${P}`])(
    "E12: %s is answered with nothing",
    (offer) => {
      expect(acceptOffer(offer, true)).toBe(null);
    },
  );

  it.each(["", `${P};`, `${P}, `, `${P}; client_max_window_bits=`, `${P}; client_max_window_bits="1`])(
    "D-31: the malformed value %j is refused with 400",
    (offer) => {
      expect(() => acceptOffer(offer, true)).toThrow(HandshakeRefusal);
      try {
        acceptOffer(offer, true);
      } catch (error) {
        expect((error as HandshakeRefusal).statusCode).toBe(400);
      }
    },
  );

  it("E06-E09: never sends what it must not", () => {
    const values = [undefined, 8, 9, 12, 15];
    for (const offered of [
      P,
      `${P}; client_max_window_bits`,
      `${P}; client_max_window_bits=11; server_max_window_bits=11`,
    ]) {
      for (const serverMaxWindowBits of values) {
        for (const clientMaxWindowBits of values) {
          const answer = acceptOffer(offered, { serverMaxWindowBits, clientMaxWindowBits });
          if (answer !== null) expect(acceptResponse(answer.headerValue, offered)).toEqual(answer.parameters);
        }
      }
    }
  });
});

describe("RFC 7692 §7.1 the client on the server's response", () => {
  const FULL = `${P}; server_no_context_takeover; server_max_window_bits=10; client_max_window_bits=10`;

  it.each<[string, string, Partial<PerMessageDeflateParameters>]>([
    [`${P}; client_max_window_bits`, P, {}],
    [`${P}; client_max_window_bits`, `${P}; client_max_window_bits=9`, { clientMaxWindowBits: 9 }],
    [`${P}; client_max_window_bits`, `${P}; client_max_window_bits="9"`, { clientMaxWindowBits: 9 }],
    [`${P}; client_max_window_bits`, `${P}; server_max_window_bits=8`, { serverMaxWindowBits: 8 }],
    [`${P}; client_max_window_bits`, `${P}; server_no_context_takeover`, { serverNoContextTakeover: true }],
    [`${P}; client_max_window_bits`, `${P}; client_no_context_takeover`, { clientNoContextTakeover: true }],
    [`${P}; client_max_window_bits=10`, P, { clientMaxWindowBits: 10 }],
    [`${P}; client_no_context_takeover`, P, { clientNoContextTakeover: true }],
    [
      FULL,
      `${P}; server_no_context_takeover; server_max_window_bits=9; client_max_window_bits=10`,
      { serverNoContextTakeover: true, serverMaxWindowBits: 9, clientMaxWindowBits: 10 },
    ],
  ])("offer %j, response %j", (offer, response, changes) => {
    expect(acceptResponse(response, offer)).toEqual(parameters(changes));
  });

  it.each([
    ...BAD_EVERYWHERE,
    ["E03: client_max_window_bits without a value", `${P}; client_max_window_bits`],
    ["E11: accepted twice", `${P}, ${P}`],
    ["H15: an extension that was not offered", "foo"],
    ["H15: an additional extension", `${P}, foo`],
    ["malformed", `${P};`],
    ["empty", ""],
  ])("%s fails", (_id, response) => {
    expect(() => acceptResponse(response, `${P}; client_max_window_bits`)).toThrow(HandshakeError);
  });

  it.each([
    ["E06: a client window that was not offered", P, `${P}; client_max_window_bits=15`],
    [
      "E07: a client window above the offered",
      FULL,
      `${FULL.replace("client_max_window_bits=10", "client_max_window_bits=11")}`,
    ],
    ["E08: no server window", FULL, `${P}; server_no_context_takeover`],
    ["E08: a larger server window", FULL, `${P}; server_no_context_takeover; server_max_window_bits=11`],
    ["E09: no server_no_context_takeover", FULL, `${P}; server_max_window_bits=10`],
    ["H15: anything when nothing was offered", "", P],
  ])("%s fails", (_id, offer, response) => {
    expect(() => acceptResponse(response, offer)).toThrow(HandshakeError);
    try {
      acceptResponse(response, offer);
    } catch (error) {
      expect((error as HandshakeError).code).toBe("ERR_SLUICE_HANDSHAKE_EXTENSIONS");
    }
  });

  it("shows no more than 200 characters of the response in its text", () => {
    expect(() => acceptResponse("a".repeat(201), P)).toThrow(/"a{200}…"$/);
  });
});
