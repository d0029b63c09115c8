import type { DeflateFilter } from "../protocol/permessage-deflate/codec.ts";

/**
 * An application's filter as the engine may call it: it answers with a boolean and never throws. A filter that fails says no
 * (what is sent uncompressed gives nothing away by its length), and a process warning tells so, once for each filter.
 */
export function guardFilter(filter: DeflateFilter): DeflateFilter {
  return (message) => {
    try {
      const answer: unknown = filter(message);
      if (typeof answer === "boolean") return answer;
      // An async function is a mistake too, and a rejection of its promise would end the process.
      if (answer instanceof Promise) answer.catch(() => {});
      warn(filter, new TypeError(`it must return a boolean and returned a value of type ${typeof answer}`));
    } catch (error) {
      warn(filter, error);
    }
    return false;
  };
}

const warned: WeakSet<DeflateFilter> = new WeakSet();

function warn(filter: DeflateFilter, error: unknown): void {
  if (warned.has(filter)) return;
  warned.add(filter);
  const detail = error instanceof Error ? error.stack : undefined;
  const message = `A perMessageDeflate.filter failed, so its messages are sent uncompressed: ${String(error)}`;
  process.emitWarning(message, { type: "SluiceWarning", code: "SLUICE_DEFLATE_FILTER", detail });
}
