import { createInterface } from "node:readline";
import type { KeepaliveOptions } from "../../packages/sluice/src/index.ts";
import { serve } from "../../packages/sluice/src/server.ts";
import { WebSocketStream } from "../../packages/sluice/src/streams/websocket-stream.ts";
import { type Activity, transfer } from "./transfer.ts";

/*
 * One end of connections, in a process of its own that can be killed or put into a network of its own. It listens; its
 * standard input says what to connect to, a line of JSON each; its standard output says what happens, likewise. What an end
 * does on a connection that it accepts stands in the path.
 */

/** A line of the input. */
export interface Order {
  readonly url: string;
  readonly activity: Activity;
}

/** A line of the output. */
export type Report =
  | { readonly event: "listening"; readonly port: number }
  | { readonly event: "moving"; readonly name: string }
  | { readonly event: "ended"; readonly name: string; readonly code: string | null; readonly closeCode: number };

const { host, keepAlive } = JSON.parse(process.argv[2] ?? "{}") as {
  host: string;
  keepAlive: KeepaliveOptions | false;
};
const report = (line: Report): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

/** A transfer moves once so many messages went; an idle connection, once it is there. */
const MOVING_COUNT = 50;

function run(stream: WebSocketStream, role: string, activity: Activity): void {
  const name = `${role} ${activity}`;
  const { ended } = transfer(stream, activity, (count) => {
    if (count === MOVING_COUNT) report({ event: "moving", name });
  });
  if (activity === "idles") void stream.opened.then(() => report({ event: "moving", name }));
  void ended.then(({ code, closeCode }) => report({ event: "ended", name, code, closeCode }));
}

const server = await serve({ port: 0, host, keepAlive }, (stream) => {
  run(stream, "server", new URL(stream.url).pathname.slice(1) as Activity);
});
report({ event: "listening", port: (await server.listening).port });
createInterface({ input: process.stdin }).on("line", (line) => {
  const { url, activity } = JSON.parse(line) as Order;
  run(new WebSocketStream(url, { keepAlive }), "client", activity);
});
