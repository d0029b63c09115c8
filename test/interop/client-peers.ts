import { readFile } from "node:fs/promises";
import { findEngine, launch } from "../browser/engines.ts";
import { SIZES } from "./payloads.ts";
import { PeerProcess } from "./peer-process.ts";
import { npmVersion, peerScript, programs, programVersion, pythonVersion } from "./versions.ts";

/** The result of one case, as the client reports it. */
export interface CaseResult {
  readonly case: string;
  readonly ok: boolean;
  readonly detail: string;
}

/** A client that others made. */
export interface ClientPeer {
  readonly name: string;
  readonly version: string;
  readonly cases: readonly string[];
  /** What the Close frame of the peer carries when it is told to close without a code. @defaultValue 1005 */
  readonly bareCloseCode?: number;
  /** It reads compressed messages and sends none. */
  readonly inflatesOnly?: true;
  /** Runs cases against a server, one after the other; gives what there is when the client ends. */
  readonly run: (address: string, cases: readonly string[]) => Promise<{ results: CaseResult[]; output: string }>;
}

const common = [
  "messages: text",
  "messages: multi-byte text",
  "messages: empty text",
  "messages: empty binary",
  ...SIZES.map((byteLength) => `messages: ${byteLength} bytes`),
  "messages: 100 in a row keep their order",
  "fragments: ours to them",
  "pings: ours to them",
  "deflate: off",
  "close: ours with code and reason",
  "close: ours without code",
  "close: ours abrupt, FIN",
  "close: ours abrupt, RST",
  "close: theirs with code and reason",
  "close: theirs without code",
];
const deflate = ["deflate: with context takeover", "deflate: without context takeover"];
const noDeflate = ["deflate: offered to one without it"];
const ping = ["pings: theirs to us"];
const fragments = ["fragments: theirs to us"];
const terminate = ["close: theirs abrupt, FIN"];
const reset = ["close: theirs abrupt, RST"];
const streams = ["close: theirs by the end of writable"];

const deno = ["run", "--no-config", "--allow-net", "--allow-env", "--unstable-net"];

/** Every peer that is a client. */
export const clientPeers: readonly ClientPeer[] = [
  {
    name: "ws",
    version: npmVersion("ws"),
    cases: [...common, ...deflate, ...ping, ...fragments, ...terminate, ...reset],
    run: runScript(programs.node, [], "ws"),
  },
  {
    name: "undici WebSocket",
    version: npmVersion("undici"),
    cases: [...common, ...deflate],
    inflatesOnly: true,
    run: runScript(programs.node24, [], "undici"),
  },
  {
    name: "undici WebSocketStream",
    version: npmVersion("undici"),
    cases: [...common, ...deflate, ...streams],
    inflatesOnly: true,
    run: runScript(programs.node24, [], "undiciStream"),
  },
  {
    name: "Node 24 WebSocket",
    version: programVersion(programs.node24, "--version"),
    cases: [...common, ...deflate],
    inflatesOnly: true,
    run: runScript(programs.node24, [], "global"),
  },
  {
    name: "websocket",
    version: npmVersion("websocket"),
    cases: [
      // Its interface drops an empty text that it gets.
      ...common.filter((name) => name !== "messages: empty text"),
      ...noDeflate,
      ...ping,
      ...fragments,
      ...terminate,
      ...reset,
    ],
    bareCloseCode: 1000,
    run: runScript(programs.node, [], "websocket"),
  },
  {
    name: "faye-websocket",
    version: npmVersion("faye-websocket"),
    cases: [...common, ...noDeflate, ...ping, ...terminate, ...reset],
    bareCloseCode: 1000,
    run: runScript(programs.node, [], "faye"),
  },
  {
    name: "Bun WebSocket",
    version: programVersion(programs.bun, "--version"),
    cases: [...common, ...deflate, ...ping, ...terminate],
    run: runScript(programs.bun, [], "bun"),
  },
  {
    name: "Deno WebSocket",
    version: programVersion(programs.deno, "--version"),
    cases: [...common, ...noDeflate],
    run: runScript(programs.deno, deno, "deno"),
  },
  {
    name: "Deno WebSocketStream",
    version: programVersion(programs.deno, "--version"),
    cases: [...common, ...noDeflate, ...streams],
    run: runScript(programs.deno, deno, "denoStream"),
  },
  {
    name: "python3-websockets",
    version: pythonVersion("websockets"),
    cases: [...common, ...deflate, ...ping, ...fragments, ...terminate, ...reset],
    bareCloseCode: 1000,
    run: runProcess(programs.python, [peerScript("client_websockets.py")]),
  },
  {
    name: "python3-aiohttp",
    version: pythonVersion("aiohttp"),
    cases: [...common, ...deflate, ...ping, ...terminate, ...reset],
    bareCloseCode: 1000,
    run: runProcess(programs.python, [peerScript("client_aiohttp.py")]),
  },
  {
    name: "python3-tornado",
    version: pythonVersion("tornado"),
    // It does not see parameters without a value, client_no_context_takeover among them.
    cases: [...common, deflate[0], ...ping, ...terminate, ...reset],
    run: runProcess(programs.python, [peerScript("client_tornado.py")]),
  },
  {
    name: "Chromium WebSocket",
    version: programVersion(findEngine("chromium") ?? "chromium", "--version"),
    cases: [...common, ...deflate],
    run: runInChromium("w3c-cases.mjs", "runCases(WebSocket"),
  },
  {
    name: "Chromium WebSocketStream",
    version: programVersion(findEngine("chromium") ?? "chromium", "--version"),
    cases: [...common, ...deflate, ...streams],
    run: runInChromium("stream-cases.mjs", "runStreamCases(WebSocketStream"),
  },
];

function runScript(program: string, options: readonly string[], which: string): ClientPeer["run"] {
  return runProcess(program, [...options, peerScript("client-javascript.mjs"), which]);
}

function runProcess(program: string, args: readonly string[]): ClientPeer["run"] {
  return async (address, cases) => {
    const child = new PeerProcess(program, [...args, address, ...cases], { PYTHONDONTWRITEBYTECODE: "1" });
    const stdout = await child.end();
    const lines = stdout.split("\n").filter((line) => line.startsWith('{"case"'));
    return { results: lines.map((line) => JSON.parse(line)), output: child.output };
  };
}

/** The page has the origin of the server, which serves it. */
function runInChromium(script: string, call: string): ClientPeer["run"] {
  return async (address, cases) => {
    const source = (await readFile(peerScript(script), "utf8")).replaceAll("export async function", "async function");
    const engine = await launch("chromium");
    try {
      await engine.open(address.replace("ws:", "http:"));
      const names = JSON.stringify(cases);
      const results = await engine.evaluate(
        `${source}\nconst results = []; await ${call}, ${JSON.stringify(address)}, ${names}, (line) => results.push(line)); return results;`,
      );
      return { results: results as CaseResult[], output: "" };
    } finally {
      await engine.close();
    }
  };
}
