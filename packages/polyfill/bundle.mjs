// What is bundled, and how: for build.mjs, the size report and the tests.
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { minify } from "terser";

const folder = fileURLToPath(new URL("./", import.meta.url));

/** File in dist/ -> how it is made. Scripts are for a script element, modules for import. */
export const bundles = {
  "polyfill.mjs": { entry: "polyfill", format: "esm", hasStreams: false },
  "polyfill.js": { entry: "install", format: "iife", hasStreams: false },
  "polyfill.with-streams.mjs": { entry: "polyfill", format: "esm", hasStreams: true },
  "polyfill.with-streams.js": { entry: "install", format: "iife", hasStreams: true },
  "ponyfill.mjs": { entry: "ponyfill", format: "esm", hasStreams: false },
};

/** Taken from the browser, or measured by what is there in any case: the import -> the file in src/ instead of it. */
const replacements = new Map([["../protocol/close-frame.ts", "close-frame.ts"]]);

/** Names between the files of the bundle: not of the platform, not of the public API. They are shortened. */
const internalNames = `
  onMessage onClosed onInputEnd onEstablished onFailed onRoom onRemoteClose setDemand startClose queuedBytes isOpen
  takeRecord takeData takeGrant takeWaiting isSending queuedMessages wantsInput messageByteLength
  creditBytes grantedBytes peerIsWaiting addCredit mayStart isBusy codeUnits unsentBytes
  totalBytes maxPieces accounts retain discard charge release balance cost accepts append receive ping
  growthIdleMs`
  .trim()
  .split(/\s+/);

/** @type {import("esbuild").Plugin} */
export const pageModules = {
  name: "page-modules",
  setup(build) {
    build.onResolve({ filter: /close-frame/ }, ({ path }) => {
      const file = replacements.get(path);
      return file === undefined ? undefined : { path: `${folder}src/${file}` };
    });
  },
};

/**
 * Options of esbuild for one bundle, as terser takes it.
 *
 * @param {keyof typeof bundles} name
 * @returns {import("esbuild").BuildOptions & { write: false }}
 */
export function bundleOptions(name) {
  const { entry, format, hasStreams } = bundles[name];
  return {
    absWorkingDir: folder,
    entryPoints: [`src/${entry}.ts`],
    outfile: `dist/${name}`,
    bundle: true,
    minify: true,
    format: /** @type {"esm" | "iife"} */ (format),
    platform: "browser",
    target: ["chrome111", "firefox119", "safari16.4"],
    plugins: [pageModules],
    mangleProps: new RegExp(`^(${internalNames.join("|")})$`),
    define: { "Symbol.asyncDispose": "symbolAsyncDispose" },
    inject: ["src/dispose-symbols.ts", ...(hasStreams ? ["src/full-streams.ts"] : [])],
    sourcemap: "external",
    legalComments: "none",
    logLevel: "warning",
    write: false,
  };
}

/**
 * Makes one bundle. esbuild gathers and shortens; terser, which folds constants and functions, takes 5 % more off.
 *
 * @param {import("esbuild").BuildOptions & { write: false }} options
 * @returns {Promise<{ code: string, map: string }>}
 */
export async function bundle(options) {
  const { outputFiles } = await build(options);
  const textOf = (/** @type {RegExp} */ name) => outputFiles.find(({ path }) => name.test(path))?.text;
  const map = textOf(/\.map$/);
  const { code = "", map: minifiedMap } = await minify(textOf(/js$/) ?? "", {
    module: options.format === "esm",
    toplevel: true,
    ecma: 2020,
    compress: { passes: 3, ecma: 2020, sequences: false },
    sourceMap: map === undefined ? false : { content: map },
  });
  return { code, map: String(minifiedMap) };
}
