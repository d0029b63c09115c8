import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Plugin } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { pageModules } from "../../../packages/polyfill/bundle.mjs";
import { type Engine, type EngineName, engines, launch } from "../../../test/browser/engines.ts";
import { buildExample } from "../build-example.mjs";

const selected = (process.env.BROWSERS?.split(",") ?? Object.keys(engines)) as EngineName[];
const example = fileURLToPath(new URL("../", import.meta.url));
const packages = fileURLToPath(new URL("../../../packages/", import.meta.url));
const pictures = `${example}dist/screenshots/`;

let server: ChildProcess;
let url: string;

/** The sources of the packages, so that nothing has to be built first. */
const serverSources: Plugin = {
  name: "server-sources",
  setup({ onResolve }) {
    onResolve({ filter: /^sluice\/server$/ }, () => ({ path: `${packages}sluice/src/server.ts` }));
    onResolve({ filter: /^#connect$/ }, () => ({ path: `${packages}sluice/src/node/connect.ts` }));
  },
};
const pageSources: Plugin = {
  name: "page-sources",
  setup({ onResolve }) {
    onResolve({ filter: /^@sluice\/polyfill\/ponyfill$/ }, () => ({ path: `${packages}polyfill/src/ponyfill.ts` }));
  },
};

beforeAll(async () => {
  await buildExample(`${example}dist/test`, { server: [serverSources], page: [pageSources, pageModules] });
  mkdirSync(pictures, { recursive: true });
  server = spawn(process.execPath, ["dist/test/main.js"], {
    cwd: example,
    env: { ...process.env, PORT: "0" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = await once(server.stdout as NodeJS.ReadableStream, "data");
  url = /http:\S+/.exec(String(line))?.[0] ?? "";
}, 120_000);

afterAll(() => server?.kill());

interface Shown {
  readonly states: string[];
  readonly waiting: number[];
  readonly isWide: boolean;
}

/** The numbers as a visitor reads them, in MiB. */
const readPage = `
  const show = (name) => [...document.querySelectorAll('[data-show="' + name + '"]')].map((e) => e.textContent);
  const mebi = (text) => Number.parseFloat(text) / (text.includes("KiB") ? 1024 : 1);
  return { states: show("state"), waiting: show("waiting").map(mebi),
    isWide: document.documentElement.scrollWidth > document.documentElement.clientWidth };
`;

async function until(engine: Engine, isTrue: (shown: Shown) => boolean): Promise<Shown> {
  for (;;) {
    const shown = (await engine.evaluate(readPage)) as Shown;
    if (isTrue(shown)) return shown;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

const looks = selected.flatMap((name) => [[name, "light"] as const, [name, "dark"] as const]);

describe.each(looks)("%s, %s", (name, colorScheme) => {
  let engine: Engine;

  beforeAll(async () => {
    engine = await launch(name, colorScheme);
    await engine.setSize(1280, 900);
    await engine.open(url);
    await engine.setSize(1280, 900);
  }, 60_000);
  afterAll(() => engine?.close());

  it("shows the difference: the plain page's queue grows, the other's does not", async () => {
    const set = (id: string, value: number): Promise<unknown> =>
      engine.evaluate(`const input = document.getElementById("${id}"); input.value = "${value}";
        input.dispatchEvent(new Event("input"));`);
    await until(engine, ({ states }) => states.every((state) => state.startsWith("connected")));
    await set("reading", 9);
    const shown = await until(engine, ({ waiting }) => waiting[1] > 20);
    expect(await engine.evaluate(`return matchMedia("(prefers-color-scheme: ${colorScheme})").matches`)).toBe(true);
    expect(shown.states[0]).toBe("connected, flow control: credit");
    expect(shown.waiting[0]).toBeLessThan(4.5);
    writeFileSync(`${pictures}${name}-${colorScheme}.png`, await engine.screenshot());
  }, 60_000);

  it("the sliders can be reached and moved by key, and say what they are at", async () => {
    const sliders = await engine.evaluate(`
      const focusable = [...document.querySelectorAll("a[href], button, input, select, textarea, [tabindex]")];
      return focusable.map((input) => {
        input.focus();
        return [document.activeElement.id, input.tabIndex, input.labels.length, input.getAttribute("aria-valuetext")];
      });`);
    expect(sliders).toEqual([
      ["reading", 0, 1, "256 KiB/s"],
      ["server-reading", 0, 1, "1.0 MiB/s"],
    ]);
  });

  it("fits a phone", async () => {
    await engine.setSize(390, 844);
    const shown = await until(engine, ({ states }) => states.length === 2);
    expect(shown.isWide).toBe(false);
    writeFileSync(`${pictures}${name}-${colorScheme}-phone.png`, await engine.screenshot());
  }, 60_000);
});
