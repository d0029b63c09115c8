/** What a wire message of the peer leads to. */
export type CreditOutcome =
  | { readonly kind: "nothing" }
  | { readonly kind: "failure"; readonly closeCode: 4009 | 1009 }
  | { readonly kind: "message"; readonly message: string | Uint8Array };

export interface CreditLimits {
  readonly maxMessageBytes: number;
  readonly maxPieces: number;
}

const NOTHING: CreditOutcome = { kind: "nothing" };
const FAULT: CreditOutcome = { kind: "failure", closeCode: 4009 };
const TOO_LONG: CreditOutcome = { kind: "failure", closeCode: 1009 };

/**
 * docs/flow-control.md for somebody who receives, once more and as simply as it can be said. It shares no code with the library.
 */
export class ReferenceCredit {
  readonly #limits: CreditLimits;
  /** What the peer may still send. */
  balance = 65_536;
  /** What we may send; nothing is. */
  #ours = 65_536;
  isDone = false;
  #pieces: (string | Uint8Array)[] | null = null;
  /** The token of the last ping that was not answered. */
  token: string | null = null;

  constructor(limits: CreditLimits) {
    this.#limits = limits;
  }

  receive(wire: string | Uint8Array): CreditOutcome {
    if (typeof wire !== "string") return this.#receiveData(wire, wire.byteLength);
    const byteLength = new TextEncoder().encode(wire).byteLength;
    if (!wire.startsWith("\u0010")) return this.#receiveData(wire, byteLength);
    // §4: text that begins with U+0010 has one more in front.
    if (wire.startsWith("\u0010\u0010")) return this.#receiveData(wire.slice(1), byteLength);
    return this.#receiveRecord(wire.slice(1, 2), wire.slice(2));
  }

  #receiveData(data: string | Uint8Array, wireBytes: number): CreditOutcome {
    // §8: behind the end, too long, or without credit.
    if (this.isDone || wireBytes > 65_536 || this.balance <= 0) return FAULT;
    this.balance -= wireBytes + 128;
    if (this.#pieces === null) return { kind: "message", message: data };
    if (this.#pieces.some((piece) => typeof piece !== typeof data)) return FAULT;
    this.#pieces.push(data);
    const bytes = this.#pieces.reduce((sum, piece) => sum + Buffer.from(piece as string).byteLength, 0);
    const isTooLong = bytes > this.#limits.maxMessageBytes || this.#pieces.length > this.#limits.maxPieces;
    return isTooLong ? TOO_LONG : NOTHING;
  }

  #receiveRecord(kind: string, content: string): CreditOutcome {
    const pieces = this.#pieces;
    switch (kind) {
      case "B":
        if (pieces !== null || this.isDone) return FAULT;
        this.#pieces = [];
        return NOTHING;
      case "F":
        if (pieces === null || pieces.length === 0) return FAULT;
        this.#pieces = null;
        return { kind: "message", message: joined(pieces) };
      case "A":
        if (pieces === null) return FAULT;
        this.#pieces = null;
        return NOTHING;
      case "E":
        if (pieces !== null || this.isDone) return FAULT;
        this.isDone = true;
        return NOTHING;
      case "C":
        if (!/^[1-9][0-9]*$/.test(content) || BigInt(content) + BigInt(this.#ours) > 2_147_483_647n) return FAULT;
        this.#ours += Number(content);
        return NOTHING;
      case "P":
      case "Q":
        if (content.length > 32) return FAULT;
        if (kind === "P") this.token = content;
        return NOTHING;
      case "W":
        return NOTHING;
      default:
        // §3: small letters are left for later versions.
        return kind >= "a" && kind <= "z" ? NOTHING : FAULT;
    }
  }
}

function joined(pieces: readonly (string | Uint8Array)[]): string | Uint8Array {
  if (typeof pieces[0] === "string") return pieces.join("");
  return new Uint8Array(Buffer.concat(pieces as readonly Uint8Array[]));
}
