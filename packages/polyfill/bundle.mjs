// What is bundled, and how: for build.mjs, the size report and the tests.
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL("./", import.meta.url));

/** File in dist/ -> how it is made. Scripts are for a script element, modules for import. */
export const bundles = {
  "polyfill.mjs": { entry: "polyfill", format: "esm", hasStreams: false },
  "polyfill.js": { entry: "install", format: "iife", hasStreams: false },
  "polyfill.with-streams.mjs": { entry: "polyfill", format: "esm", hasStreams: true },
  "polyfill.with-streams.js": { entry: "install", format: "iife", hasStreams: true },
  "ponyfill.mjs": { entry: "ponyfill", format: "esm", hasStreams: false },
};

/**
 * What pages have of their own, for which the shared sources have another one: there they would pay for Node's speed, or do
 * what the browser does. Imports of these names in packages/sluice are resolved to the file of the same name in src/.
 */
const REPLACED =
  /(^#|\/)(connect|close-frame|established|message-sink|message-source|options|strategies|url-record)(\.ts)?$/;

/** Names between the files of the bundle: not of the platform, not of the public API. They are shortened. */
const internalNames = `
  onMessage onCloseStarted onClosed onInputEnd onEstablished onFailed onDemand onCancel onSourceError onSinkClose
  onSinkAbort onRoom onRemoteClose setDemand startClose setReferenced heldBytes counters isStalled queuedBytes isOpen
  takeRecord takeData takeAnswer takeGrant takeWaiting isSending queuedMessages wantsInput messageByteLength
  creditBytes grantedBytes peerIsWaiting addCredit mayStart isBusy hasFailed isCloseReceived isMemoryTight
  codeUnits getClosedError hasDemand readAheadBytes limitBytes unsentBytes totalBytes maxPieces`
  .trim()
  .split(/\s+/);

/** @type {import("esbuild").Plugin} */
export const pageModules = {
  name: "page-modules",
  setup(build) {
    build.onResolve({ filter: REPLACED }, ({ path, importer }) => {
      const name = REPLACED.exec(path)?.[2];
      return importer.includes("/sluice/src/") ? { path: `${folder}src/${name}.ts` } : undefined;
    });
  },
};

/**
 * Options of esbuild for one bundle.
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
    define: { "Symbol.dispose": "symbolDispose", "Symbol.asyncDispose": "symbolAsyncDispose" },
    inject: ["src/dispose-symbols.ts", ...(hasStreams ? ["src/full-streams.ts"] : [])],
    sourcemap: "linked",
    legalComments: "none",
    logLevel: "warning",
    write: false,
  };
}
