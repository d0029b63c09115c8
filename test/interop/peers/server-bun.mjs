// Echo server of Bun. Commands: see ../server-peers.ts.
const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch: (request, bunServer) => (bunServer.upgrade(request) ? undefined : new Response("No", { status: 400 })),
  websocket: {
    perMessageDeflate: true,
    maxPayloadLength: 64 * 2 ** 20,
    backpressureLimit: 64 * 2 ** 20,
    message(socket, data) {
      const [command, argument, ...rest] = typeof data === "string" ? data.split(" ") : [];
      if (command === "/close") {
        if (argument === undefined) socket.close();
        else socket.close(Number(argument), rest.join(" "));
      } else if (command === "/ping") socket.ping("are you there");
      else if (command === "/terminate") socket.terminate();
      // The third argument asks for compression, where it was negotiated.
      else socket.send(data, data.length < 65_536);
    },
  },
});
console.log(`LISTENING ${server.port}`);
