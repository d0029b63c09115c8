import net from "node:net";
import tls from "node:tls";

/** The head of an HTTP response, as it came. */
export interface RawResponse {
  readonly status: number;
  readonly text: string;
  /** Lower-case names; repeated fields are joined with ", ". */
  readonly headers: Readonly<Record<string, string>>;
  /** Everything up to and including the empty line. */
  readonly head: string;
}

/** A socket that speaks what a test tells it to, and keeps what comes until a test asks for it. */
export class RawClient {
  readonly socket: net.Socket;
  #received = Buffer.alloc(0);
  #hasEnded = false;
  #isClosed = false;
  #wake: () => void = () => {};

  constructor(socket: net.Socket) {
    this.socket = socket;
    socket.on("data", (chunk) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#wake();
    });
    socket.on("end", () => {
      this.#hasEnded = true;
      this.#wake();
    });
    socket.on("close", () => {
      this.#isClosed = true;
      this.#wake();
    });
    socket.on("error", () => {}); // 'close' follows, and what a test waits for settles then
  }

  static async connect(port: number, options: tls.ConnectionOptions | null = null): Promise<RawClient> {
    const target = { port, host: "127.0.0.1", allowHalfOpen: true };
    const socket = options === null ? net.connect(target) : tls.connect({ ...target, ...options });
    const client = new RawClient(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once(options === null ? "connect" : "secureConnect", () => resolve());
      socket.once("error", reject);
    });
    return client;
  }

  /** Connects and sends a valid request. */
  static async upgrade(port: number, init: RequestInit = {}): Promise<RawClient> {
    const client = await RawClient.connect(port);
    client.send(createRequest(init));
    return client;
  }

  get receivedBytes(): number {
    return this.#received.byteLength;
  }

  send(data: string | Uint8Array): void {
    this.socket.write(data);
  }

  /** Waits for a head and takes it. @throws if the connection ends before */
  async response(): Promise<RawResponse> {
    await this.#until(() => this.#received.includes("\r\n\r\n"));
    const end = this.#received.indexOf("\r\n\r\n") + 4;
    const head = this.#received.subarray(0, end).toString("latin1");
    this.#received = this.#received.subarray(end);
    return parseHead(head);
  }

  /** Waits for so many bytes and takes them. */
  async bytes(byteLength: number): Promise<Buffer> {
    await this.#until(() => this.#received.byteLength >= byteLength);
    const bytes = this.#received.subarray(0, byteLength);
    this.#received = this.#received.subarray(byteLength);
    return bytes;
  }

  /** Waits for the server's end of sending; returns what came before and was not taken. */
  async rest(): Promise<Buffer> {
    await this.#until(() => this.#hasEnded || this.#isClosed);
    return this.#received;
  }

  /** Waits until the connection is gone in both directions. */
  async closed(): Promise<void> {
    await this.#until(() => this.#isClosed);
  }

  /** Ends without ceremony. */
  destroy(): void {
    this.socket.destroy();
  }

  async #until(isTrue: () => boolean): Promise<void> {
    while (!isTrue()) {
      if (this.#isClosed)
        throw new Error(`The connection ended with ${JSON.stringify(this.#received.toString("latin1"))}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

/** What of a valid request differs; a field of null is left out. */
export interface RequestInit {
  readonly line?: string;
  readonly fields?: Readonly<Record<string, string | null | readonly string[]>>;
}

/** The key of RFC 6455 §1.3; its accept value is `s3pPLMBiTxaQ9kYGzzhZRbK+xOo=`. */
export const KEY = "dGhlIHNhbXBsZSBub25jZQ==";

export function createRequest({ line = "GET / HTTP/1.1", fields = {} }: RequestInit = {}): string {
  const all: Record<string, string | null | readonly string[]> = {
    Host: "localhost",
    Upgrade: "websocket",
    Connection: "Upgrade",
    "Sec-WebSocket-Key": KEY,
    "Sec-WebSocket-Version": "13",
    ...fields,
  };
  const lines = Object.entries(all).flatMap(([name, value]) => {
    if (value === null) return [];
    return (typeof value === "string" ? [value] : value).map((element) => `${name}: ${element}\r\n`);
  });
  return `${line}\r\n${lines.join("")}\r\n`;
}

function parseHead(head: string): RawResponse {
  const [statusLine, ...lines] = head.split("\r\n").slice(0, -2);
  const [, status, text] = /^HTTP\/1\.1 (\d{3}) (.*)$/.exec(statusLine) ?? [];
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(":");
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    headers[name] = name in headers ? `${headers[name]}, ${value}` : value;
  }
  return { status: Number(status), text, headers, head };
}
