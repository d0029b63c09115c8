import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bundle, bundleOptions, bundles } from "../../packages/polyfill/bundle.mjs";
import { type Engine, type EngineName, engines, launch } from "./engines.ts";
import { startServer, type TestServer } from "./server.ts";

const selected = (process.env.BROWSERS?.split(",") ?? Object.keys(engines)) as EngineName[];

let server: TestServer;

beforeAll(async () => {
  const files = new Map<string, { type: string; content: string | Uint8Array }>();
  for (const name of Object.keys(bundles) as (keyof typeof bundles)[]) {
    const { code } = await bundle({ ...bundleOptions(name), sourcemap: false });
    files.set(`/${name}`, { type: "text/javascript", content: code });
  }
  const page = (script: string): { type: string; content: string } => ({
    type: "text/html",
    content: `<!doctype html><meta charset="utf-8"><script>window.before = window.WebSocketStream</script>${script}`,
  });
  files.set("/empty", page(""));
  files.set("/classic", page('<script src="polyfill.js"></script>'));
  files.set("/classic-streams", page('<script src="polyfill.with-streams.js"></script>'));
  server = await startServer(files);
});

afterAll(() => server.close());

describe.each(selected)("%s", (name) => {
  let engine: Engine;

  beforeAll(async () => {
    engine = await launch(name);
  }, 60_000);
  afterAll(() => engine?.close());

  const echo = `
    const url = new URL("sluice/echo", location.href);
    const stream = new Class(url, { credit: "require" });
    const { readable, writable } = await stream.opened;
    const writer = writable.getWriter();
    void writer.write("hello");
    const { value } = await readable.getReader().read();
    await writer.close();
    return [value, stream.flowControl, (await stream.closed).closeCode];
  `;

  it.each(["classic", "classic-streams"])("the %s script puts on the global object what is missing", async (page) => {
    await engine.open(`${server.httpUrl}${page}`);
    const installed = await engine.evaluate(`
      const descriptor = Object.getOwnPropertyDescriptor(globalThis, "WebSocketStream");
      return [WebSocketStream === before, descriptor.enumerable, descriptor.writable, typeof WebSocketError];`);
    expect(installed).toEqual([name === "chromium", false, true, "function"]);
    if (name !== "chromium") {
      expect(await engine.evaluate(`const Class = WebSocketStream; ${echo}`)).toEqual(["hello", "credit", 1005]);
    }
  });

  it.each(["polyfill.mjs", "polyfill.with-streams.mjs", "ponyfill.mjs"])(
    "the module %s exports the class",
    async (file) => {
      await engine.open(`${server.httpUrl}empty`);
      const load = `const { WebSocketStream: Class } = await import("/${file}");`;
      expect(await engine.evaluate(`${load} ${echo}`)).toEqual(["hello", "credit", 1005]);
      const isInstalled = await engine.evaluate("return globalThis.WebSocketStream !== before");
      expect(isInstalled).toBe(name !== "chromium" && file !== "ponyfill.mjs");
    },
  );

  it("with the bundled streams a readable can be iterated in every engine", async () => {
    await engine.open(`${server.httpUrl}empty`);
    const read = await engine.evaluate(`
      const { WebSocketStream } = await import("/polyfill.with-streams.mjs");
      const url = new URL("sluice/flood?count=5&size=10", location.href);
      const { readable } = await new WebSocketStream(url, { credit: true }).opened;
      let count = 0;
      for await (const message of readable) count += message.length;
      return count;`);
    expect(read).toBe(50);
  });
});
