import { CreditCodec, CreditEvent } from "../../../packages/sluice/src/flow-control/credit-codec.ts";
import { ProtocolError } from "../../../packages/sluice/src/protocol/protocol-error.ts";
import { check, checkSame } from "./check.ts";
import { type CreditLimits, ReferenceCredit } from "./reference-credit.ts";

/** What the first character of an input says about the rest. */
interface Setting extends CreditLimits {
  readonly windowBytes: number;
  readonly maxWindowBytes: number;
  /** Records are sent at once, or only where a line says so. */
  readonly isPrompt: boolean;
}

function toSetting(flags: number): Setting {
  const windowBytes = flags & 1 ? 65_536 : 200_000;
  return {
    windowBytes,
    maxWindowBytes: flags & 2 ? windowBytes : 4 * windowBytes,
    maxMessageBytes: flags & 4 ? 300 : 1_000_000,
    maxPieces: flags & 8 ? 4 : 1_000,
    isPrompt: (flags & 16) === 0,
  };
}

/**
 * `=` text, `@` and a number: text so long, `#` and a number: binary so long, `!` our reader takes a message, `>` our side sends
 * what waits; anything else is a record. `^` stands for U+0010.
 */
function toStep(line: string): { readonly wire: string | Uint8Array } | { readonly act: "read" | "send" } {
  const rest = line.slice(1).replaceAll("^", "\u0010");
  const length = Math.min(Math.max(Number.parseInt(rest, 10) || 0, 0), 70_000);
  switch (line[0]) {
    case "!":
      return { act: "read" };
    case ">":
      return { act: "send" };
    case "=":
      return { wire: rest };
    case "@":
      return { wire: "\u00e9".repeat(length) };
    case "#":
      return { wire: new Uint8Array(length).fill(length) };
    default:
      return { wire: `\u0010${line.replaceAll("^", "\u0010")}` };
  }
}

/** The first line is a {@link Setting}, the others are steps. */
export function credit(input: Uint8Array): void {
  const [flags = "", ...lines] = Buffer.from(input).toString("latin1").split("\n");
  new Session(toSetting(flags.charCodeAt(0) || 0)).run(lines);
}

class Session {
  readonly #setting: Setting;
  readonly #codec: CreditCodec;
  readonly #reference: ReferenceCredit;
  /** What the reader has to get, by the reference. */
  readonly #expected: (string | Uint8Array)[] = [];
  #hasEnded = false;

  constructor(setting: Setting) {
    this.#setting = setting;
    this.#codec = new CreditCodec(setting);
    this.#reference = new ReferenceCredit(setting);
  }

  run(lines: readonly string[]): void {
    for (const [index, line] of lines.entries()) {
      const step = toStep(line);
      if ("act" in step) step.act === "read" ? this.#read() : this.#send();
      else if (!this.#receive(step.wire, 3 * index)) return;
      if (this.#setting.isPrompt) this.#send();
      this.#checkMemory();
    }
    while (this.#expected.length > 0) this.#read();
    check(this.#codec.next(false) !== CreditEvent.MESSAGE, "no message more than the reference has");
    this.#send();
    check(this.#reference.balance <= this.#setting.maxWindowBytes, `a balance of ${this.#reference.balance}`);
  }

  /** @returns false if that was the end */
  #receive(wire: string | Uint8Array, now: number): boolean {
    const outcome = this.#reference.receive(wire);
    try {
      this.#codec.receive(typeof wire === "string" ? wire : wire.slice(), now);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      const closeCode = outcome.kind === "failure" ? outcome.closeCode : null;
      checkSame(error.closeCode, closeCode, `${show(wire)} fails with ${error.message}`);
      return false;
    }
    check(outcome.kind !== "failure", `${show(wire)} has to fail`);
    if (outcome.kind === "message") this.#expected.push(outcome.message);
    return true;
  }

  #read(): void {
    const event = this.#codec.next(true);
    const expected = this.#expected.shift();
    if (expected !== undefined) {
      check(event === CreditEvent.MESSAGE, "a message is handed out as soon as it is wanted");
      const { message, messageByteLength } = this.#codec;
      const bytes = Buffer.from(message as string);
      const isSame = typeof message === typeof expected && bytes.equals(Buffer.from(expected as string));
      check(isSame, "it is the one that was sent");
      check(messageByteLength === bytes.byteLength, "messageByteLength is the message's");
    } else if (event === CreditEvent.END) {
      check(this.#reference.isDone && !this.#hasEnded, "the end comes once, behind all messages");
      this.#hasEnded = true;
    } else {
      check(event === CreditEvent.NEED_DATA, "no message comes that was not sent");
    }
  }

  /** What our side says must be right, too: the peer believes it. */
  #send(): void {
    for (let record = this.#codec.takeRecord(); record !== null; record = this.#codec.takeRecord()) {
      const [mark, kind, content] = [record[0], record[1], record.slice(2)];
      check(mark === "\u0010", "a record begins with its mark");
      if (kind === "C") {
        check(/^[1-9]\d{0,9}$/.test(content), `a grant of ${content}`);
        this.#reference.balance += Number(content);
        check(this.#reference.balance <= this.#codec.accounts.window, "what is granted is in the window");
      } else {
        checkSame([kind, content], ["Q", this.#reference.token], "else only pings are answered, and the last one");
        this.#reference.token = null;
      }
    }
    checkSame(this.#codec.grantedBytes, this.#reference.balance, "both know what the peer may send");
  }

  /** §5: apart from the message that the reader waits for. */
  #checkMemory(): void {
    const { windowBytes, maxWindowBytes, maxMessageBytes } = this.#setting;
    const { accounts, queuedBytes } = this.#codec;
    check(accounts.window >= windowBytes && accounts.window <= maxWindowBytes, `a window of ${accounts.window}`);
    check(queuedBytes <= accounts.window + 65_535 + maxMessageBytes, `${queuedBytes} bytes are held`);
  }
}

const show = (wire: string | Uint8Array): string =>
  typeof wire === "string" ? JSON.stringify(wire.slice(0, 50)) : `${wire.byteLength} bytes`;
