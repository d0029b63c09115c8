import { createInterface } from "node:readline";
import { connectHostile } from "../../packages/sluice/src/testing/hostile-client.ts";
import type { HostilePeer } from "../../packages/sluice/src/testing/hostile-peer.ts";
import { HostileServer } from "../../packages/sluice/src/testing/hostile-server.ts";
import { encodeFrame } from "../../packages/sluice/src/testing/wire-frame.ts";
import { isHandshake, pathOf, VICTIM_POINTS, type VictimPoint } from "./victim-point.ts";

/*
 * A process that brings connections to a certain point and leaves them there, so that it can be killed. Like
 * `end-program.ts` it listens, is told by its standard input what to connect to, and says in its standard output how far it
 * is. Where it accepts, the path says what to do.
 */

/** What its argument is, as JSON; with a certificate it speaks TLS. */
export interface VictimSettings {
  readonly certificate: { readonly key: string; readonly cert: string } | null;
}

export interface VictimOrder {
  readonly url: string;
  readonly point: VictimPoint;
}

export type VictimReport =
  | { readonly event: "listening"; readonly url: string }
  /** Of a connection that this process made, or accepted. */
  | { readonly event: "reached"; readonly role: "client" | "server"; readonly point: VictimPoint };

const { certificate } = JSON.parse(process.argv[2] ?? "{}") as VictimSettings;
const report = (line: VictimReport): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

/** Goes to this point of a connection that is open. */
async function reach(peer: HostilePeer, role: "client" | "server", point: VictimPoint): Promise<void> {
  const isMasked = role === "client";
  switch (point) {
    case "in a header":
      peer.send([0x82, isMasked ? 0xff : 0x7f, 0, 0, 0]);
      break;
    case "in a frame":
      peer.send(encodeFrame({ opcode: 2, payload: new Uint8Array(30_000), announcedLength: 60_000 }, isMasked));
      break;
    case "in a message":
      peer.sendFrame({ opcode: 1, isFin: false, payload: "a part" });
      break;
    case "in a Close frame":
      peer.send(encodeFrame({ opcode: 8, payload: Uint8Array.of(3), announcedLength: 2 }, isMasked));
      break;
    case "behind messages that nobody read":
      for (let count = 0; count < 50; count++) peer.sendBinary(new Uint8Array(50_000).fill(count));
      break;
    case "while it reads nothing":
      peer.pause();
      break;
    case "behind our Close":
      await peer.until(() => peer.closes.length > 0);
      break;
    case "behind both Close frames":
      peer.sendClose(4001, "bye");
      await peer.until(() => peer.closes.length > 0);
  }
  report({ event: "reached", role, point });
}

const server: HostileServer = await HostileServer.listen({
  tls: certificate ?? undefined,
  respond(legal, request) {
    const point = VICTIM_POINTS.find((each) => request.startsWith(`GET ${pathOf(each)} `)) as VictimPoint;
    // It is handed out behind the response.
    const accepted = server.accept();
    if (isHandshake(point)) report({ event: "reached", role: "server", point });
    else void accepted.then((peer) => reach(peer, "server", point));
    return legal.slice(0, point === "before a byte" ? 0 : point === "in the handshake" ? 60 : undefined);
  },
});
report({ event: "listening", url: server.url });

createInterface({ input: process.stdin }).on("line", async (line) => {
  const { url, point } = JSON.parse(line) as VictimOrder;
  const tls = { ca: certificate?.cert };
  const peer = await connectHostile(url, { tls, ...(isHandshake(point) && { request: () => null }) });
  if (point === "in the handshake") peer.send(`GET ${new URL(url).pathname} HTTP/1.1\r\nHost: x\r\nUpgr`);
  await reach(peer, "client", point);
});
