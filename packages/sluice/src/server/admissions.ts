import { refuseAtLimit } from "./refusal.ts";
import { addressKey } from "./remote-address.ts";

/** What may be there at once. */
export interface AdmissionLimits {
  readonly maxConnections: number;
  readonly maxPendingHandshakes: number;
  readonly maxConnectionsPerAddress: number;
}

/** One admitted handshake, later connection. */
export interface Admission {
  /** It is a connection from now on. */
  open(): void;
  /** It is gone. May be called again. */
  release(): void;
}

/** Counts handshakes and connections against the limits (H32). Two numbers and a map: nothing is scanned. */
export class Admissions {
  readonly #limits: AdmissionLimits;
  readonly #perAddress = new Map<string, number>();
  #pendingCount = 0;
  #openCount = 0;

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
  }

  get pendingCount(): number {
    return this.#pendingCount;
  }

  get openCount(): number {
    return this.#openCount;
  }

  /**
   * Admits a handshake of this address.
   *
   * @throws {UpgradeRefusedError} 503 or 429 if a limit is reached
   */
  admit(address: string): Admission {
    const limits = this.#limits;
    if (this.#openCount + this.#pendingCount >= limits.maxConnections) {
      throw refuseAtLimit(503, "The server has as many connections as it may have", "maxConnections");
    }
    if (this.#pendingCount >= limits.maxPendingHandshakes) {
      throw refuseAtLimit(503, "The server has as many handshakes to answer as it may have", "maxPendingHandshakes");
    }
    const key = limits.maxConnectionsPerAddress === Number.POSITIVE_INFINITY ? null : this.#countAddress(address);
    this.#pendingCount++;
    return new Admissions.#Admission(this, key);
  }

  static readonly #Admission = class implements Admission {
    readonly #admissions: Admissions;
    /** Null where addresses are not counted. */
    readonly #key: string | null;
    #state: "pending" | "open" | "released" = "pending";

    constructor(admissions: Admissions, key: string | null) {
      this.#admissions = admissions;
      this.#key = key;
    }

    open(): void {
      if (this.#state !== "pending") return;
      this.#state = "open";
      this.#admissions.#pendingCount--;
      this.#admissions.#openCount++;
    }

    release(): void {
      if (this.#state === "released") return;
      if (this.#state === "pending") this.#admissions.#pendingCount--;
      else this.#admissions.#openCount--;
      this.#state = "released";
      if (this.#key !== null) this.#admissions.#forget(this.#key);
    }
  };

  /** @returns the key to {@link #forget} */
  #countAddress(address: string): string {
    const key = addressKey(address);
    const count = this.#perAddress.get(key) ?? 0;
    if (count >= this.#limits.maxConnectionsPerAddress) {
      throw refuseAtLimit(429, "Your address has as many connections as it may have", "maxConnectionsPerAddress");
    }
    this.#perAddress.set(key, count + 1);
    return key;
  }

  #forget(key: string): void {
    const count = this.#perAddress.get(key) ?? 0;
    if (count > 1) {
      this.#perAddress.set(key, count - 1);
    } else {
      this.#perAddress.delete(key);
    }
  }
}
