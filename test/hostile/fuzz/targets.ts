import { connection } from "./connection-target.ts";
import { credit } from "./credit-target.ts";
import { frames } from "./frames-target.ts";
import { extensions, request, response } from "./handshake-targets.ts";

/** Something that takes bytes of a stranger. @throws {Error} if one of its promises does not hold for this input */
export type Target = (input: Uint8Array) => void | Promise<void>;

/** Everything that is fuzzed, by the name of its folder in the corpus. */
export const TARGETS: Readonly<Record<string, Target>> = { frames, connection, request, response, extensions, credit };

/** Those whose corpus is text. */
export const TEXT_TARGETS: readonly string[] = ["request", "response", "extensions", "credit"];
