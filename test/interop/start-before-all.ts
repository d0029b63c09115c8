import { beforeAll, beforeEach } from "vitest";

/** As `beforeAll`; but when it fails each test fails with its error, so that a missing peer is counted and never skipped. */
export function startBeforeAll(start: () => Promise<void>): void {
  let failure: unknown = null;
  beforeAll(async () => {
    try {
      await start();
    } catch (error) {
      failure = error;
    }
  });
  beforeEach(() => {
    if (failure !== null) throw failure;
  });
}
