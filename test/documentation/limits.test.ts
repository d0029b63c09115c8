import { readFileSync } from "node:fs";
import { maxHeaderSize } from "node:http";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { DEFAULT_KEEPALIVE } from "../../packages/sluice/src/connection/keepalive.ts";
import { toProtocolsAndOptions } from "../../packages/sluice/src/legacy/websocket-options.ts";
import { DEFAULT_LIMITS } from "../../packages/sluice/src/protocol/limits.ts";
import { type ServerOptions, validateServerOptions } from "../../packages/sluice/src/server/options.ts";
import { DEFAULT_SERVER_LIMITS, MAX_LINGERING_REFUSALS } from "../../packages/sluice/src/server/server-limits.ts";
import { type ConnectionLimits, toConnectionLimits } from "../../packages/sluice/src/streams/options.ts";
import { WebSocketStream } from "../../packages/sluice/src/streams/websocket-stream.ts";
import { codeOf, findRows, type Row } from "./tables.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), "utf8");
const rows = findRows(read("docs/limits.md"), "limit");
const nameIn = (row: Row): string => codeOf(row.limit) ?? (row.limit as string);
const isServers = (row: Row): boolean => row.of === "server";
const options = rows.filter((row) => row.range !== undefined);

/** Every default that the code has as a constant, as the table writes it. */
const constants: Readonly<Record<string, number>> = {
  ...DEFAULT_LIMITS,
  ...Object.fromEntries(Object.entries(DEFAULT_KEEPALIVE).map(([name, value]) => [`keepAlive.${name}`, value])),
};
const write = (value: number): string => (Number.isFinite(value) ? value.toLocaleString("en-US") : "Infinity");

/** Rows whose value is no constant with that name. */
const OTHERS: Readonly<Record<string, string>> = {
  "readableStrategy both": "1 message",
  "writableStrategy both": "1 message",
  "maxBufferedBytes `WebSocket`": "Infinity",
  "handshakeTimeoutMs client": "none",
  "memoryBudgetBytes server": "a quarter of the memory",
  "payload of a control frame both": "125",
  "control frames that wait to be sent both": "one Pong, one Close",
  // packages/sluice/src/streams/message-source.test.ts
  "what a message in the queue of a `MessageByteLengthStrategy` counts besides its payload both": "256",
  "messages in the queue of a `readableStrategy` with a `size` of your own both": "65,536",
  "head of a response client": "16,384",
  "body of a refusal that is kept for the error client": "4,096",
  "refused sockets that linger server": write(MAX_LINGERING_REFUSALS),
};

describe("docs/limits.md: the defaults are those of the code", () => {
  it.each(rows.map((row) => [`${nameIn(row)} ${row.of}`, row] as const))("%s", (key, row) => {
    const name = nameIn(row);
    const constant = isServers(row)
      ? (DEFAULT_SERVER_LIMITS as unknown as Record<string, number>)[name]
      : constants[name];
    const expected = OTHERS[key] ?? (constant === undefined ? "a constant of this name" : write(constant));
    expect(row.default ?? row.value).toBe(expected);
  });

  it("has a row for each constant", () => {
    const common = rows.filter((row) => !isServers(row)).map(nameIn);
    expect(Object.keys(constants).filter((name) => !common.includes(name))).toEqual([]);
    const servers = rows.filter(isServers).map(nameIn);
    expect(Object.keys(DEFAULT_SERVER_LIMITS).filter((name) => !servers.includes(name))).toEqual([]);
  });

  it("the client's own, which are not exported, are those of the sources", () => {
    const source = read("packages/sluice/src/node/http1-upgrade.ts");
    expect(maxHeaderSize).toBe(16_384);
    expect(source).toContain("const MAX_BODY_BYTES = 4096;");
  });

  it("the docstrings say the same", () => {
    const sources = [
      "streams/options.ts",
      "server/options.ts",
      "legacy/websocket-options.ts",
      "connection/keepalive.ts",
    ];
    const text = sources.map((path) => read(`packages/sluice/src/${path}`)).join("\n");
    for (const row of options) {
      const value = row.default as string;
      if (!/^[\d,]+$/.test(value)) continue;
      const [option] = nameIn(row).split(".").slice(-1) as [string];
      const docstrings = [
        ...text.matchAll(new RegExp(`/\\*\\*((?:(?!\\*/)[^])*)\\*/\\s+(?:readonly )?${option}\\??:`, "g")),
      ];
      const kib = `${Number(value.replaceAll(",", "")) / 1024} KiB`;
      const isSaid = docstrings.some(([, docstring]) => docstring?.includes(value) || docstring?.includes(kib));
      expect(isSaid, `${option}: ${value}`).toBe(true);
    }
  });
});

/** Sets an option where it belongs. @throws what the library throws */
function set(row: Row, value: unknown): void {
  const name = nameIn(row);
  if (name === "handshakeTimeoutMs" && row.of === "client") {
    const stream = new WebSocketStream("ws://127.0.0.1:1/", { handshakeTimeoutMs: value as number });
    stream.close();
  } else if (name === "maxBufferedBytes") {
    toProtocolsAndOptions({ maxBufferedBytes: value });
  } else if (isServers(row)) {
    validateServerOptions({ port: 0, [name]: value } as ServerOptions);
  } else if (name.startsWith("keepAlive.")) {
    const keepAlive = { intervalMs: 1, timeoutMs: 1, [name.slice("keepAlive.".length)]: value };
    toConnectionLimits({ keepAlive });
  } else {
    toConnectionLimits({ [name]: value } as ConnectionLimits);
  }
}

describe("docs/limits.md: the ranges are those of the code", () => {
  const RANGE = /^(integer|number) from ([\d,]+)(?: to ([\d,]+))?(, or Infinity)?$/;
  const numbers = options.filter((row) => row.range !== "a `QueuingStrategy`");

  it.each(numbers.map((row) => [`${nameIn(row)} ${row.of}: ${row.range}`, row] as const))("%s", (_, row) => {
    const [, kind, least, most, orInfinity] = RANGE.exec(row.range as string) ?? [];
    expect(kind).toBeDefined();
    const minimum = Number(least?.replaceAll(",", ""));
    const step = kind === "integer" ? 1 : 0.001;
    const accepted = [minimum, minimum + 1];
    const refused: unknown[] = [minimum - step, -1, Number.NaN, Number.NEGATIVE_INFINITY];
    (kind === "integer" ? refused : accepted).push(minimum + 0.5);
    (orInfinity === undefined ? refused : accepted).push(Number.POSITIVE_INFINITY);
    if (most !== undefined) {
      const maximum = Number(most.replaceAll(",", ""));
      accepted.push(maximum);
      refused.push(maximum + 1);
    }
    for (const value of accepted) expect(() => set(row, value), `accepts ${value}`).not.toThrow();
    for (const value of refused) expect(() => set(row, value), `refuses ${value}`).toThrow(RangeError);
  });

  it("the error names the option and its value", () => {
    for (const row of numbers) {
      const name = nameIn(row);
      expect(() => set(row, -1)).toThrow(new RegExp(`${name.replace(".", "\\.")} .*must be .*: current value is -1$`));
    }
  });
});

describe("docs/limits.md and docs/errors.md tell the same", () => {
  const errors = findRows(read("docs/errors.md"), "code");

  it.each(options.map((row) => [`${nameIn(row)} ${row.of}`, row] as const))("%s", (_, row) => {
    const codes = [...(row["you get"] as string).matchAll(/`(ERR_\w+)`/g)].map(([, code]) => code as string);
    for (const code of codes) {
      const same = errors.filter((error) => codeOf(error.code) === code && codeOf(error.limit) === nameIn(row));
      expect(
        same.map((error) => codeOf(error.code)),
        `${code} for ${nameIn(row)}`,
      ).toContain(code);
      for (const error of same) {
        const seen = error["close code"] ?? error.status;
        if (seen !== "–") expect(row["the peer sees"]).toContain(seen);
      }
    }
  });

  it("each limit that an error names has a row", () => {
    const names = rows.map(nameIn);
    const named = errors.map((error) => codeOf(error.limit)).filter((limit) => limit !== null);
    expect(named.filter((limit) => !names.includes(limit))).toEqual([]);
  });
});
