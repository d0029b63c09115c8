import { creditTests, limitTests, nativeTests, pressureTests, type TestContext, tests } from "./page-tests.ts";

/** Runs one test here, or in a worker made of this same script. Fulfils with what went wrong, or null. */
const all = { ...tests, ...pressureTests, ...limitTests, ...nativeTests, ...creditTests };

async function runHere(name: string, context: TestContext): Promise<string | null> {
  const unhandled: string[] = [];
  const onUnhandled = (event: PromiseRejectionEvent): void => {
    unhandled.push(String(event.reason));
  };
  globalThis.addEventListener("unhandledrejection", onUnhandled as EventListener);
  try {
    await all[name](context);
    return null;
  } catch (error) {
    return `${String(error)}\n${(error as Error)?.stack ?? ""}`;
  } finally {
    globalThis.removeEventListener("unhandledrejection", onUnhandled as EventListener);
  }
}

function runInWorker(name: string, context: TestContext): Promise<string | null> {
  const worker = new Worker("page.js");
  return new Promise<string | null>((resolve) => {
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = (event) => resolve(`Worker: ${event.message}`);
    worker.postMessage({ name, context });
  }).finally(() => worker.terminate());
}

Object.assign(globalThis, { runHere, runInWorker });
if (typeof document === "undefined") {
  globalThis.addEventListener("message", async ({ data }: MessageEvent) => {
    globalThis.postMessage(await runHere(data.name, data.context));
  });
}
