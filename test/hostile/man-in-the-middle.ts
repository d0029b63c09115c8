import net from "node:net";
import type { Role } from "./stage.ts";

/** One who sits on the wire between a client and a server, and does to the bytes what a test wants. */
export class ManInTheMiddle {
  readonly #server: net.Server;
  readonly #sockets: Partial<Record<Role, net.Socket>> = {};
  readonly #isCut: Record<Role, boolean> = { client: false, server: false };
  /** What becomes of the bytes on their way to each side; nothing is done to them by default. */
  readonly filters: Record<Role, (bytes: Buffer) => Uint8Array> = {
    client: (bytes) => bytes,
    server: (bytes) => bytes,
  };

  /** Whether FIN of one side goes to the other. */
  passesEnd = true;

  /** Stands in front of a port of this machine, for one connection. */
  static async stand(port: number): Promise<ManInTheMiddle> {
    const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new ManInTheMiddle(server, port);
  }

  private constructor(server: net.Server, port: number) {
    this.#server = server;
    server.on("connection", (near) => {
      const far = net.connect({ port, host: "127.0.0.1", allowHalfOpen: true });
      this.#carry(near, far, "server");
      this.#carry(far, near, "client");
    });
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port;
  }

  /** Sends something of his own. */
  send(to: Role, bytes: Uint8Array): void {
    this.#sockets[to]?.write(bytes);
  }

  /** FIN: nothing more comes through to this side. */
  end(to: Role): void {
    this.#isCut[to] = true;
    this.#sockets[to]?.end();
  }

  /** RST to this side. */
  reset(to: Role): void {
    this.#isCut[to] = true;
    this.#sockets[to]?.resetAndDestroy();
  }

  destroy(): void {
    for (const socket of Object.values(this.#sockets)) socket.destroy();
    this.#server.close();
  }

  #carry(from: net.Socket, to: net.Socket, side: Role): void {
    this.#sockets[side] = to;
    from.on("data", (bytes) => {
      if (this.#isCut[side]) return;
      const passed = this.filters[side](bytes);
      if (!this.#isCut[side] && passed.byteLength > 0) to.write(passed);
    });
    from.on("end", () => {
      if (this.passesEnd && !this.#isCut[side]) to.end();
    });
    from.on("error", () => {
      if (!this.#isCut[side]) to.resetAndDestroy();
    });
    from.resume();
  }
}
