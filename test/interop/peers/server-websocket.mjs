// Echo server of `websocket` (WebSocket-Node). Commands: see ../server-peers.ts.
import { createServer } from "node:http";
import websocket from "websocket";

const httpServer = createServer();
const limitBytes = 64 * 2 ** 20;
const server = new websocket.server({
  httpServer,
  maxReceivedFrameSize: limitBytes,
  maxReceivedMessageSize: limitBytes,
});
httpServer.listen(0, "127.0.0.1", () => console.log(`LISTENING ${httpServer.address().port}`));
server.on("request", (request) => {
  const connection = request.accept(null, request.origin);
  connection.on("error", (error) => console.error(error));
  connection.on("message", (message) => {
    if (message.type === "binary") {
      connection.sendBytes(message.binaryData);
      return;
    }
    const [command, argument, ...rest] = message.utf8Data.split(" ");
    if (command === "/close") {
      if (argument === undefined) connection.close();
      else connection.close(Number(argument), rest.join(" "));
    } else if (command === "/ping") connection.ping("are you there");
    // It splits what is above its threshold, which is 16 KiB.
    else if (command === "/fragments") connection.sendUTF("0123456789abcdef".repeat(1024 * Number(argument)));
    else if (command === "/terminate") connection.socket.destroy();
    else if (command === "/reset") connection.socket.resetAndDestroy();
    else connection.sendUTF(message.utf8Data);
  });
});
