import net from "node:net";
import type { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";
import type { ByteTransport, ByteTransportListener } from "../connection/byte-transport.ts";
import { moveToStaticRead, readBytes, readTlsStatically } from "./static-read.ts";

/** Where a stream keeps its transport: listeners are functions that all share, called with the stream as `this`. */
const transportKey: unique symbol = Symbol("transport");

/** What a socket has beyond a Duplex; an HTTP/2 stream or a proxy's tunnel may lack any of it. */
interface SocketLike extends Duplex {
  [transportKey]?: DuplexTransport;
  readonly remoteAddress?: string | undefined;
  readonly session?: { readonly socket?: { readonly remoteAddress?: string | undefined } } | undefined;
  setNoDelay?(isNoDelay: boolean): unknown;
  setTimeout?(ms: number): unknown;
  ref?(): unknown;
  unref?(): unknown;
}

/** An idle connection is paid for by what it keeps: never changed. */
const NOTHING_HELD: Uint8Array[] = [];

let onData: (this: SocketLike, chunk: Uint8Array) => void;
let onEnd: (this: SocketLike) => void;
let onClose: (this: SocketLike) => void;
let onError: (this: SocketLike, error: Error) => void;

/**
 * Any Node Duplex (TCP, TLS, an HTTP/2 stream) as a {@link ByteTransport}.
 *
 * Theory of operation. Reading is the stream's flowing mode: `'data'` plus `pause()` and `resume()`; while paused Node holds
 * at most one more chunk (RX4: 64 KiB). Writing asks each write's callback, which Node calls when the kernel has taken
 * all of its bytes; `'drain'` would only tell when *everything* is gone (S2). A plain TCP socket whose `writableLength` is 0
 * right after `write()` has handed all of it to the kernel, so that memory is free at once; TLS and HTTP/2 never do.
 *
 * Half-open: a FIN never ends our side by itself. When to answer it is the engine's decision (T01, T02), not Node's.
 */
export class DuplexTransport implements ByteTransport {
  #remoteAddress: string | null = null;
  #duplex: SocketLike;
  readonly #readsStatically: boolean;
  #isReadStatically = false;
  /** Only the kernel's own socket may be believed when nothing is left to write. */
  readonly #isKernelSocket: boolean;
  /** A Duplex that is no socket may hand the memory on by reference, and must not see it change. */
  readonly #mustCopy: boolean;
  #listener: ByteTransportListener | null = null;
  #unsentBytes = 0;
  /** Sizes of the writes whose callback is due, oldest first; 0 for one that was already reported as taken. */
  #pendingSizes: number[] = [];
  #pendingIndex = 0;
  /** One function for all writes: Node then settles those of one turn together. */
  #onWritten: ((error?: Error | null) => void) | null = null;
  #isReading = false;
  /** FIN was seen while paused, or before start: told on resume, since it stands behind everything unread. */
  #hasUntoldEnd = false;
  /** What a TLS socket decrypted of the read during which it was paused, at most 64 KiB (RX4). */
  #held: Uint8Array[] = NOTHING_HELD;
  #isEndTold = false;
  #isEnding = false;
  #isClosed = false;
  #error: Error | null = null;

  /**
   * @param options `readsStatically` false stays with `'data'` events where a shared buffer could be read into;
   *   `remoteAddress` is that of the socket, if the caller has asked for it already
   */
  constructor(duplex: Duplex, options: { readsStatically?: boolean; remoteAddress?: string } = {}) {
    this.#duplex = duplex;
    this.#readsStatically = options.readsStatically ?? true;
    // `""` is no answer: an HTTP/2 stream has its address elsewhere.
    this.#remoteAddress = options.remoteAddress || null;
    const isTls = duplex instanceof TLSSocket;
    this.#isKernelSocket = duplex instanceof net.Socket && !isTls;
    this.#mustCopy = !this.#isKernelSocket && !isTls;
    const socket: SocketLike = duplex;
    // From here on no error of the stream can leave, even if start() is never called or the transport is long gone,
    // nothing flows, and a FIN does not end our side.
    socket[transportKey] = this;
    duplex.on("error", onError);
    duplex.pause();
    duplex.allowHalfOpen = true;
  }

  /** Asks the system once, and only if somebody wants to know: it is to be asked while the connection is there. */
  get remoteAddress(): string {
    const socket = this.#duplex;
    this.#remoteAddress ??= socket.remoteAddress ?? socket.session?.socket?.remoteAddress ?? "";
    return this.#remoteAddress;
  }

  get unsentBytes(): number {
    return this.#unsentBytes;
  }

  get unreadBytes(): number {
    return this.#held.reduce((sum, chunk) => sum + chunk.byteLength, this.#duplex.readableLength);
  }

  start(listener: ByteTransportListener): void {
    this.#listener = listener;
    const duplex = this.#duplex;
    if (duplex.destroyed) {
      // 'close' may be past already.
      this.#error ??= duplex.errored;
      setImmediate(() => this.#noteClosed());
      return;
    }
    duplex.setNoDelay?.(true);
    // An HTTP server's socket comes with that server's idle timeout.
    duplex.setTimeout?.(0);
    this.#listen(this.#moveToStaticRead() ?? duplex);
    if (duplex.readableEnded) this.#hasUntoldEnd = true;
  }

  /** The stream that carries the bytes now: not the one that was given, if its handle was moved. */
  get duplex(): Duplex {
    return this.#duplex;
  }

  /** Whether the shared buffer is read into; known after `start()`. */
  get isReadStatically(): boolean {
    return this.#isReadStatically;
  }

  /** Writes what belongs to the opening handshake, Latin-1, in front of everything; it does not count as unsent. */
  writeHead(head: string): void {
    this.#duplex.write(head, "latin1");
  }

  #moveToStaticRead(): net.Socket | null {
    if (!this.#readsStatically) return null;
    const duplex = this.#duplex;
    if (duplex instanceof TLSSocket) {
      this.#isReadStatically = readTlsStatically(duplex, (chunk) => this.#noteDecrypted(chunk));
      return null;
    }
    if (!this.#isKernelSocket) return null;
    const moved = moveToStaticRead(this.#duplex as net.Socket, (length) => {
      this.#listener?.onData(readBytes(length), true);
      return true;
    });
    if (moved === null) return null;
    const socket: SocketLike = moved;
    socket[transportKey] = this;
    moved.on("error", onError);
    this.#duplex = moved;
    this.#isReadStatically = true;
    return moved;
  }

  #listen(duplex: Duplex): void {
    if (!this.#isReadStatically) duplex.on("data", onData);
    duplex.on("end", onEnd);
    duplex.on("close", onClose);
    duplex.pause();
  }

  write(bytes: Uint8Array): boolean {
    const duplex = this.#duplex;
    const byteLength = bytes.length;
    this.#unsentBytes += byteLength;
    // After the end nothing is accepted any more, and nothing pretends to be.
    if (this.#isClosed || this.#isEnding || duplex.destroyed) return false;
    this.#onWritten ??= (error) => this.#noteWritten(error);
    const index = this.#pendingSizes.push(byteLength) - 1;
    try {
      duplex.write(this.#mustCopy ? new Uint8Array(bytes) : bytes, this.#onWritten);
    } catch (error) {
      // A foreign Duplex whose _write() throws.
      duplex.destroy(error as Error);
      return false;
    }
    if (!this.#isKernelSocket || duplex.writableLength !== 0 || duplex.destroyed) return false;
    this.#unsentBytes -= byteLength;
    this.#pendingSizes[index] = 0;
    return true;
  }

  pause(): void {
    this.#isReading = false;
    this.#duplex.pause();
  }

  resume(): void {
    this.#isReading = true;
    if (this.#hasUntoldEnd || this.#held.length > 0) process.nextTick(() => this.#tellHeld());
    else this.#duplex.resume();
  }

  end(): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    this.#duplex.end();
  }

  destroy(): void {
    this.#duplex.destroy();
  }

  setReferenced(isReferenced: boolean): void {
    if (isReferenced) this.#duplex.ref?.();
    else this.#duplex.unref?.();
  }

  #noteWritten(error?: Error | null): void {
    const size = this.#pendingSizes[this.#pendingIndex++] as number;
    if (this.#pendingIndex === this.#pendingSizes.length) {
      this.#pendingSizes.length = 0;
      this.#pendingIndex = 0;
    } else if (this.#pendingIndex === 1024) {
      this.#pendingSizes.splice(0, 1024);
      this.#pendingIndex = 0;
    }
    if (error || size === 0 || this.#isClosed) return;
    this.#unsentBytes -= size;
    this.#listener?.onAccepted(size);
  }

  #noteData(chunk: Uint8Array): void {
    if (this.#isReading) {
      this.#listener?.onData(chunk, false);
      return;
    }
    // Somebody else called read() or resume(): the bytes go back to where they came from.
    this.#duplex.pause();
    this.#duplex.unshift(chunk);
  }

  /** @returns whether the socket may go on reading */
  #noteDecrypted(chunk: Uint8Array): boolean {
    if (this.#isReading && this.#held.length === 0) this.#listener?.onData(chunk, true);
    else if (this.#held.length > 0) this.#held.push(chunk.slice());
    else this.#held = [chunk.slice()];
    return this.#isReading;
  }

  /** After resume(): first what came while nothing was to come. */
  #tellHeld(): void {
    while (this.#isReading && this.#held.length > 0) this.#listener?.onData(this.#held.shift() as Uint8Array, false);
    if (!this.#isReading || this.#isClosed) return;
    if (this.#hasUntoldEnd) this.#tellEnd();
    else this.#duplex.resume();
  }

  #noteEnd(): void {
    this.#hasUntoldEnd = true;
    if (this.#isReading && this.#held.length === 0) this.#tellEnd();
  }

  #tellEnd(): void {
    if (!this.#isReading || this.#isEndTold || this.#isClosed) return;
    this.#isEndTold = true;
    this.#listener?.onEnd();
  }

  #noteClosed(): void {
    if (this.#isClosed) return;
    const duplex = this.#duplex;
    duplex.off("data", onData);
    duplex.off("end", onEnd);
    duplex.off("close", onClose);
    // The listener for 'error' stays: a stream may fail once more while it is torn down.
    if (this.#hasUntoldEnd && this.#error === null && !this.#isEndTold) {
      this.#isEndTold = true;
      for (const chunk of this.#held) this.#listener?.onData(chunk, false);
      this.#listener?.onEnd();
    }
    this.#held = NOTHING_HELD;
    this.#isClosed = true;
    this.#listener?.onClose(this.#error);
    this.#listener = null;
  }

  static {
    const transportOf = (duplex: SocketLike) => duplex[transportKey] as DuplexTransport;
    onData = function (this: SocketLike, chunk: Uint8Array): void {
      transportOf(this).#noteData(chunk);
    };
    onEnd = function (this: SocketLike): void {
      transportOf(this).#noteEnd();
    };
    onClose = function (this: SocketLike): void {
      transportOf(this).#noteClosed();
    };
    onError = function (this: SocketLike, error: Error): void {
      transportOf(this).#error ??= error;
      // Of a record that is no TLS, or was tampered with, Node only tells: it leaves the socket as it is, deaf.
      if (!this.destroyed) this.destroy();
    };
  }
}
