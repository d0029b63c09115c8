import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { CLIENT_FAILURES, LEGACY_FAILURES } from "./provoke-client.ts";
import { CONNECTION_FAILURES } from "./provoke-connection.ts";
import { SERVER_FAILURES } from "./provoke-server.ts";
import { codeOf, findRows, matches, type Row } from "./tables.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const rows = findRows(readFileSync(join(root, "docs/errors.md"), "utf8"), "code");
const codeIn = (row: Row): string => codeOf(row.code) ?? `not a code: ${row.code}`;
/** The text of a row's only cell that varies within its code. */
const textIn = (row: Row): string => {
  const cell = row.reason ?? row.message ?? row.text ?? "";
  return codeOf(cell) ?? cell;
};
const keyOf = (row: Row): string => `${codeIn(row)} ${textIn(row)}`;
const limitIn = (row: Row): string | null => codeOf(row.limit);

/** Not provoked here, and where instead. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  // Its rules have tests of their own, each with its reason: test/integration/credit.test.ts.
  "ERR_SLUICE_FLOW_CONTROL …": "wsflow.v1",
};

const found = readdirSync(join(root, "packages/sluice/src"), { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".ts") && !/\.test(-support)?\.ts$/.test(path))
  .flatMap((path) => [...readFileSync(join(root, "packages/sluice/src", path), "utf8").matchAll(/"(ERR_SLUICE_\w+)"/g)])
  .map(([, code]) => code as string);

describe("docs/errors.md", () => {
  it("has a row for every code in the sources", () => {
    expect(found.length).toBeGreaterThan(40);
    const documented = new Set(rows.map(codeIn));
    expect([...new Set(found)].filter((code) => !documented.has(code))).toEqual([]);
  });

  it("has no code that the sources do not have", () => {
    const existing = new Set(found);
    expect(rows.map(codeIn).filter((code) => !existing.has(code))).toEqual([]);
  });

  it("has no row twice, and every row is provoked", () => {
    const keys = rows.map(keyOf);
    expect(keys.filter((key, index) => keys.indexOf(key) !== index)).toEqual([]);
    const all = { ...CONNECTION_FAILURES, ...LEGACY_FAILURES, ...CLIENT_FAILURES, ...SERVER_FAILURES, ...ELSEWHERE };
    expect(keys.filter((key) => !(key in all))).toEqual([]);
    expect(Object.keys(all).filter((key) => !keys.includes(key))).toEqual([]);
  });
});

const rowsOf = (failures: object): [string, Row][] =>
  rows.filter((row) => keyOf(row) in failures).map((row) => [keyOf(row), row]);

describe("what ends a connection is as its row says", () => {
  it.each(rowsOf(CONNECTION_FAILURES))("%s", async (key, row) => {
    const { closes, error } = await (
      CONNECTION_FAILURES[key] as () => ReturnType<(typeof CONNECTION_FAILURES)[string]>
    )();
    const closeCode = row["close code"];
    const isTheirs = closeCode === "the peer's";
    expect(error).toMatchObject({
      name: "WebSocketError",
      closeCode: isTheirs ? 4567 : 1006,
      reason: isTheirs ? "enough" : "",
    });
    const { cause } = error as { cause: Error & { limit?: string | null } };
    expect(cause).toMatchObject({ code: codeIn(row) });
    expect(cause.limit ?? null).toBe(limitIn(row));
    if (codeIn(row) !== "ERR_SLUICE_ZLIB") expect(cause.name).toMatch(/^(Protocol|Connection)Error$/);
    if (cause.name === "ProtocolError")
      expect(cause).toMatchObject({ closeCode: Number(closeCode), section: expect.any(String) });
    // Where the row has none the peer may have had an answer or a Close of ours that has nothing to do with it.
    if (closeCode === "–" || isTheirs) return;
    expect(closes).toHaveLength(1);
    const [code, reason] = closes[0] as [number, string];
    expect(code).toBe(Number(closeCode));
    const text = textIn(row);
    if (text === '""') expect(reason).toBe("");
    else expect(matches(text, reason), `${reason} is not ${text}`).toBe(true);
    if (text !== '""') expect(cause.message).toContain(reason);
  });

  it.each(rowsOf(LEGACY_FAILURES))("%s", async (key, row) => {
    const { seen, cause } = await (LEGACY_FAILURES[key] as (typeof LEGACY_FAILURES)[string])();
    expect(cause).toMatchObject({ name: "ConnectionError", code: codeIn(row), limit: limitIn(row) });
    if (row["close code"] !== "–") expect(seen).toEqual({ closeCode: Number(row["close code"]), reason: "" });
  });
});

describe("what fails a client's handshake is as its row says", () => {
  it.each(rowsOf(CLIENT_FAILURES))("%s", async (key, row) => {
    const { opened, closed } = await (CLIENT_FAILURES[key] as (typeof CLIENT_FAILURES)[string])();
    expect(opened).toMatchObject({ name: "WebSocketError", closeCode: null });
    expect(closed).toMatchObject({ name: "WebSocketError", closeCode: 1006 });
    const cause = (opened as { cause: Record<string, unknown> }).cause;
    expect((closed as { cause: unknown }).cause).toBe(cause);
    expect(cause).toMatchObject({ name: "HandshakeError", code: codeIn(row), limit: limitIn(row) });
    expect(matches(textIn(row), String(cause.message)), `${cause.message} is not ${textIn(row)}`).toBe(true);
    const status = row.status as string;
    if (status === "–") expect([cause.statusCode, cause.headers, cause.body]).toEqual([null, null, null]);
    else {
      expect(cause.statusCode).toBe(status === "101" ? 101 : 503);
      expect(cause.headers).toBeInstanceOf(Headers);
      expect(cause.body).toBe(status === "101" ? null : "later");
    }
  });
});

describe("what a server refuses is as its row says", () => {
  it.each(rowsOf(SERVER_FAILURES))("%s", async (key, row) => {
    const { response, body, error } = await (SERVER_FAILURES[key] as (typeof SERVER_FAILURES)[string])();
    if (row.status === "–") expect(response).toBeNull();
    else {
      const isTheirs = row.status === "the Response's";
      expect(response?.status).toBe(isTheirs ? 418 : Number(row.status));
      if (!isTheirs) expect(matches(`${textIn(row)}\n`, body), `${body} is not ${textIn(row)}`).toBe(true);
      expect(response?.headers["retry-after"] !== undefined).toBe((row["what to do"] ?? "").includes("Retry-After"));
    }
    // Of what Node's parser refused nobody is told but the client.
    if (error === "nobody is told") return;
    expect(error).toMatchObject({ code: codeIn(row) });
    if (response !== null) expect(error).toMatchObject({ statusCode: response.status, limit: limitIn(row) });
  });
});
