/** What must not happen, and the check that fails when it does. */
export const FAULT_CHECKS = {
  lost: "nothing acknowledged was lost",
  gap: "nothing acknowledged was lost",
  duplicate: "nothing came twice or was made up",
  invented: "nothing came twice or was made up",
  "after the final one": "nothing came twice or was made up",
  corrupt: "nothing was damaged",
  handshake: "every connection opened and ended as it had to",
  unclean: "every connection opened and ended as it had to",
  unreported: "every connection opened and ended as it had to",
  unsettled: "every promise settled",
  unhandled: "nothing failed unseen",
  warning: "nothing failed unseen",
  server: "nothing failed unseen",
  process: "nothing failed unseen",
  held: "no connection held more than its bound",
} as const;

export type FaultCategory = keyof typeof FAULT_CHECKS;

/** Something that must not happen, and did. */
export interface Fault {
  readonly category: FaultCategory;
  /** Where and how, for people. */
  readonly text: string;
}
