// Echo server of `faye-websocket`. Commands: see ../server-peers.ts.
import { createServer } from "node:http";
import FayeWebSocket from "faye-websocket";

const httpServer = createServer();
httpServer.on("upgrade", (request, socket, head) => {
  const peer = new FayeWebSocket(request, socket, head);
  peer.on("error", (event) => console.error(event.message));
  peer.on("message", ({ data }) => {
    const [command, argument, ...rest] = typeof data === "string" ? data.split(" ") : [];
    if (command === "/close") {
      if (argument === undefined) peer.close();
      else peer.close(Number(argument), rest.join(" "));
    } else if (command === "/ping") peer.ping("are you there");
    else if (command === "/terminate") socket.destroy();
    else if (command === "/reset") socket.resetAndDestroy();
    else peer.send(data);
  });
});
httpServer.listen(0, "127.0.0.1", () => console.log(`LISTENING ${httpServer.address().port}`));
