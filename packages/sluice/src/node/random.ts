import { randomFillSync } from "node:crypto";

/**
 * Fills `target` with bytes of the system's cryptographic generator.
 *
 * RFC 6455 §5.3: "The masking key MUST be derived from a strong source of entropy"; the caller pools, since one call
 * costs as much for four bytes as for some thousand.
 */
export function fillRandom(target: Uint8Array): void {
  randomFillSync(target);
}
