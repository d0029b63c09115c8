import { describe, expect, it } from "vitest";
import { WebSocketStream } from "../../packages/sluice/src/streams/websocket-stream.ts";
import { HostileServer } from "../../packages/sluice/src/testing/hostile-server.ts";
import { encodeFrame } from "../../packages/sluice/src/testing/wire-frame.ts";
import { createScope } from "../support/scope.ts";
import { expectBytes, expectClose, expectFailure, readAll } from "./outcome.ts";
import { createStage, ROLES } from "./stage.ts";

const stage = createStage();
const use = createScope();

describe.each(ROLES)("RFC 6455 §6.2: our %s takes frames that come a byte at a time", (role) => {
  const isMasked = role === "server";

  it("delivers every message, answers the Ping between fragments, and closes", async () => {
    const { stream, readable, peer, heldBytes } = await stage.meet(role);
    const binary = Uint8Array.from({ length: 300 }, (_, index) => index);
    const frames = [
      encodeFrame({ opcode: 1, payload: "a\u00e9\u20ac\u{1f600}" }, isMasked),
      encodeFrame({ opcode: 1, payload: "" }, isMasked),
      encodeFrame({ opcode: 2, isFin: false, payload: binary.subarray(0, 200) }, isMasked),
      encodeFrame({ opcode: 9, payload: "still there?" }, isMasked),
      encodeFrame({ opcode: 0, payload: binary.subarray(200) }, isMasked),
      encodeFrame({ opcode: 8, payload: Uint8Array.of(0x0f, 0xa0, 0x6f, 0x6b) }, isMasked),
    ];
    const reading = readAll(readable);
    await peer.dribble(Buffer.concat(frames));
    await peer.until(() => peer.closes.length > 0);
    peer.end();
    expect(await reading).toEqual({ messages: ["a\u00e9\u20ac\u{1f600}", "", binary], error: null });
    expect(await stream.closed).toEqual({ closeCode: 4000, reason: "ok" });
    expect(peer.framesOf(10).map(({ payload }) => Buffer.from(payload).toString())).toEqual(["still there?"]);
    expect(heldBytes.in).toBeLessThanOrEqual(131_072);
  });

  it("fails at the second byte of a header, or the byte of a payload, that is wrong, and does not wait for more", async () => {
    const illegal: [readonly number[], number, string][] = [
      [[0x83, isMasked ? 0x80 : 0x00], 1002, "ERR_SLUICE_RESERVED_OPCODE"],
      [[0x81, isMasked ? 0x01 : 0x81], 1002, "ERR_SLUICE_INVALID_MASK"],
      [[0x89, isMasked ? 0xfe : 0x7e], 1002, "ERR_SLUICE_CONTROL_TOO_LONG"],
      [[0x81, isMasked ? 0x82 : 0x02, ...(isMasked ? [0, 0, 0, 0] : []), 0xff], 1007, "ERR_SLUICE_INVALID_UTF8"],
    ];
    for (const [bytes, closeCode, code] of illegal) {
      const meeting = await stage.meet(role);
      const settled = expectFailure(meeting, code);
      await meeting.peer.dribble(Uint8Array.from(bytes));
      await settled;
      await expectClose(meeting, closeCode);
    }
  });

  it("costs no more memory than the bytes, however long the message", async () => {
    const { readable, peer, heldBytes } = await stage.meet(role);
    const payload = new Uint8Array(20_000).fill(7);
    const reading = readable.getReader().read();
    await peer.dribble(encodeFrame({ opcode: 2, payload }, isMasked), 3);
    expectBytes((await reading).value, payload);
    expect(heldBytes.in).toBeLessThanOrEqual(3 * payload.byteLength + 131_072);
  });
});

describe("RFC 6455 §4: an opening handshake that comes a byte at a time", () => {
  it("is accepted by our server, with the frames behind it", async () => {
    const peer = await stage.connect({ request: () => null });
    const path = new URL(stage.url);
    const request = [
      "GET /echo HTTP/1.1",
      `Host: ${path.host}`,
      "Upgrade: websocket",
      "Connection: Upgrade",
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
      "Sec-WebSocket-Version: 13",
      "\r\n",
    ].join("\r\n");
    await peer.dribble(request);
    await peer.until(() => peer.head !== "");
    expect(peer.statusCode).toBe(101);
    await peer.dribble(encodeFrame({ opcode: 1, payload: "echo" }, true));
    await peer.until(() => peer.framesOf(1).length === 1);
    peer.sendClose(1000);
    await peer.until(() => peer.hasEnded);
    expect(peer.closes).toEqual([[1000, ""]]);
  });

  it("is accepted by our client, with the frames behind it", async () => {
    let legal = "";
    const hostile = use(
      await HostileServer.listen({
        respond: (response) => {
          legal = response;
          return null;
        },
      }),
    );
    const stream = new WebSocketStream(hostile.url);
    const peer = await hostile.accept();
    await peer.dribble(legal);
    const { readable } = await stream.opened;
    const reading = readAll(readable);
    await peer.dribble(encodeFrame({ opcode: 1, payload: "slow" }, false));
    peer.sendClose(1000);
    peer.end();
    expect(await reading).toEqual({ messages: ["slow"], error: null });
    expect(await stream.closed).toEqual({ closeCode: 1000, reason: "" });
  });
});
