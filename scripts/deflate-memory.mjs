// What permessage-deflate costs in memory: `node scripts/deflate-memory.mjs`. Each mode runs in a process of its own, which
// makes 500 codecs, lets each of them inflate and deflate 64 KiB of JSON in messages of 8 KiB, and reports by how much the
// process grew. docs/permessage-deflate.md has the table.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { fileURLToPath, pathToFileURL } from "node:url";
import zlib from "node:zlib";
import { build } from "esbuild";

/** @typedef {{ name: string, parameters?: object, options?: object, settings?: object, uses?: string, idle?: boolean, peer?: boolean }} Mode */

const CONNECTIONS = 500;
const noTakeover = { serverNoContextTakeover: true, clientNoContextTakeover: true };

/** @type {readonly Mode[]} */
const MODES = [
  { name: "no compression", uses: "" },
  { name: "no context takeover, both ways", parameters: noTakeover },
  { name: "server without, client with context takeover", parameters: { serverNoContextTakeover: true } },
  { name: "server with, client without context takeover", parameters: { clientNoContextTakeover: true } },
  { name: "context takeover both ways", parameters: {} },
  { name: "- the same, half of the connections idle", parameters: {}, idle: true },
  { name: "- the same, memLevel 8", parameters: {}, options: { memLevel: 8 } },
  { name: "- the same, windows of 12 bits", parameters: { serverMaxWindowBits: 12, clientMaxWindowBits: 12 } },
  {
    name: "- the same, windows of 10 bits, memLevel 4",
    parameters: { serverMaxWindowBits: 10, clientMaxWindowBits: 10 },
    options: { memLevel: 4 },
  },
  { name: "- the same, at most 64 deflating contexts", parameters: {}, settings: { maxDeflateContexts: 64 } },
  { name: "two streams of node:zlib with its defaults", peer: true },
];

const mode = process.argv[2];
if (mode === undefined) await measureAll();
else await measure(MODES[Number(mode)], process.argv[3]);

async function measureAll() {
  const folder = mkdtempSync(`${tmpdir()}/deflate-memory-`);
  try {
    const bundle = `${folder}/codec.mjs`;
    const source = new URL("../packages/sluice/src/node/", import.meta.url);
    await build({
      stdin: {
        contents: 'export * from "./zlib-codec.ts"; export * from "./zlib-settings.ts";',
        resolveDir: fileURLToPath(source),
      },
      bundle: true,
      platform: "node",
      format: "esm",
      outfile: bundle,
    });
    console.log(
      `${new Date().toISOString().slice(0, 10)}, Node ${process.version}, ${process.platform} ${process.arch}, ${cpus()[0]?.model}\n`,
    );
    console.log(
      "| mode | KiB per connection, measured | KiB per connection, counted (`heldBytes`) |\n| --- | ---: | ---: |",
    );
    for (const [index, { name }] of MODES.entries()) {
      const results = [0, 1, 2].map(() => {
        const args = ["--expose-gc", fileURLToPath(import.meta.url), String(index), pathToFileURL(bundle).href];
        return JSON.parse(execFileSync(process.execPath, args, { encoding: "utf8" }));
      });
      const { measured, counted } = results.sort((a, b) => a.measured - b.measured)[1];
      console.log(`| ${name} | ${measured.toFixed(1)} | ${counted === null ? "" : counted.toFixed(1)} |`);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/**
 * @param {Mode} mode
 * @param {string} bundle
 */
async function measure(mode, bundle) {
  const { createPerMessageDeflateCodec, configureZlib } = await import(bundle);
  configureZlib({ ...mode.settings, ...(mode.idle ? { idleMs: 200 } : {}) });
  const parameters = {
    serverNoContextTakeover: false,
    clientNoContextTakeover: false,
    serverMaxWindowBits: 15,
    clientMaxWindowBits: 15,
    ...mode.parameters,
  };
  const messages = Array.from({ length: 8 }, (_, index) => json(8_192, index));
  const peer = createPerMessageDeflateCodec("client", parameters);
  const payloads = messages.map((message) => peer.deflater.deflate(message));
  /** @type {unknown[]} */
  const connections = [];
  // What the first uses cost, code and shared memory, is not a connection's. Without takeover no context stays behind.
  for (let index = 0; index < 2 * CONNECTIONS; index++) {
    useCodec(createPerMessageDeflateCodec("server", { ...parameters, ...noTakeover }), messages, payloads.slice(0, 1));
  }
  const before = rss();
  for (let index = 0; index < CONNECTIONS; index++) {
    if (mode.uses === "") connections.push({});
    else if (mode.peer) connections.push(await useStreams(messages, payloads));
    else
      connections.push(useCodec(createPerMessageDeflateCodec("server", parameters, mode.options), messages, payloads));
  }
  if (mode.idle) {
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    for (let index = 0; index < CONNECTIONS; index++) {
      connections.push(useCodec(createPerMessageDeflateCodec("server", parameters, mode.options), messages, payloads));
    }
  }
  const measured = (rss() - before) / connections.length / 1_024;
  const held = /** @type {{ inflater?: { heldBytes: number }, deflater?: { heldBytes: number } }[]} */ (connections);
  const counted = held.reduce(
    (sum, each) => sum + (each.inflater?.heldBytes ?? 0) + (each.deflater?.heldBytes ?? 0),
    0,
  );
  console.log(JSON.stringify({ measured, counted: mode.peer ? null : counted / connections.length / 1_024 }));
  process.exit();
}

/**
 * @param {any} codec
 * @param {Uint8Array[]} messages
 * @param {Uint8Array[]} payloads
 */
function useCodec(codec, messages, payloads) {
  for (const payload of payloads) codec.inflater.inflate(payload, true, 1_000_000);
  for (const message of messages) codec.deflater.deflate(message);
  return codec;
}

/**
 * As an implementation does that keeps one stream for each direction.
 *
 * @param {Uint8Array[]} messages
 * @param {Uint8Array[]} payloads
 */
async function useStreams(messages, payloads) {
  const { Z_SYNC_FLUSH } = zlib.constants;
  const inflate = zlib.createInflateRaw().resume();
  const deflate = zlib.createDeflateRaw().resume();
  for (const payload of payloads) inflate.write(Buffer.concat([payload, Buffer.of(0, 0, 0xff, 0xff)]));
  for (const message of messages) deflate.write(message);
  await Promise.all(
    [inflate, deflate].map((stream) => new Promise((resolve) => stream.flush(Z_SYNC_FLUSH, () => resolve(null)))),
  );
  return { inflate, deflate };
}

function rss() {
  globalThis.gc?.();
  globalThis.gc?.();
  return process.memoryUsage.rss();
}

/**
 * @param {number} length
 * @param {number} seed
 */
function json(length, seed) {
  const rows = [];
  for (let i = 0; i < length / 40; i++)
    rows.push({ id: i * (seed + 7), name: `sensor-${i % 17}`, value: Math.sin(i * seed) });
  return Buffer.from(JSON.stringify(rows).slice(0, length));
}
