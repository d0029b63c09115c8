// What permessage-deflate costs in time: `node scripts/deflate-time.mjs`. One codec at each end, in one process; processor
// time of the deflating and of the inflating call, and the size of what is sent. docs/permessage-deflate.md has the table.
import { mkdtempSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

const COUNT = 2_000;
const folder = mkdtempSync(`${tmpdir()}/deflate-time-`);
const outfile = `${folder}/codec.mjs`;
const entry = fileURLToPath(new URL("../packages/sluice/src/node/zlib-codec.ts", import.meta.url));
await build({ entryPoints: [entry], bundle: true, platform: "node", format: "esm", outfile });
const { createPerMessageDeflateCodec } = await import(pathToFileURL(outfile).href);
rmSync(folder, { recursive: true });

console.log(
  `${new Date().toISOString().slice(0, 10)}, Node ${process.version}, ${process.platform} ${process.arch}, ${cpus()[0]?.model}\n`,
);
console.log(
  "| JSON message | context takeover | level | sent, bytes | deflate, µs | inflate, µs |\n| ---: | --- | ---: | ---: | ---: | ---: |",
);
for (const length of [100, 256, 1_024, 16_384]) {
  const messages = Array.from({ length: COUNT }, (_, index) => json(length, index));
  for (const hasTakeover of [false, true]) {
    for (const level of [1, 3, 6]) row(messages, length, hasTakeover, level);
  }
}
for (const asyncAboveBytes of [1_000_000, 0]) await one(asyncAboveBytes);

/**
 * @param {Uint8Array[]} messages
 * @param {number} length
 * @param {boolean} hasTakeover
 * @param {number} level
 */
function row(messages, length, hasTakeover, level) {
  const parameters = createParameters(hasTakeover);
  /** @type {[number, number][]} */
  const rounds = [];
  let sent = 0;
  for (let round = 0; round < 4; round++) {
    const from = createPerMessageDeflateCodec("client", parameters, { level });
    const to = createPerMessageDeflateCodec("server", parameters);
    /** @type {Uint8Array[]} */
    const payloads = [];
    const deflating = microseconds(() => {
      for (const message of messages) {
        const payload = from.deflater.deflate(message);
        if (payload !== null) payloads.push(payload);
      }
    });
    const inflating = microseconds(() => {
      for (const payload of payloads) to.inflater.inflate(payload, true, 1_000_000);
    });
    sent = payloads.reduce((sum, { length }) => sum + length, 0) / payloads.length;
    from.deflater.close();
    to.inflater.close();
    // The first round is for the compiler.
    if (round > 0) rounds.push([deflating / messages.length, inflating / payloads.length]);
  }
  const [deflating, inflating] = [0, 1].map(
    (side) => rounds.map((times) => times[side] ?? 0).sort((a, b) => a - b)[1] ?? 0,
  );
  const cells = [
    length,
    hasTakeover ? "yes" : "no",
    level,
    sent.toFixed(0),
    deflating?.toFixed(1),
    inflating?.toFixed(1),
  ];
  console.log(`| ${cells.join(" | ")} |`);
}

/**
 * The same message at once and in a thread.
 *
 * @param {number} asyncAboveBytes
 */
async function one(asyncAboveBytes) {
  const codec = createPerMessageDeflateCodec("client", createParameters(true), { asyncAboveBytes });
  const messages = Array.from({ length: COUNT }, (_, index) => json(1_024, index));
  const before = process.cpuUsage();
  for (const message of messages) await codec.deflater.deflate(message);
  const { user, system } = process.cpuUsage(before);
  console.log(
    `\n1,024 bytes, ${asyncAboveBytes === 0 ? "in a thread" : "at once"}: ${((user + system) / COUNT).toFixed(1)} µs`,
  );
}

/** @param {boolean} hasTakeover */
function createParameters(hasTakeover) {
  return {
    serverNoContextTakeover: !hasTakeover,
    clientNoContextTakeover: !hasTakeover,
    serverMaxWindowBits: 15,
    clientMaxWindowBits: 15,
  };
}

/** @param {() => void} work */
function microseconds(work) {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

/**
 * @param {number} length
 * @param {number} seed
 */
function json(length, seed) {
  let state = seed + 1;
  const random = () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return state >> 8;
  };
  const record = {
    id: random(),
    time: 1_700_000_000_000 + seed * 1_013,
    name: `sensor-${seed % 50}`,
    values: /** @type {object[]} */ ([]),
  };
  while (JSON.stringify(record).length < length) {
    for (let i = 0; i < 1 + length / 100; i++) {
      record.values.push({
        x: (random() % 10_000) / 100,
        y: (random() % 10_000) / 100,
        tag: ["ok", "low", "high", "off"][random() % 4],
      });
    }
  }
  return new TextEncoder().encode(JSON.stringify(record).slice(0, length));
}
