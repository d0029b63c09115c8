import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bundlePage } from "./bundle-page.ts";
import { type Engine, type EngineName, engines, launch } from "./engines.ts";
import { creditTests, limitTests, nativeTests, pressureTests, type Tier, tests } from "./page-tests.ts";
import { startServer, type TestServer } from "./server.ts";

/** All three, or those named in the environment: `BROWSERS=firefox,webkit`. */
const selected = (process.env.BROWSERS?.split(",") ?? Object.keys(engines)) as EngineName[];

const tiersOf: Record<EngineName, readonly Tier[]> = {
  chromium: ["native", "credit", "none"],
  firefox: ["credit", "none"],
  webkit: ["credit", "none"],
};

/** Those that take their time; and failed connections, of which Firefox makes more and more of a pause before the next. */
const LONG = /slowly|stops|fail|connecting|signal|WebSocketError|does without|drops/;

function namesOf(tier: Tier, isShort: boolean): string[] {
  const names = Object.keys({
    ...tests,
    ...(tier === "none" ? limitTests : pressureTests),
    ...(tier === "credit" ? creditTests : {}),
    ...(tier === "native" ? nativeTests : {}),
  });
  return isShort ? names.filter((name) => !LONG.test(name)) : names;
}

let server: TestServer;

beforeAll(async () => {
  const page = await bundlePage(new URL("page.ts", import.meta.url));
  server = await startServer(
    new Map([
      ["/", { type: "text/html", content: '<!doctype html><meta charset="utf-8"><script src="page.js"></script>' }],
      ["/page.js", { type: "text/javascript", content: page }],
    ]),
  );
});

afterAll(() => server.close());

describe.each(selected)("%s", (name) => {
  let engine: Engine;

  beforeAll(async () => {
    engine = await launch(name);
  }, 60_000);
  afterAll(() => engine?.close());

  // Each tier runs in a window and in a worker, with and without TLS: all of its tests in two of the four.
  describe.each([
    ["window", "ws:", "runHere", false],
    ["window", "wss:", "runHere", true],
    ["worker", "ws:", "runInWorker", true],
    ["worker", "wss:", "runInWorker", false],
  ] as const)("%s, %s", (_place, scheme, run, isShort) => {
    const serverUrl = (): string => (scheme === "ws:" ? server.httpUrl : server.httpsUrl);

    beforeAll(() => engine.open(serverUrl()), 60_000);

    describe.each(tiersOf[name])("flowControl %s", (tier) => {
      it.each(namesOf(tier, isShort))(
        "%s",
        async (test) => {
          const context = { serverUrl: serverUrl(), tier };
          const failure = await engine.evaluate(`return ${run}(${JSON.stringify(test)}, ${JSON.stringify(context)})`);
          expect(failure).toBeNull();
        },
        60_000,
      );
    });
  });
});
