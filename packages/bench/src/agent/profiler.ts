import { writeFileSync } from "node:fs";
import { Session } from "node:inspector";

/** Takes a CPU profile of the measured phase only, not of the start or the warm-up. */
export class Profiler {
  readonly #session: Session = new Session();
  readonly #path: string;

  /** @param path where to write the .cpuprofile */
  constructor(path: string) {
    this.#path = path;
    this.#session.connect();
    this.#session.post("Profiler.enable");
    this.#session.post("Profiler.setSamplingInterval", { interval: 200 });
  }

  start(): void {
    this.#session.post("Profiler.start");
  }

  stop(): void {
    this.#session.post("Profiler.stop", (error, result) => {
      if (error === null) writeFileSync(this.#path, JSON.stringify(result.profile));
    });
  }
}
