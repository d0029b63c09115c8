// Echo server of `ws`. Commands: see ../server-peers.ts.
import { WebSocketServer } from "ws";

const server = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: { threshold: 0 } });
server.on("listening", () => console.log(`LISTENING ${server.address().port}`));
server.on("connection", (socket) => {
  socket.on("error", (error) => console.error(error));
  socket.on("message", (data, isBinary) => {
    const text = isBinary ? "" : data.toString();
    const [command, argument, ...rest] = text.split(" ");
    if (command === "/close") {
      if (argument === undefined) socket.close();
      else socket.close(Number(argument), rest.join(" "));
    } else if (command === "/ping") socket.ping("are you there");
    else if (command === "/fragments") {
      const count = Number(argument);
      const piece = "0123456789abcdef".repeat(1024);
      for (let index = 1; index <= count; index++) socket.send(piece, { fin: index === count, compress: false });
    } else if (command === "/terminate") socket.terminate();
    else if (command === "/reset") socket._socket.resetAndDestroy();
    else socket.send(data, { binary: isBinary });
  });
});
