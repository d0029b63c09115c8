import { describe, expect, it } from "vitest";
import { WebSocketError } from "../../packages/sluice/src/streams/websocket-error.ts";
import { WebSocketStream } from "../../packages/sluice/src/streams/websocket-stream.ts";
import { HostileServer } from "../../packages/sluice/src/testing/hostile-server.ts";
import { encodeFrame } from "../../packages/sluice/src/testing/wire-frame.ts";
import { createScope } from "../support/scope.ts";
import { codeOf, expectFailure, readAll, reasonOf } from "./outcome.ts";
import { createStage, type Meeting, type MeetOptions, ROLES, turn } from "./stage.ts";

/** Those who wait for the hook. */
let asked = 0;
const stage = createStage({}, (request, { signal }) =>
  request.url === "/wait"
    ? new Promise((resolve) => {
        asked++;
        signal.addEventListener("abort", () => resolve(undefined));
      })
    : undefined,
);
const use = createScope();

type Ending = "RST" | "FIN";
const ENDINGS: readonly Ending[] = ["RST", "FIN"];

function end({ peer }: Pick<Meeting, "peer">, ending: Ending): void {
  if (ending === "RST") peer.reset();
  else peer.end();
}

/** What our side says: the system's error, or that there was no Close. A reset can show first in a write. */
const codeAfter = (ending: Ending): RegExp =>
  ending === "FIN" ? /^ERR_SLUICE_NO_CLOSE_FRAME$/ : /^(ECONNRESET|EPIPE|ERR_SLUICE_NO_CLOSE_FRAME)$/;

interface State {
  readonly name: string;
  /** Brings the connection there. */
  readonly reach: (meeting: Meeting, isMasked: boolean) => Promise<unknown> | unknown;
  readonly options?: MeetOptions;
  /** What our reader got in the end. */
  readonly messages?: readonly string[];
}

const delivered = async ({ stream, peer }: Meeting): Promise<void> => {
  peer.sendText("in front");
  while (stream.metrics().messagesReceived === 0) await turn();
};

const STATES: readonly State[] = [
  { name: "at rest", reach: () => {} },
  { name: "behind a message", reach: delivered, messages: ["in front"] },
  { name: "in a header", reach: ({ peer }) => peer.send([0x82]) },
  {
    name: "in a masking key or a long length",
    reach: ({ peer }, isMasked) => peer.send([0x82, isMasked ? 0xfe : 0x7e, 1]),
  },
  {
    name: "in a payload",
    reach: ({ peer }, isMasked) => peer.send(encodeFrame({ opcode: 1, payload: "half", announcedLength: 9 }, isMasked)),
  },
  { name: "between fragments", reach: ({ peer }) => peer.sendFrame({ opcode: 1, isFin: false, payload: "a part" }) },
  {
    name: "in a compressed message",
    reach: ({ peer }) => peer.sendFrame({ opcode: 1, rsv: 4, isFin: false, payload: Uint8Array.of(0xf2) }),
    options: { isCompressed: true },
  },
  {
    name: "in a Close frame",
    reach: ({ peer }, isMasked) =>
      peer.send(encodeFrame({ opcode: 8, payload: Uint8Array.of(3), announcedLength: 2 }, isMasked)),
  },
  { name: "behind a Ping", reach: ({ peer }) => peer.sendFrame({ opcode: 9 }) },
  {
    name: "behind our Close",
    reach: ({ stream, peer }) => {
      stream.close({ closeCode: 4000 });
      return peer.until(() => peer.closes.length > 0);
    },
  },
];

describe.each(ROLES)("a peer of our %s ends TCP without a Close frame", (role) => {
  describe.each(ENDINGS)("by %s", (ending) => {
    it.each(STATES)("$name: 1006, for the reader and for all", async ({ reach, options, messages = [] }) => {
      const meeting = await stage.meet(role, options);
      const reading = readAll(meeting.readable);
      await reach(meeting, role === "server");
      end(meeting, ending);
      await expectFailure(meeting, codeAfter(ending));
      const { messages: got, error } = await reading;
      expect(got).toEqual(messages);
      expect(error).toBe(await reasonOf(meeting.stream.closed));
      await meeting.peer.until(() => meeting.peer.hasEnded || meeting.peer.isClosed);
    });

    it("while a write of ours waits: it rejects with the same error", async () => {
      const meeting = await stage.meet(role);
      meeting.peer.pause();
      const writer = meeting.writable.getWriter();
      const writing = reasonOf(writer.write(new Uint8Array(16_777_216)));
      while (meeting.stream.metrics().bytesSent === 0) await turn();
      end(meeting, ending);
      await expectFailure(meeting, codeAfter(ending));
      expect(await writing).toBe(await reasonOf(meeting.stream.closed));
      expect(await reasonOf(writer.closed)).toBe(await reasonOf(meeting.stream.closed));
    });

    it("while nobody reads: what was delivered comes first, then the error", async () => {
      const meeting = await stage.meet(role);
      for (const text of ["1", "2", "3", "4", "5"]) meeting.peer.sendText(text);
      while (!meeting.stream.metrics().isInputPaused) await turn();
      end(meeting, ending);
      const { messages, error } = await readAll(meeting.readable);
      // RST drops what was not read from the system; FIN stands behind all of it (R9), but for the chunk that an error discards.
      if (ending === "FIN") expect(messages.slice(0, 4)).toEqual(["1", "2", "3", "4"]);
      expect(["1", "2", "3", "4", "5"].slice(0, messages.length)).toEqual(messages);
      expect(error).toBeInstanceOf(WebSocketError);
      await expectFailure(meeting, codeAfter(ending));
    });
  });

  it("behind its Close and our answer, by RST: clean, as both were exchanged (D-21)", async () => {
    const { stream, peer } = await stage.meet(role);
    peer.sendClose(4001, "bye");
    await peer.until(() => peer.closes.length > 0);
    peer.reset();
    expect(await stream.closed).toEqual({ closeCode: 4001, reason: "bye" });
  });

  it("sends more behind its Close: nothing of it is delivered or answered", async () => {
    const { stream, readable, peer } = await stage.meet(role);
    const reading = readAll(readable);
    peer.sendText("in front");
    peer.sendClose(4001);
    peer.sendText("behind");
    peer.sendFrame({ opcode: 9, payload: "behind" });
    peer.sendFrame({ opcode: 3 });
    peer.sendClose(1000);
    await peer.until(() => peer.closes.length > 0);
    peer.sendText("much later");
    peer.end();
    expect(await stream.closed).toEqual({ closeCode: 4001, reason: "" });
    expect(await reading).toEqual({ messages: ["in front"], error: null });
    expect(peer.frames.map(({ opcode }) => opcode)).toEqual([8]);
  });

  it("breaks a rule behind our Close: it gets no second one, and the connection fails", async () => {
    const { stream, peer } = await stage.meet(role);
    stream.close({ closeCode: 4000 });
    await peer.until(() => peer.closes.length > 0);
    peer.sendFrame({ opcode: 3 });
    await expectFailure({ stream }, "ERR_SLUICE_RESERVED_OPCODE");
    await peer.until(() => peer.hasEnded);
    expect(peer.frames.map(({ opcode }) => opcode)).toEqual([8]);
  });

  it("sends a Close in the middle of a message: that is clean, and the part is dropped", async () => {
    const { stream, readable, peer } = await stage.meet(role);
    const reading = readAll(readable);
    peer.sendFrame({ opcode: 1, isFin: false, payload: "a part" });
    peer.sendClose(4001);
    await peer.until(() => peer.closes.length > 0);
    peer.end();
    expect(await stream.closed).toEqual({ closeCode: 4001, reason: "" });
    expect((await reading).messages).toEqual([]);
  });
});

describe.each(ENDINGS)("a handshake that ends by %s", (ending) => {
  const legal = (path: string): string =>
    [
      `GET ${path} HTTP/1.1`,
      "Host: localhost",
      "Upgrade: websocket",
      "Connection: Upgrade",
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
      "Sec-WebSocket-Version: 13",
      "\r\n",
    ].join("\r\n");

  it.each([
    ["at once", ""],
    ["in the request line", "GET / HT"],
    ["in a field", legal("/").slice(0, -10)],
    ["in front of the empty line", legal("/").slice(0, -2)],
    ["right behind the request", legal("/")],
    ["in a frame behind the request", `${legal("/")}\x82`],
  ])("%s: our server forgets it", async (_, bytes) => {
    const peer = await stage.connect({ request: () => null });
    peer.send(bytes);
    if (ending === "FIN") {
      peer.end();
      await peer.until(() => peer.hasEnded || peer.isClosed);
    } else {
      await turn();
      peer.reset();
    }
  });

  it("while the hook thinks: its signal is aborted", async () => {
    const peer = await stage.connect({ request: () => null });
    const before = asked;
    peer.send(legal("/wait"));
    while (asked === before) await turn();
    end({ peer }, ending);
    await peer.until(() => peer.isClosed || peer.hasEnded);
    expect(peer.head).toBe("");
  });

  it.each([
    ["at once", 0],
    ["in the status line", 12],
    ["in a field", 60],
    ["in front of the empty line", -2],
  ])("%s: our client's opened rejects", async (_, length) => {
    const hostile = use(await HostileServer.listen({ respond: (response) => response.slice(0, length) }));
    const stream = new WebSocketStream(hostile.url);
    const peer = await hostile.accept();
    await turn();
    end({ peer }, ending);
    expect(codeOf(await reasonOf(stream.opened))).toBe("ERR_SLUICE_HANDSHAKE_CUT");
  });

  it("in the packet of the response: our client opens, and closes with 1006", async () => {
    const hostile = use(await HostileServer.listen());
    const stream = new WebSocketStream(hostile.url);
    const peer = await hostile.accept();
    end({ peer }, ending);
    // RST overtakes the response, or does not.
    const error = await reasonOf(stream.closed);
    expect(error).toBeInstanceOf(WebSocketError);
    expect((error as WebSocketError).closeCode).toBe(1006);
  });
});
