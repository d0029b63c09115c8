import { WebSocketError, type WebSocketStream } from "sluice";

export type Message = string | Uint8Array;

/** An open connection to something that sends back what it gets. */
export interface EchoChannel {
  readonly stream: WebSocketStream;
  send(message: Message): Promise<void>;
  receive(): Promise<Message>;
}

/** How a connection ended: what `closed` gave. */
export type Ending =
  | { isClean: true; closeCode: number; reason: string }
  | { isClean: false; closeCode: number | null };

/** Waits for the end. Other errors than a WebSocketError are thrown on. */
export function endingOf(stream: WebSocketStream): Promise<Ending> {
  return stream.closed.then(
    ({ closeCode, reason }) => ({ isClean: true, closeCode, reason }) as const,
    (error: unknown) => {
      if (!(error instanceof WebSocketError)) throw error;
      return { isClean: false, closeCode: error.closeCode } as const;
    },
  );
}

/** Messages as they are. */
export async function openPlain(stream: WebSocketStream): Promise<EchoChannel> {
  const { readable, writable } = await stream.opened;
  const reader = readable.getReader();
  const writer = writable.getWriter();
  // A test that waits for the end sees it at `closed`.
  reader.closed.catch(() => {});
  writer.closed.catch(() => {});
  return {
    stream,
    send: (message) => writer.write(message as string | Uint8Array<ArrayBuffer>),
    async receive() {
      const { done, value } = await reader.read();
      if (done) throw new Error("The stream ended instead of giving a message");
      return value;
    },
  };
}

/**
 * Bytes in any cuts. Sent in messages of 64 KiB, each when the one before is back: websocketd stands still when more is under
 * way than the pipes to its program hold.
 */
export async function openByteStream(stream: WebSocketStream): Promise<EchoChannel> {
  const channel = await openPlain(stream);
  const reader = new ByteReader(channel.receive);
  const echoes = new MessageBox();
  let last = Promise.resolve();
  const exchange = async (bytes: Buffer): Promise<void> => {
    const pieces: Buffer[] = [];
    for (let start = 0; start < bytes.byteLength; start += 65_536) {
      const piece = bytes.subarray(start, start + 65_536);
      await channel.send(piece);
      pieces.push(await reader.take(piece.byteLength));
    }
    echoes.put(Buffer.concat(pieces));
  };
  return {
    stream,
    send(message) {
      last = last.then(() => exchange(Buffer.from(message)));
      return last;
    },
    receive: () => echoes.take(),
  };
}

/** Hands messages over in order, whoever comes first. */
class MessageBox {
  readonly #messages: Message[] = [];
  readonly #takers: ((message: Message) => void)[] = [];

  put(message: Message): void {
    const taker = this.#takers.shift();
    if (taker === undefined) this.#messages.push(message);
    else taker(message);
  }

  take(): Promise<Message> {
    const message = this.#messages.shift();
    return message === undefined ? new Promise((resolve) => this.#takers.push(resolve)) : Promise.resolve(message);
  }
}

/** Reads a byte stream that comes in messages of any cut. */
class ByteReader {
  readonly #receive: () => Promise<Message>;
  #buffered = Buffer.alloc(0);

  constructor(receive: () => Promise<Message>) {
    this.#receive = receive;
  }

  async take(byteLength: number): Promise<Buffer> {
    if (this.#buffered.byteLength < byteLength) {
      const chunks = [this.#buffered];
      for (let total = this.#buffered.byteLength; total < byteLength; ) {
        const chunk = Buffer.from(await this.#receive());
        chunks.push(chunk);
        total += chunk.byteLength;
      }
      this.#buffered = Buffer.concat(chunks);
    }
    const bytes = this.#buffered.subarray(0, byteLength);
    this.#buffered = this.#buffered.subarray(byteLength);
    return bytes;
  }

  async takeLine(): Promise<string> {
    while (!this.#buffered.includes("\r\n")) {
      this.#buffered = Buffer.concat([this.#buffered, Buffer.from(await this.#receive())]);
    }
    const end = this.#buffered.indexOf("\r\n");
    return (await this.take(end + 2)).subarray(0, end).toString();
  }
}

/** MQTT 3.1.1: subscribes to a topic and publishes to it. Each control packet is one message here. */
export async function openMqtt(stream: WebSocketStream): Promise<EchoChannel> {
  const channel = await openPlain(stream);
  const reader = new ByteReader(channel.receive);
  const topic = withLength("sluice");
  const clientId = withLength(`sluice-${process.pid}-${Math.trunc(performance.now() * 1000)}`);
  // MQTT 3.1.1 §3.1: protocol name and level 4, clean session, no keep-alive.
  await channel.send(packet(0x10, Buffer.concat([withLength("MQTT"), Buffer.from([4, 2, 0, 0]), clientId])));
  expectPacket(await receivePacket(reader), 0x20, "CONNACK");
  await channel.send(packet(0x82, Buffer.concat([Buffer.from([0, 1]), topic, Buffer.from([0])])));
  expectPacket(await receivePacket(reader), 0x90, "SUBACK");
  return {
    stream,
    send: (message) => channel.send(packet(0x30, Buffer.concat([topic, Buffer.from(message)]))),
    async receive() {
      const publish = await receivePacket(reader);
      expectPacket(publish, 0x30, "PUBLISH");
      return publish.body.subarray(topic.byteLength);
    },
  };
}

function withLength(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([Buffer.from([bytes.byteLength >> 8, bytes.byteLength & 0xff]), bytes]);
}

/** MQTT 3.1.1 §2.2: the length in groups of seven bits, lowest first. */
function packet(type: number, body: Buffer): Buffer<ArrayBuffer> {
  const head = [type];
  let rest = body.byteLength;
  do {
    head.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
    rest >>>= 7;
  } while (rest > 0);
  return Buffer.concat([Buffer.from(head), body]);
}

async function receivePacket(reader: ByteReader): Promise<{ type: number; body: Buffer }> {
  const [type] = await reader.take(1);
  let byteLength = 0;
  for (let shift = 0; ; shift += 7) {
    const [group] = await reader.take(1);
    byteLength |= (group & 0x7f) << shift;
    if (group < 0x80) return { type, body: await reader.take(byteLength) };
  }
}

function expectPacket({ type }: { type: number }, wanted: number, name: string): void {
  if (type !== wanted) throw new Error(`Expected ${name}, got a packet of type 0x${type.toString(16)}`);
}

/** NATS: subscribes to a subject and publishes to it. */
export async function openNats(stream: WebSocketStream): Promise<EchoChannel> {
  const channel = await openPlain(stream);
  const reader = new ByteReader(channel.receive);
  await reader.takeLine(); // INFO
  await channel.send(Buffer.from('CONNECT {"verbose":false,"pedantic":false}\r\nSUB sluice 1\r\nPING\r\n'));
  for (let line = ""; line !== "PONG"; ) line = await reader.takeLine();
  return {
    stream,
    async send(message) {
      const payload = Buffer.from(message);
      const head = Buffer.from(`PUB sluice ${payload.byteLength}\r\n`);
      await channel.send(Buffer.concat([head, payload, Buffer.from("\r\n")]));
    },
    async receive() {
      for (;;) {
        const line = await reader.takeLine();
        if (line.startsWith("MSG ")) {
          const payload = await reader.take(Number(line.split(" ").at(-1)));
          await reader.take(2);
          return payload;
        }
        if (line !== "PING") throw new Error(`Unexpected line of NATS: ${line}`);
        await channel.send(Buffer.from("PONG\r\n"));
      }
    },
  };
}
