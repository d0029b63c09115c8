// Echo server of Deno. Commands: see ../server-peers.ts.
Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: ({ port }) => console.log(`LISTENING ${port}`) }, (request) => {
  const { socket, response } = Deno.upgradeWebSocket(request);
  socket.binaryType = "arraybuffer";
  socket.onerror = (event) => console.error(event.message);
  socket.onmessage = ({ data }) => {
    const [command, argument, ...rest] = typeof data === "string" ? data.split(" ") : [];
    if (command === "/close") {
      if (argument === undefined) socket.close();
      else socket.close(Number(argument), rest.join(" "));
    } else socket.send(data);
  };
  return response;
});
