import { describe, expect, it } from "vitest";
import { parseOptions, toHelp } from "./options.ts";
import { UserError } from "./user-error.ts";

describe("parseOptions", () => {
  it("streams at least 200,000 records when nothing is said", () => {
    const options = parseOptions([]);
    expect(options).toMatchObject({ mode: "run", json: false, databasePath: null, rate: null });
    expect(options?.records).toBeGreaterThanOrEqual(200_000);
  });

  it("takes what is said over --quick, in any order", () => {
    expect(parseOptions(["--clients", "3", "--quick"])).toMatchObject({ clients: 3, stallMs: 1_000 });
    expect(parseOptions(["--quick", "--stall", "0.5"])).toMatchObject({ stallMs: 500 });
  });

  it("ignores the separator that a package manager leaves in", () => {
    expect(parseOptions(["--", "--json"])).toMatchObject({ json: true });
  });

  it("has a mode for each half", () => {
    expect(parseOptions(["--serve"])).toMatchObject({ mode: "serve", port: 8080 });
    expect(parseOptions(["--url", "ws://127.0.0.1:8080/departures"])).toMatchObject({ mode: "send" });
  });

  it("returns null for --help, whatever else there is", () => {
    expect(parseOptions(["--clients", "x", "--help"])).toBeNull();
  });

  it.each([
    [["--cleints", "3"], "--cleints"],
    [["extra"], "extra"],
    [["--clients"], "--clients"],
    [["--clients", "0"], "--clients must be a whole number from 1 to 1000: current value is 0"],
    [["--records", "3000001"], "--records must be a whole number from 1 to 3000000"],
    [["--batch", "1e2"], "--batch must be a whole number"],
    [["--stall", "-1"], "--stall"],
    [["--stall", "soon"], "--stall must be seconds"],
    [["--port", "65536"], "--port must be a whole number from 0 to 65535"],
    [["--url", "http://example.com"], "--url must be a ws: or wss: address"],
    [["--url", "ws://a/", "--serve"], "exclude each other"],
    [["--url", "ws://a/", "--database", "x"], "--database has no effect"],
    [["--serve", "--clients", "3"], "--clients has no effect"],
  ])("refuses %j and says why", (args, message) => {
    const error = catchError(() => parseOptions(args));
    expect(error).toBeInstanceOf(UserError);
    expect(error).toMatchObject({ exitCode: 2, message: expect.stringContaining(message) });
    expect((error as UserError).advice).not.toBe("");
  });
});

describe("toHelp", () => {
  it.each(["clients", "rate", "stall", "url", "json", "records", "seed", "database"])("lists --%s", (name) => {
    expect(toHelp()).toMatch(new RegExp(`^ +--${name}\\b`, "m"));
  });

  it("fits into 120 columns", () => {
    for (const line of toHelp().split("\n")) expect(line.length, line).toBeLessThanOrEqual(120);
  });
});

function catchError(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  throw new Error("Nothing was thrown");
}
