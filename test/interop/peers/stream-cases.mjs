// The cases of a client with WebSocketStream. Runs everywhere, so it imports nothing; a page gets its text.

/**
 * @param WebSocketStreamClass the constructor
 * @param base address of the server
 * @param names the cases to run
 * @param report gets { case, ok, detail } for each
 * @param can `closedMayReject`: its `closed` sometimes rejects, without a code, although both Close frames were exchanged
 */
export async function runStreamCases(WebSocketStreamClass, base, names, report, can = {}) {
  for (const name of names) {
    let detail = "";
    let timer;
    const timeout = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error("Nothing came for 20 seconds")), 20_000);
    });
    try {
      await Promise.race([runStreamCase(WebSocketStreamClass, base, name, can), timeout]);
    } catch (error) {
      detail = String(error?.stack ?? error);
    }
    clearTimeout(timer);
    report({ case: name, ok: detail === "", detail });
  }
}

async function runStreamCase(WebSocketStreamClass, base, name, can) {
  const stream = new WebSocketStreamClass(`${base}/?case=${encodeURIComponent(name)}`);
  stream.closed.catch(() => {}); // looked at below
  const { readable, writable } = await stream.opened;
  const reader = readable.getReader();
  const writer = writable.getWriter();
  reader.closed.catch(() => {});
  writer.closed.catch(() => {});
  const peer = {
    async send(message) {
      await writer.write(message);
    },
    async receive() {
      const { done, value } = await reader.read();
      if (done) throw new Error("The stream ended instead of giving a message");
      return value;
    },
  };
  const [group, title] = name.split(": ");
  if (group === "close") {
    await runStreamClose(stream, peer, writer, title, can);
    return;
  }
  if (title === "text") await expectStreamEcho(peer, "Hello");
  else if (title === "multi-byte text") await expectStreamEcho(peer, "Schleuse, écluse, 水門 🌊 ".repeat(10_000));
  else if (title === "empty text") await expectStreamEcho(peer, "");
  else if (title === "empty binary") await expectStreamEcho(peer, new Uint8Array());
  else if (title === "100 in a row keep their order") {
    const sent = [];
    for (let index = 0; index < 100; index++) sent.push(peer.send(`Message ${index}`));
    for (let index = 0; index < 100; index++) {
      const text = await peer.receive();
      if (text !== `Message ${index}`) throw new Error(`Got ${text} for ${index}`);
    }
    await Promise.all(sent);
  } else if (name === "pings: ours to them") {
    await peer.send("/await-pong");
    if ((await peer.receive()) !== "pong seen") throw new Error("Not what was expected");
  } else if (group === "deflate") {
    const text = "All streams flow into the sea, yet the sea is never full. ".repeat(40);
    for (let round = 0; round < 3; round++) await expectStreamEcho(peer, text);
  } else {
    const byteLength = title === "ours to them" ? 2 ** 20 : Number.parseInt(title, 10);
    const bytes = new Uint8Array(byteLength);
    for (let index = 0; index < byteLength; index++) bytes[index] = (index * 31 + (index >>> 8) * 7) & 0xff;
    await expectStreamEcho(peer, bytes);
  }
  stream.close({ closeCode: 1000 });
  await stream.closed.catch((error) => {
    if (!can.closedMayReject) throw error;
  });
}

async function runStreamClose(stream, peer, writer, title, can) {
  const commands = {
    "ours with code and reason": ["/close 4001 ours ✓", [4001, "ours ✓"]],
    "ours without code": ["/close", [1005, ""]],
    "ours abrupt, FIN": ["/terminate", null],
    "ours abrupt, RST": ["/reset", null],
  };
  let expected = [1005, ""];
  if (title === "theirs with code and reason") {
    stream.close({ closeCode: 4002, reason: "theirs ✓" });
    expected = [4002, "theirs ✓"];
  } else if (title === "theirs without code") stream.close();
  else if (title === "theirs by the end of writable") await writer.close();
  else {
    const [command, outcome] = commands[title];
    await peer.send(command);
    expected = outcome;
  }
  const outcome = await stream.closed.then(
    ({ closeCode, reason }) => [closeCode, reason],
    () => null,
  );
  if (outcome === null && can.closedMayReject && title.startsWith("theirs")) return;
  if (JSON.stringify(outcome) !== JSON.stringify(expected)) {
    throw new Error(`closed gave ${JSON.stringify(outcome)} instead of ${JSON.stringify(expected)}`);
  }
}

async function expectStreamEcho(peer, message) {
  const [, received] = await Promise.all([peer.send(message), peer.receive()]);
  if (typeof message === "string") {
    if (received !== message)
      throw new Error(`Text of ${message.length} came back as ${String(received).slice(0, 80)}`);
    return;
  }
  const bytes = ArrayBuffer.isView(received) ? received : new Uint8Array(received);
  if (bytes.byteLength !== message.byteLength || bytes.some((byte, index) => byte !== message[index])) {
    throw new Error(`${message.byteLength} bytes came back changed, as ${bytes.byteLength}`);
  }
}
