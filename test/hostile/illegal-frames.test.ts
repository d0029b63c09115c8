import { describe, expect, it } from "vitest";
import type { WireFrameInit } from "../../packages/sluice/src/testing/wire-frame.ts";
import { expectClose, expectFailure, readAll } from "./outcome.ts";
import { createStage, type MeetOptions, ROLES, type Role } from "./stage.ts";

const stage = createStage();

interface IllegalFrame {
  readonly name: string;
  /** What leads to it, and it itself, last. */
  readonly frames: (role: Role) => readonly (WireFrameInit | readonly number[])[];
  readonly closeCode: number;
  readonly code: string;
  readonly options?: MeetOptions;
  /** What is delivered. @defaultValue the message in front of it */
  readonly messages?: readonly string[];
}

const wrongMask = (role: Role): boolean => role === "client";
const maskBit = (role: Role): number => (role === "server" ? 0x80 : 0);
const zeros = (byteLength: number): number[] => new Array(byteLength).fill(0);
/** A header with a length in this many bytes, however short it is, and a zero masking key where one belongs. */
const header =
  (first: number, lengthCode: 126 | 127, length: readonly number[]) =>
  (role: Role): readonly number[][] => [
    [first, maskBit(role) | lengthCode, ...length, ...(maskBit(role) ? zeros(4) : [])],
  ];
const one = (init: WireFrameInit) => () => [init];

const reservedBits: IllegalFrame[] = [1, 2, 3, 4, 5, 6, 7].flatMap((rsv) =>
  [
    { name: `RSV ${rsv} on text`, frames: one({ opcode: 1, rsv, payload: "x" }) },
    { name: `RSV ${rsv} on an empty binary message`, frames: one({ opcode: 2, rsv }) },
    { name: `RSV ${rsv} on a Ping`, frames: one({ opcode: 9, rsv }) },
    { name: `RSV ${rsv} on a Close`, frames: one({ opcode: 8, rsv }) },
    {
      name: `RSV ${rsv} on a continuation`,
      frames: () => [
        { opcode: 1, isFin: false },
        { opcode: 0, rsv },
      ],
    },
  ].map((frame) => ({ ...frame, closeCode: 1002, code: "ERR_SLUICE_RESERVED_BIT" })),
);

const reservedBitsBesideDeflate: IllegalFrame[] = [
  { name: "RSV2 beside permessage-deflate", frames: one({ opcode: 1, rsv: 2 }) },
  { name: "RSV1 and RSV3 beside permessage-deflate", frames: one({ opcode: 1, rsv: 5 }) },
  { name: "RSV1 on a Ping beside permessage-deflate", frames: one({ opcode: 9, rsv: 4 }) },
  {
    name: "RSV1 on a continuation of a compressed message",
    frames: () => [
      { opcode: 1, isFin: false, rsv: 4 },
      { opcode: 0, rsv: 4 },
    ],
  },
].map((frame) => ({ ...frame, closeCode: 1002, code: "ERR_SLUICE_RESERVED_BIT", options: { isCompressed: true } }));

const reservedOpcodes: IllegalFrame[] = [3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode) => ({
  name: `opcode ${opcode}`,
  frames: one({ opcode, payload: "x" }),
  closeCode: 1002,
  code: "ERR_SLUICE_RESERVED_OPCODE",
}));

const wrongMasks: IllegalFrame[] = [0, 1, 2, 8, 9, 10].map((opcode) => ({
  name: `opcode ${opcode} with the other role's masking`,
  frames: (role) => [
    ...(opcode === 0 ? [{ opcode: 2, isFin: false }] : []),
    { opcode, isMasked: wrongMask(role), payload: opcode === 8 ? Uint8Array.of(3, 232) : "x" },
  ],
  closeCode: 1002,
  code: "ERR_SLUICE_INVALID_MASK",
}));

const controls: IllegalFrame[] = [8, 9, 10].flatMap((opcode) =>
  [
    {
      name: `opcode ${opcode} of 126 bytes`,
      frames: one({ opcode, payload: new Uint8Array(126) }),
      code: "CONTROL_TOO_LONG",
    },
    {
      name: `opcode ${opcode} that announces 65,536 bytes`,
      frames: one({ opcode, announcedLength: 65_536 }),
      code: "CONTROL_TOO_LONG",
    },
    {
      name: `opcode ${opcode} that announces 2^63 bytes`,
      frames: one({ opcode, announcedLength: 2n ** 63n }),
      code: "CONTROL_TOO_LONG",
    },
    { name: `opcode ${opcode} in fragments`, frames: one({ opcode, isFin: false }), code: "FRAGMENTED_CONTROL" },
    {
      name: `opcode ${opcode} in fragments, inside a message`,
      frames: () => [
        { opcode: 1, isFin: false },
        { opcode, isFin: false },
      ],
      code: "FRAGMENTED_CONTROL",
    },
  ].map((frame) => ({ ...frame, closeCode: 1002, code: `ERR_SLUICE_${frame.code}` })),
);

const closes: IllegalFrame[] = [
  ...[0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535].map((code) => ({
    name: `Close with ${code}`,
    frames: one({ opcode: 8, payload: Uint8Array.of(code >> 8, code & 255) }),
    closeCode: 1002,
    code: "ERR_SLUICE_INVALID_CLOSE_CODE",
  })),
  {
    name: "Close with one byte",
    frames: one({ opcode: 8, payload: Uint8Array.of(3) }),
    closeCode: 1002,
    code: "ERR_SLUICE_INVALID_CLOSE_BODY",
  },
  ...[[0xff], [0xc3], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0x61, 0xe2, 0x82]].map((reason) => ({
    name: `Close with the reason ${reason.map((byte) => byte.toString(16)).join(" ")}`,
    frames: one({ opcode: 8, payload: Uint8Array.of(3, 232, ...reason) }),
    closeCode: 1007,
    code: "ERR_SLUICE_INVALID_UTF8",
  })),
];

const places: IllegalFrame[] = [
  { name: "a continuation of nothing", frames: one({ opcode: 0, payload: "x" }) },
  { name: "an empty continuation of nothing that goes on", frames: one({ opcode: 0, isFin: false }) },
  {
    name: "a continuation of a finished message",
    frames: () => [{ opcode: 1, isFin: false }, { opcode: 0 }, { opcode: 0 }],
    messages: ["in front", ""],
  },
  { name: "text inside text", frames: () => [{ opcode: 1, isFin: false }, { opcode: 1 }] },
  {
    name: "binary inside text",
    frames: () => [{ opcode: 1, isFin: false }, { opcode: 0, isFin: false }, { opcode: 2 }],
  },
  {
    name: "text inside binary, behind a Ping",
    frames: () => [{ opcode: 2, isFin: false }, { opcode: 9 }, { opcode: 1, isFin: false }],
  },
].map((frame) => ({ ...frame, closeCode: 1002, code: "ERR_SLUICE_UNEXPECTED_FRAME" }));

const lengths: IllegalFrame[] = [
  ...[
    { name: "0 in 16 bits", frames: header(0x82, 126, [0, 0]) },
    { name: "125 in 16 bits", frames: header(0x82, 126, [0, 125]) },
    { name: "0 in 64 bits", frames: header(0x81, 127, zeros(8)) },
    { name: "125 in 64 bits", frames: header(0x82, 127, [...zeros(7), 125]) },
    { name: "65,535 in 64 bits", frames: header(0x82, 127, [...zeros(6), 255, 255]) },
    { name: "2^63, the highest bit", frames: header(0x82, 127, [128, ...zeros(7)]) },
    { name: "2^64-1", frames: header(0x82, 127, new Array(8).fill(255)) },
  ].map((frame) => ({ ...frame, closeCode: 1002, code: "ERR_SLUICE_INVALID_LENGTH" })),
  ...[
    { name: "2^63-1", frames: header(0x82, 127, [127, ...new Array(7).fill(255)]) },
    { name: "2^53", frames: header(0x82, 127, [0, 32, ...zeros(6)]) },
    { name: "2^53-1", frames: header(0x82, 127, [0, 31, ...new Array(6).fill(255)]) },
    { name: "2^32", frames: header(0x82, 127, [0, 0, 0, 1, ...zeros(4)]) },
    { name: "one byte above 100 MiB", frames: header(0x81, 127, [...zeros(4), 6, 64, 0, 1]) },
  ].map((frame) => ({ ...frame, closeCode: 1009, code: "ERR_SLUICE_MESSAGE_TOO_BIG" })),
];

const all = [
  ...reservedBits,
  ...reservedBitsBesideDeflate,
  ...reservedOpcodes,
  ...wrongMasks,
  ...controls,
  ...closes,
  ...places,
  ...lengths.map((frame) => ({ ...frame, name: `a length of ${frame.name}` })),
];

describe.each(ROLES)("RFC 6455 §5, §7.4: an illegal frame fails our %s, and nothing behind it is processed", (role) => {
  it.each(all)("$name: $closeCode, $code", async ({ frames, closeCode, code, options, messages = ["in front"] }) => {
    const meeting = await stage.meet(role, options);
    const { peer, readable } = meeting;
    const reading = readAll(readable);
    peer.sendText("in front");
    for (const frame of frames(role)) {
      if (Array.isArray(frame)) peer.send(frame);
      else peer.sendFrame(frame as WireFrameInit);
    }
    peer.sendFrame({ opcode: 9, payload: "behind" });
    peer.sendText("behind");
    peer.sendClose(1000);
    await expectFailure(meeting, code);
    await expectClose(meeting, closeCode);
    expect((await reading).messages).toEqual(messages);
    expect(peer.framesOf(10).map(({ payload }) => Buffer.from(payload).toString())).not.toContain("behind");
    expect(meeting.heldBytes.in).toBeLessThanOrEqual(131_072);
  });
});

describe.each(ROLES)(
  "RFC 6455 §5: an illegal frame that comes in one packet with the handshake fails our %s",
  (role) => {
    it.each([
      {
        name: "an opcode",
        bytes: [0x83, maskBit(role), ...zeros(maskBit(role) ? 4 : 0)],
        closeCode: 1002,
        code: "ERR_SLUICE_RESERVED_OPCODE",
      },
      {
        name: "a mask",
        bytes: [0x81, maskBit(role) ^ 0x80, ...zeros(4)],
        closeCode: 1002,
        code: "ERR_SLUICE_INVALID_MASK",
      },
      {
        name: "HTTP",
        bytes: [...Buffer.from("GET / HTTP/1.1\r\nHost: x\r\n\r\n")],
        closeCode: 1002,
        code: "ERR_SLUICE_RESERVED_BIT",
      },
    ])("$name: $closeCode, $code", async ({ bytes, closeCode, code }) => {
      const meeting = await stage.meet(role, { behindHead: Uint8Array.from(bytes) });
      await expectFailure(meeting, code);
      await expectClose(meeting, closeCode);
    });
  },
);
