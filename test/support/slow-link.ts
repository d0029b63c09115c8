import net from "node:net";

/** A way from one port of this machine to another on which only so much comes through: a network that is slow, but not broken. */
export class SlowLink {
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();
  readonly #timers = new Set<NodeJS.Timeout>();

  private constructor(server: net.Server) {
    this.#server = server;
  }

  /**
   * @param port where it leads
   * @param bytesPerTick what goes on, each way, every 10 ms; what waits fills the kernel's buffers and closes the window
   */
  static async create(port: number, bytesPerTick: number): Promise<SlowLink> {
    const server = net.createServer({ pauseOnConnect: true });
    const link = new SlowLink(server);
    server.on("connection", (near) => link.#join(near, net.connect(port, "127.0.0.1"), bytesPerTick));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return link;
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port;
  }

  destroy(): void {
    for (const timer of this.#timers) clearInterval(timer);
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }

  #join(near: net.Socket, far: net.Socket, bytesPerTick: number): void {
    this.#carry(near, far, bytesPerTick);
    this.#carry(far, near, bytesPerTick);
  }

  /** Reads by hand, so that at most one chunk waits here. */
  #carry(from: net.Socket, to: net.Socket, bytesPerTick: number): void {
    this.#sockets.add(from);
    from.pause();
    from.on("error", () => to.destroy());
    from.on("close", () => to.destroy());
    const timer = setInterval(() => {
      const bytes: Buffer | null = from.read(Math.min(bytesPerTick, from.readableLength) || undefined);
      if (bytes !== null) to.write(bytes);
    }, 10);
    this.#timers.add(timer);
  }
}
