import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bundlePage } from "./bundle-page.ts";
import { type Engine, type EngineName, engines, launch } from "./engines.ts";
import { creditTests, limitTests, pressureTests, type Tier, tests } from "./page-tests.ts";
import { startServer, type TestServer } from "./server.ts";

/** All three, or those named in the environment: `BROWSERS=firefox,webkit`. */
const selected = (process.env.BROWSERS?.split(",") ?? Object.keys(engines)) as EngineName[];

const tiersOf: Record<EngineName, readonly Tier[]> = {
  chromium: ["native", "credit", "none"],
  firefox: ["credit", "none"],
  webkit: ["credit", "none"],
};

function namesOf(tier: Tier): string[] {
  return Object.keys({
    ...tests,
    ...(tier === "none" ? limitTests : pressureTests),
    ...(tier === "credit" ? creditTests : {}),
  });
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

  // Window and worker, with and without TLS: each of the two at least once for each tier, all four would say no more.
  describe.each([
    ["window", "ws:", "runHere"],
    ["worker", "wss:", "runInWorker"],
  ] as const)("%s, %s", (_place, scheme, run) => {
    const serverUrl = (): string => (scheme === "ws:" ? server.httpUrl : server.httpsUrl);

    beforeAll(() => engine.open(serverUrl()), 60_000);

    describe.each(tiersOf[name])("flowControl %s", (tier) => {
      it.each(namesOf(tier))(
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
