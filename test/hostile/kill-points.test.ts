import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocketStream } from "../../packages/sluice/src/streams/websocket-stream.ts";
import { createCertificate } from "../support/certificate.ts";
import { bundleProgram, ToldProcess } from "./end-process.ts";
import { codeOf, readAll, reasonOf } from "./outcome.ts";
import { createStage, ROLES, type Role, type Stage, turn } from "./stage.ts";
import { isHandshake, pathOf, VICTIM_POINTS, type VictimPoint } from "./victim-point.ts";
import type { VictimOrder, VictimReport, VictimSettings } from "./victim-program.ts";

/*
 * One process has a connection at each point, and is killed once. No heartbeat and no time limit of ours helps: what the
 * system of the dead process sends must be enough.
 */
const SETTINGS = { keepAlive: false, perMessageDeflate: false } as const;

let program: Awaited<ReturnType<typeof bundleProgram>>;
beforeAll(async () => {
  program = await bundleProgram("victim-program");
});
afterAll(() => program.remove());

/** What our side says in the end, and whether everybody who waited for something was told the same. */
interface Outcome {
  readonly closed: string;
  readonly messages: number;
  readonly isSameError: boolean;
}

/** Waits at this point for the end. @returns when our side has noticed that it is there */
async function wait(
  stream: WebSocketStream,
  point: VictimPoint,
): Promise<{ readonly outcome: () => Promise<Outcome> }> {
  const { readable, writable } = await stream.opened;
  const metrics = () => stream.metrics();
  const isUnread = point === "behind messages that nobody read";
  const reading = isUnread ? null : readAll(readable);
  let writing: Promise<unknown> = Promise.resolve(null);
  if (point === "while it reads nothing") {
    writing = reasonOf(writable.getWriter().write(new Uint8Array(16_777_216)));
    while (metrics().bytesSent === 0) await turn();
  }
  if (point === "behind our Close") stream.close({ closeCode: 4000 });
  if (point.startsWith("in a")) while (metrics().bytesReceived === 0) await turn();
  while (isUnread && !metrics().isInputPaused) await turn();
  return {
    outcome: async () => {
      const { messages, error } = await (reading ?? readAll(readable));
      const written = await writing;
      const closed = await stream.closed.catch((reason: unknown) => reason);
      const isSameError =
        (closed instanceof Error ? error === closed : error === null) && (written === null || written === closed);
      return { closed: describeEnd(closed), messages: messages.length, isSameError };
    },
  };
}

function describeEnd(end: unknown): string {
  const { closeCode } = end as { closeCode: number };
  if (!(end instanceof Error)) return `${closeCode}`;
  // A reset can show first in a write.
  return `${closeCode} ${String(codeOf(end)).replace(/^(ECONNRESET|EPIPE|ERR_SLUICE_NO_CLOSE_FRAME)$/, "lost")}`;
}

const LOST: Outcome = { closed: "1006 lost", messages: 0, isSameError: true };
const EXPECTED: Partial<Record<VictimPoint, Outcome>> = {
  // Both were exchanged (D-21): who ends TCP, and how, does not matter any more.
  "behind both Close frames": { closed: "4001", messages: 0, isSameError: true },
};

/** Brings a connection to each point, between the victim and our side in this role. */
async function waitAtAll(stage: Stage, role: Role, victim: ToldProcess<VictimOrder, VictimReport>, url: string) {
  const isReached =
    (point: VictimPoint) =>
    (report: VictimReport): report is VictimReport =>
      report.event === "reached" && report.role !== role && report.point === point;
  return Promise.all(
    VICTIM_POINTS.map(async (point): Promise<{ point: VictimPoint; outcome: () => Promise<unknown> }> => {
      const reached = victim.report(isReached(point));
      if (role === "server") {
        const client = stage.expectClient(SETTINGS);
        victim.send({ url: client.url, point });
        if (isHandshake(point)) return reached.then(() => ({ point, outcome: async () => "never came" }));
        const [{ outcome }] = await Promise.all([client.stream.then((stream) => wait(stream, point)), reached]);
        return { point, outcome };
      }
      const stream = new WebSocketStream(new URL(pathOf(point), url), { ...SETTINGS, tls: stage.tls });
      if (!isHandshake(point)) {
        const [{ outcome }] = await Promise.all([wait(stream, point), reached]);
        return { point, outcome };
      }
      await reached;
      const failing = reasonOf(stream.opened);
      return { point, outcome: async () => `${codeOf(await failing)}, ${describeEnd(await reasonOf(stream.closed))}` };
    }),
  );
}

describe.each(["ws", "wss"])("kill -9 of the process at the other end, over %s", async (scheme) => {
  const certificate = scheme === "wss" ? await createCertificate() : null;
  const stage = createStage(certificate === null ? {} : { tls: certificate });

  it.each(ROLES)("our %s settles everything, at whatever point it was", async (role) => {
    const settings: VictimSettings = { certificate };
    const victim = new ToldProcess<VictimOrder, VictimReport>(program.path, settings);
    const { url } = await victim.report((report) => report.event === "listening");
    const waiting = await waitAtAll(stage, role, victim, url);
    await victim.kill();
    const inHandshake = role === "server" ? "never came" : "ERR_SLUICE_HANDSHAKE_CUT, 1006 ERR_SLUICE_HANDSHAKE_CUT";
    for (const { point, outcome } of waiting) {
      const expected = isHandshake(point) ? inHandshake : (EXPECTED[point] ?? LOST);
      const found = await outcome();
      // What stood unread in the system may be lost with a reset; it is never damaged.
      const isUnread = point === "behind messages that nobody read";
      expect({ point, found: isUnread ? { ...(found as Outcome), messages: 0 } : found }).toEqual({
        point,
        found: expected,
      });
    }
    expect(victim.errors).toBe("");
  });
});
