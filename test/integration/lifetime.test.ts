import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { WebSocket, WebSocketStream } from "sluice";
import { HostileServer } from "sluice/testing";
import { afterEach, describe, expect, it } from "vitest";
import { withResolvers } from "../support/with-resolvers.ts";

setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");

const servers: HostileServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

async function listen(): Promise<HostileServer> {
  const server = await HostileServer.listen();
  servers.push(server);
  return server;
}

async function collectSeveralTimes(): Promise<void> {
  for (let i = 0; i < 5; i++) {
    collectGarbage();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe("spec-digest 2.17, 4.6 an open connection that the program has dropped", () => {
  it("WebSocketStream: lives on, and answers", async () => {
    const server = await listen();
    await new WebSocketStream(server.url).opened.then(() => {});
    const peer = await server.accept();
    await collectSeveralTimes();
    peer.sendFrame({ opcode: 9, payload: "?" });
    await peer.until(() => peer.framesOf(10).length === 1);
    peer.sendClose(1000);
    await peer.until(() => peer.closes.length === 1);
    expect(peer.closes).toEqual([[1000, ""]]);
  });

  it("WebSocket: its listeners still hear of messages and of the end", async () => {
    const server = await listen();
    const heard: unknown[] = [];
    const { promise, resolve } = withResolvers<void>();
    (() => {
      const socket = new WebSocket(server.url);
      socket.onmessage = ({ data }) => heard.push(data);
      socket.onclose = ({ code }) => {
        heard.push(code);
        resolve();
      };
    })();
    const peer = await server.accept();
    await collectSeveralTimes();
    peer.sendText("a");
    peer.sendClose(4000);
    await peer.until(() => peer.closes.length === 1);
    peer.end();
    await promise;
    expect(heard).toEqual(["a", 4000]);
  });
});
