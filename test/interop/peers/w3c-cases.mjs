// The cases of a client with the WebSocket interface of the HTML standard. Runs everywhere, so it imports nothing; a page
// gets its text. Each case has a connection of its own; its result is one line of JSON.

/**
 * @param WebSocketClass the constructor
 * @param base address of the server
 * @param names the cases to run
 * @param report gets { case, ok, detail } for each
 * @param can what the peer can do beyond the standard: ping(socket), fragments(socket), terminate(socket), reset(socket);
 *   and `endings`: what its close event says where that is not what the standard asks for
 */
export async function runCases(WebSocketClass, base, names, report, can = {}) {
  for (const name of names) {
    let detail = "";
    try {
      await withTimeout(runCase(WebSocketClass, base, name, can));
    } catch (error) {
      detail = String(error?.stack ?? error);
    }
    report({ case: name, ok: detail === "", detail });
  }
}

function withTimeout(promise) {
  let timer;
  const timeout = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("Nothing came for 20 seconds")), 20_000);
  });
  return Promise.race([promise, timeout]).finally(() => clearTimeout(timer));
}

async function runCase(WebSocketClass, base, name, can) {
  const peer = await open(WebSocketClass, base, name);
  const [group, title] = name.split(": ");
  if (group === "close") {
    await runClose(peer, title, can);
    return;
  }
  if (name === "fragments: theirs to us") {
    can.fragments(peer.socket);
    const expected = "0123456789abcdef".repeat(1024 * 5);
    if ((await peer.receive()) !== expected) throw new Error("The fragments came back changed");
  } else if (name === "pings: ours to them") {
    peer.socket.send("/await-pong");
    if ((await peer.receive()) !== "pong seen") throw new Error("Not what was expected");
  } else if (name === "pings: theirs to us") {
    const payload = await can.ping(peer.socket);
    if (payload !== undefined && String(payload) !== "are you there") throw new Error(`Pong with ${payload}`);
    peer.socket.send("/await-ping");
    if ((await peer.receive()) !== "ping seen") throw new Error("Not what was expected");
  } else if (group === "deflate") {
    const text = "All streams flow into the sea, yet the sea is never full. ".repeat(40);
    for (let round = 0; round < 3; round++) await expectEcho(peer, text);
    await expectEcho(peer, createBytes(300_000));
  } else await runMessages(peer, title);
  peer.socket.close(1000);
  await peer.closed;
}

async function runMessages(peer, title) {
  if (title === "text") await expectEcho(peer, "Hello");
  else if (title === "multi-byte text") await expectEcho(peer, "Schleuse, écluse, 水門 🌊 ".repeat(10_000));
  else if (title === "empty text") await expectEcho(peer, "");
  else if (title === "empty binary") await expectEcho(peer, new Uint8Array());
  else if (title === "100 in a row keep their order") {
    for (let index = 0; index < 100; index++) peer.socket.send(`Message ${index}`);
    for (let index = 0; index < 100; index++) {
      const text = await peer.receive();
      if (text !== `Message ${index}`) throw new Error(`Got ${text} for ${index}`);
    }
  } else await expectEcho(peer, createBytes(title === "ours to them" ? 2 ** 20 : Number.parseInt(title, 10)));
}

async function runClose(peer, title, can) {
  const { socket } = peer;
  let expected = null;
  if (title === "ours with code and reason") {
    socket.send("/close 4001 ours ✓");
    expected = [4001, "ours ✓", true];
  } else if (title === "ours without code") {
    socket.send("/close");
    expected = [1005, "", true];
  } else if (title === "ours abrupt, FIN") {
    socket.send("/terminate");
    expected = [1006, "", false];
  } else if (title === "ours abrupt, RST") {
    socket.send("/reset");
    expected = [1006, "", false];
  } else if (title === "theirs with code and reason") {
    socket.close(4002, "theirs ✓");
    expected = [4002, "theirs ✓", true];
  } else if (title === "theirs without code") socket.close();
  else if (title === "theirs abrupt, FIN") can.terminate(socket);
  else can.reset(socket);
  const { code, reason, wasClean } = await peer.closed;
  if (expected === null) return;
  // No reason travels with 1006: what stands there is the peer's own wording of what its system told it.
  const told = JSON.stringify([code, code === 1006 ? "" : reason, wasClean]);
  const wanted = JSON.stringify(can.endings?.[title] ?? expected);
  if (told !== wanted) throw new Error(`Closed with ${told} instead of ${wanted}`);
}

/** A connection whose messages wait until they are asked for. */
function open(WebSocketClass, base, name) {
  const socket = new WebSocketClass(`${base}/?case=${encodeURIComponent(name)}`);
  socket.binaryType = "arraybuffer";
  const messages = [];
  let wake = () => {};
  let hasEnded = false;
  const closed = new Promise((resolve) => {
    socket.onclose = (event) => {
      hasEnded = true;
      wake();
      resolve({ code: event.code, reason: event.reason, wasClean: event.wasClean });
    };
  });
  socket.onmessage = ({ data }) => {
    messages.push(data);
    wake();
  };
  const receive = async () => {
    while (messages.length === 0) {
      if (hasEnded) throw new Error(`Closed instead of a message: ${JSON.stringify(await closed)}`);
      await new Promise((resolve) => {
        wake = resolve;
      });
    }
    return messages.shift();
  };
  return new Promise((resolve, reject) => {
    socket.onopen = () => resolve({ socket, receive, closed });
    socket.onerror = (event) => reject(new Error(`No connection: ${event.message ?? event.error ?? event.type}`));
  });
}

function createBytes(byteLength) {
  const bytes = new Uint8Array(byteLength);
  for (let index = 0; index < byteLength; index++) bytes[index] = (index * 31 + (index >>> 8) * 7) & 0xff;
  return bytes;
}

async function expectEcho(peer, message) {
  peer.socket.send(message);
  const received = await peer.receive();
  if (typeof message === "string") {
    if (received !== message)
      throw new Error(`Text of ${message.length} came back as ${String(received).slice(0, 80)}`);
    return;
  }
  const bytes = new Uint8Array(received);
  if (bytes.byteLength !== message.byteLength || bytes.some((byte, index) => byte !== message[index])) {
    throw new Error(`${message.byteLength} bytes came back changed, as ${bytes.byteLength}`);
  }
}
