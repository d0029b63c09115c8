import { afterAll, describe, expect, it } from "vitest";
import { type CaseResult, type ClientPeer, clientPeers } from "./client-peers.ts";
import { type EchoServer, startEchoServer } from "./echo-server.ts";
import { startBeforeAll } from "./start-before-all.ts";
import type { TappedConnection } from "./wire-tap.ts";

describe("Peers as client", () => {
  for (const peer of clientPeers) describe(`${peer.name} ${peer.version}`, () => defineCases(peer));
});

function defineCases(peer: ClientPeer): void {
  let server: EchoServer;
  let results: CaseResult[] = [];
  let output = "";

  // The peer runs all of its cases in one process; then each is judged, by its own word, our server's and the wire.
  startBeforeAll(async () => {
    server = await startEchoServer();
    ({ results, output } = await peer.run(`ws://127.0.0.1:${server.tap.port}`, peer.cases));
  });
  afterAll(() => server?.close());

  for (const group of new Set(peer.cases.map((name) => name.split(": ")[0]))) {
    describe(group, () => {
      for (const name of peer.cases.filter((candidate) => candidate.startsWith(`${group}: `))) {
        it(name.slice(group.length + 2), async () => {
          const result = results.find((candidate) => candidate.case === name);
          expect(result, `The peer did not report this case. ${output}`).toBeDefined();
          expect(result?.ok, result?.detail).toBe(true);
          const wire = server.find(name);
          if (wire === undefined) throw new Error("No connection was seen for this case");
          await judge(peer, server, name, wire);
        });
      }
    });
  }
}

async function judge(peer: ClientPeer, server: EchoServer, name: string, wire: TappedConnection): Promise<void> {
  const [group] = name.split(": ");
  const isAbrupt = name.includes("abrupt");
  const ending = await server.endingOf(name);
  if (isAbrupt) {
    expect(ending).toEqual({ isClean: false, closeCode: 1006 });
    expect(wire.closeOf("server")).toBe(null);
  } else {
    // What the client's Close frame said is what `closed` tells (RFC 6455 §7.1.5, §7.1.6).
    expect(ending).toEqual({ isClean: true, ...wire.closeOf("client") });
  }
  if (name === "close: theirs with code and reason")
    expect(ending).toMatchObject({ closeCode: 4002, reason: "theirs ✓" });
  if (name === "close: theirs without code") expect(ending).toMatchObject({ closeCode: peer.bareCloseCode ?? 1005 });
  if (name === "close: ours with code and reason") {
    expect(wire.closeOf("server")).toEqual({ closeCode: 4001, reason: "ours ✓" });
  }
  if (name === "close: ours without code") expect(wire.closeOf("server")).toEqual({ closeCode: 1005, reason: "" });
  if (group === "fragments") {
    const frames = wire.dataOf(name === "fragments: ours to them" ? "server" : "client");
    expect(frames.length).toBeGreaterThan(1);
    expect(frames.map(({ isFin }) => isFin).indexOf(true)).toBe(frames.length - 1);
  }
  if (group === "deflate") judgeDeflate(peer, name, wire);
}

function judgeDeflate(peer: ClientPeer, name: string, wire: TappedConnection): void {
  const isOn = name.endsWith("context takeover");
  expect(/^sec-websocket-extensions: permessage-deflate/im.test(wire.responseHead)).toBe(isOn);
  if (name.includes("without context")) {
    expect(wire.responseHead).toContain("server_no_context_takeover");
    expect(wire.responseHead).toContain("client_no_context_takeover");
  }
  for (const from of ["client", "server"] as const) {
    const compressed = wire.dataOf(from).filter(({ isCompressed }) => isCompressed);
    if (isOn && !(from === "client" && peer.inflatesOnly)) {
      expect(compressed.length, `compressed frames from the ${from}`).toBeGreaterThan(0);
    } else expect(compressed).toEqual([]);
  }
}
