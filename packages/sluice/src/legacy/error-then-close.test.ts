import { describe, expect, it } from "vitest";
import { WebSocket } from "./websocket.ts";

describe("spec-digest 4.4 the end of a connection that failed (D-26)", () => {
  it("error and close are tasks of their own: reactions to the first come in front of the second", async () => {
    // The port is blocked (D-28): the attempt fails without a packet.
    const socket = new WebSocket("ws://127.0.0.1:1/");
    const order: string[] = [];
    socket.onerror = () => {
      order.push(`error in ${socket.readyState}`);
      Promise.resolve()
        .then(() => order.push("first reaction"))
        .then(() => order.push("second reaction"));
    };
    await new Promise<void>((resolve) => {
      socket.onclose = () => {
        order.push(`close in ${socket.readyState}`);
        resolve();
      };
    });
    expect(order).toEqual(["error in 3", "first reaction", "second reaction", "close in 3"]);
  });
});
