import type { Connection } from "../../packages/sluice/src/connection/connection.ts";
import type { WebSocket } from "../../packages/sluice/src/legacy/websocket.ts";
import { ReadyState } from "../../packages/sluice/src/protocol/ready-state.ts";
import type { BlobReads } from "./blob-reads.ts";
import { addContent, type Content, readId } from "./content.ts";
import type { WireMonitor } from "./wire-monitor.ts";

/** What the listeners of one socket do. */
export interface Listening {
  /** Option `awaitListeners`: then some listeners return a promise that does not settle before the model says so. */
  readonly isAwaited: boolean;
  /** For the message at this place, modulo: the listener returns such a promise. */
  readonly stalls: readonly boolean[];
  /** The listener of the message at this place answers from within; -1: none. */
  readonly answersAt: number;
  /** The listener of the message at this place closes; -1: none. */
  readonly closesAt: number;
}

/**
 * One WebSocket of the legacy class as the model uses it. It knows at each moment what `bufferedAmount` must be to the byte
 * and which events may come, and notes in `problems` what is otherwise: a listener must not throw.
 */
export class LegacySide {
  readonly socket: WebSocket;
  readonly name: string;
  readonly monitor: WireMonitor;
  readonly problems: string[] = [];
  /** Types of the events that were fired. */
  readonly events: string[] = [];
  /** Numbers of the messages that were dispatched. */
  readonly received: number[] = [];
  /** Messages that `send()` took while the socket was open and no Close had come or gone, in order. */
  readonly taken: number[] = [];
  closeEvent: { readonly code: number; readonly reason: string; readonly wasClean: boolean } | null = null;
  /** A message did not fit `maxBufferedBytes`. */
  wasFull = false;
  /** This side gave up messages that come: it called close(). */
  hasDiscarded = false;
  /** Listeners stall no more. */
  isCatchingUp = false;
  readonly #listening: Listening;
  readonly #maxBufferedBytes: number;
  readonly #contents: Map<number, Content>;
  readonly #blobs: BlobReads;
  #connection: Connection | null = null;
  /** Payload bytes of all that `send()` was given. */
  #givenBytes = 0;
  /** What `bufferedAmount` was at the end of the last task, and what was given since. */
  #amount = 0;
  /** `bufferedAmount` minus `#givenBytes` once the socket is closed: nothing leaves any more. */
  #settledDifference: number | null = null;
  #readyState: ReadyState = ReadyState.CONNECTING;
  #stalled: (() => void)[] = [];
  #isCloseTaken = false;
  readonly #reading: Promise<void>[] = [];

  constructor(
    socket: WebSocket,
    name: string,
    monitor: WireMonitor,
    options: {
      listening: Listening;
      maxBufferedBytes: number;
      contents: Map<number, Content>;
      blobs: BlobReads;
    },
  ) {
    this.socket = socket;
    this.name = name;
    this.monitor = monitor;
    this.#listening = options.listening;
    this.#maxBufferedBytes = options.maxBufferedBytes;
    this.#contents = options.contents;
    this.#blobs = options.blobs;
    socket.addEventListener("open", (event) => this.#onEvent(event));
    socket.addEventListener("message", (event) => {
      this.#onEvent(event);
      return this.#onMessage(event.data as string | ArrayBuffer | Blob);
    });
    socket.addEventListener("error", (event) => this.#onEvent(event));
    socket.addEventListener("close", (event) => {
      this.#onEvent(event);
      const { code, reason, wasClean } = event;
      this.closeEvent ??= { code, reason, wasClean };
    });
  }

  /** The connection below, once the handshake is done. */
  set connection(connection: Connection) {
    this.#connection = connection;
  }

  /** Ended, with nothing that this side did not get: the peer's Close was seen behind all messages. */
  get hasEverything(): boolean {
    return this.closeEvent !== null && this.closeEvent.code !== 1006 && !this.hasDiscarded;
  }

  send(content: Content): void {
    const { socket } = this;
    const { id, kind } = content;
    const bytes = kind === "text" ? null : content.bytes;
    const data =
      bytes === null
        ? content.text
        : kind === "buffer"
          ? bytes.buffer
          : kind === "view"
            ? bytes
            : this.#blobs.create(bytes);
    const readyState = socket.readyState;
    const isOpen = readyState === ReadyState.OPEN && this.#connection?.readyState === ReadyState.OPEN;
    const isFull = this.#amount + content.byteLength > this.#maxBufferedBytes;
    let error: unknown = null;
    try {
      socket.send(data);
    } catch (thrown) {
      error = thrown;
    }
    // What is sent asynchronously must have been copied.
    bytes?.fill(0xee);
    if (readyState === ReadyState.CONNECTING) {
      this.#expect((error as Error | null)?.name === "InvalidStateError", `send() while connecting gave ${error}`);
      return;
    }
    this.#expect(error === null, `send() in state ${readyState} threw ${error}`);
    this.#givenBytes += content.byteLength;
    this.#amount += content.byteLength;
    if (isOpen && isFull) this.wasFull = true;
    else if (isOpen) this.taken.push(id);
    this.checkWithinTask();
  }

  close(closeCode: number | undefined, reason: string): void {
    this.hasDiscarded = true;
    const before = this.socket.readyState;
    this.socket.close(closeCode, reason);
    this.#readyState = before === ReadyState.CLOSED ? before : ReadyState.CLOSING;
    this.checkWithinTask();
  }

  /** Lets the promise settle that a listener returned first. @returns whether there was one */
  release(): boolean {
    const release = this.#stalled.shift();
    release?.();
    return release !== undefined;
  }

  /** While a task runs, `bufferedAmount` only grows, and by exactly what send() is given; nor does the state change. */
  checkWithinTask(): void {
    this.#checkAmount(this.#amount, "within a task");
    this.#checkState();
  }

  /** Between tasks `bufferedAmount` is what was given and the system has not taken; later nothing leaves any more. */
  checkBetweenTasks(): void {
    this.#amount = this.#givenBytes + (this.#settledDifference ?? -this.monitor.takenPayload);
    this.#checkAmount(this.#amount, "between tasks");
    this.#readyState = Math.max(this.#readyState, this.socket.readyState) as ReadyState;
    this.#checkState();
  }

  /** Bounds of what the connection holds. What `send()` was given is unbounded, and told by `bufferedAmount`. */
  checkBounds(limits: {
    maxMessageBytes: number;
    sendLimitBytes: number;
    reserveIn: number;
    reserveOut: number;
  }): void {
    const connection = this.#connection;
    if (connection === null) return;
    const held = connection.heldBytes;
    this.#expect(held.in >= 0 && held.out >= 0, `holds ${held.in} bytes in and ${held.out} out`);
    this.#expect(held.in <= limits.maxMessageBytes + limits.reserveIn, `holds ${held.in} bytes in`);
    this.#expect(held.out <= this.#amount + limits.reserveOut, `holds ${held.out} bytes out`);
    this.#expect(connection.unsentBytes <= limits.sendLimitBytes + limits.reserveOut, "is far ahead of the system");
    if (!this.#listening.isAwaited || this.hasDiscarded) return;
    const waiting = connection.counters.messagesReceived - this.received.length;
    this.#expect(waiting <= 1, `${waiting} messages wait for listeners that are awaited`);
  }

  /** What must hold in the end, when everything has had its time. */
  async checkEnd(peer: WireMonitor): Promise<void> {
    await Promise.all(this.#reading);
    const heldBytes = (this.#connection?.heldBytes.out ?? 0) - this.monitor.unsentBytes;
    this.#expect(heldBytes <= 0, `still holds ${heldBytes} bytes out`);
    const { closeEvent } = this;
    const order = this.events
      .map((type) => ({ open: "o", message: "m", error: "e", close: "c" })[type] ?? "?")
      .join("");
    this.#expect(/^(om*)?e?c$/.test(order), `events ${order}`);
    this.#expect(this.socket.readyState === ReadyState.CLOSED, `readyState ${this.socket.readyState}`);
    if (closeEvent === null) return;
    const { code, reason, wasClean } = closeEvent;
    this.#expect(order.includes("e") === (code === 1006), `events ${order} for close code ${code}`);
    if (code === 1006) this.#expect(reason === "" && !wasClean, `1006 with ${JSON.stringify(closeEvent)}`);
    else {
      this.#expect(peer.close?.closeCode === code && peer.close.reason === reason, `${code} is not the peer's code`);
    }
    // Spec-digest 2.5 "Clean".
    const sent = this.monitor.messages;
    const isClean = code !== 1006 && this.#isCloseTaken && this.taken.length === sent.length;
    this.#expect(wasClean === isClean, `wasClean is ${wasClean}: took ${this.taken}, sent ${sent}, code ${code}`);
    this.#expect(
      sent.every((id, i) => id === this.taken[i]),
      `took ${this.taken} and sent ${sent}`,
    );
  }

  #onEvent({ type }: Event): void {
    const { socket } = this;
    this.#expect(!isInTask, `${type} in the task of another event`);
    isInTask = true;
    void afterMicrotasks().then(() => {
      isInTask = false;
    });
    this.#expect(!this.events.includes("close"), `${type} behind close`);
    const expectedState = type === "open" || type === "message" ? ReadyState.OPEN : ReadyState.CLOSED;
    this.#expect(socket.readyState === expectedState, `${type} in state ${socket.readyState}`);
    this.#expect(this.#stalled.length === 0 || expectedState === ReadyState.CLOSED, `${type} overtook a listener`);
    this.events.push(type);
    if (type === "error" || (type === "close" && this.#settledDifference === null)) {
      // A clean end leaves nothing; an unclean one without `error` was settled one task earlier.
      const leastTaken = this.#givenBytes - this.#amount;
      const { bufferedAmount } = socket;
      const isPossible =
        bufferedAmount <= this.#givenBytes - leastTaken &&
        bufferedAmount >= this.#givenBytes - this.monitor.takenPayload &&
        (type !== "error" || bufferedAmount === this.#givenBytes - this.monitor.takenPayload);
      this.#expect(isPossible, `bufferedAmount ${bufferedAmount} at ${type}`);
      this.#settledDifference = bufferedAmount - this.#givenBytes;
    }
    if (type === "close") this.#isCloseTaken = this.monitor.isCloseTaken;
    this.checkBetweenTasks();
  }

  #onMessage(data: string | ArrayBuffer | Blob): Promise<void> | undefined {
    const place = this.received.length;
    this.#receive(data, place);
    const { isAwaited, stalls, answersAt, closesAt } = this.#listening;
    if (place === answersAt) {
      this.send(addContent(this.#contents, "view", 1000));
      this.send(addContent(this.#contents, "text", 10));
    }
    if (place === closesAt) this.close(undefined, "enough");
    if (!isAwaited || this.isCatchingUp || stalls[place % stalls.length] !== true) return undefined;
    return new Promise((resolve) => this.#stalled.push(resolve));
  }

  #receive(data: string | ArrayBuffer | Blob, place: number): void {
    const { binaryType } = this.socket;
    if (typeof data === "string" || data instanceof ArrayBuffer) {
      this.#expect(
        typeof data === "string" || binaryType === "arraybuffer",
        `an ArrayBuffer for binaryType ${binaryType}`,
      );
      this.received.push(this.#check(typeof data === "string" ? data : new Uint8Array(data)));
      return;
    }
    this.#expect(binaryType === "blob", `a Blob for binaryType ${binaryType}`);
    this.received.push(Number.NaN);
    this.#reading.push(
      this.#blobs.read(data).then((buffer) => {
        this.received[place] = this.#check(new Uint8Array(buffer));
      }),
    );
  }

  #check(message: string | Uint8Array): number {
    const id = readId(message);
    this.#expect(this.#contents.get(id)?.equals(message) === true, `message ${id} is damaged`);
    return id;
  }

  #checkAmount(expected: number, when: string): void {
    const { bufferedAmount } = this.socket;
    this.#expect(bufferedAmount === expected, `bufferedAmount ${bufferedAmount} ${when}, not ${expected}`);
  }

  #checkState(): void {
    const { readyState } = this.socket;
    this.#expect(readyState === this.#readyState, `readyState ${readyState}, not ${this.#readyState}`);
  }

  #expect(holds: boolean, text: string): void {
    if (!holds) this.problems.push(`${this.name}: ${text}`);
  }
}

/** D-26: an event of any socket is being handled, or microtasks that its listeners may have queued are. */
let isInTask = false;

async function afterMicrotasks(): Promise<void> {
  for (let hop = 0; hop < 10; hop++) await null;
}
