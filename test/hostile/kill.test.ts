import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocketStream } from "../../packages/sluice/src/streams/websocket-stream.ts";
import { withResolvers } from "../support/with-resolvers.ts";
import { bundleProgram, EndProcess } from "./end-process.ts";
import { randomOf } from "./random.ts";
import { createStage, ROLES } from "./stage.ts";
import { type Activity, COUNTERPART, transfer } from "./transfer.ts";

const stage = createStage();

let program: Awaited<ReturnType<typeof bundleProgram>>;
beforeAll(async () => {
  program = await bundleProgram("end-program");
});
afterAll(() => program.remove());

const ACTIVITIES: readonly Activity[] = ["reads", "writes", "both"];
const SEEDS = [1, 2];

describe.each(ROLES)("kill -9 of the process at the other end of our %s", (role) => {
  describe.each(ACTIVITIES)("that %s", (activity) => {
    it.each(SEEDS)("at a moment of seed %i: nothing is damaged, everything settles", async (seed) => {
      const killAt = 1 + Math.floor(300 * randomOf(seed * 10 + ACTIVITIES.indexOf(activity))());
      const victim = new EndProcess(program.path, { host: "127.0.0.1", keepAlive: false });
      const port = await victim.port();
      let stream: WebSocketStream;
      if (role === "client") {
        stream = new WebSocketStream(`ws://127.0.0.1:${port}/${COUNTERPART[activity]}`);
      } else {
        const client = stage.expectClient();
        victim.send({ url: client.url, activity: COUNTERPART[activity] });
        stream = await client.stream;
      }
      const reached = withResolvers<void>();
      const { ended } = transfer(stream, activity, (count) => {
        if (count >= killAt) reached.resolve();
      });
      await reached.promise;
      await victim.kill();
      const { damaged, received, closeCode, code, isSameError } = await ended;
      expect({ damaged, closeCode, isSameError }).toEqual({ damaged: null, closeCode: 1006, isSameError: true });
      expect(code).toMatch(/^(ECONNRESET|EPIPE|ERR_SLUICE_NO_CLOSE_FRAME)$/);
      if (activity === "reads") expect(received).toBeGreaterThanOrEqual(killAt);
      expect(victim.errors).toBe("");
    });
  });
});
