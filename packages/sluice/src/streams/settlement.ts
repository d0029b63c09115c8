/**
 * A promise and its outcome, marked as handled from the start (D-05): `opened` and `closed` reject together, and an
 * outcome that nobody asked for must not end a Node process.
 *
 * The promise is made when it is asked for: an idle connection of a server has none.
 */
export class Settlement<Value> {
  #promise: Promise<Value> | null = null;
  /** Of a promise that was asked for before the outcome. */
  #resolvers: Resolvers<Value> | null = null;
  #outcome: Outcome<Value> | null = null;

  /** The same object each time. */
  get promise(): Promise<Value> {
    if (this.#promise === null) {
      this.#promise = new Promise((resolve, reject) => {
        const resolvers = { resolve, reject };
        if (this.#outcome === null) this.#resolvers = resolvers;
        else settle(resolvers, this.#outcome);
      });
      this.#promise.catch(ignore);
    }
    return this.#promise;
  }

  /** Only the first outcome counts. */
  resolve(value: Value): void {
    this.#settle({ isFulfilled: true, value });
  }

  /** Only the first outcome counts. */
  reject(reason: unknown): void {
    this.#settle({ isFulfilled: false, reason });
  }

  #settle(outcome: Outcome<Value>): void {
    if (this.#outcome !== null) return;
    this.#outcome = outcome;
    if (this.#resolvers !== null) settle(this.#resolvers, outcome);
    this.#resolvers = null;
  }
}

interface Resolvers<Value> {
  resolve(value: Value): void;
  reject(reason: unknown): void;
}

type Outcome<Value> = { isFulfilled: true; value: Value } | { isFulfilled: false; reason: unknown };

function settle<Value>(resolvers: Resolvers<Value>, outcome: Outcome<Value>): void {
  if (outcome.isFulfilled) resolvers.resolve(outcome.value);
  else resolvers.reject(outcome.reason);
}

function ignore(): void {}
