/** Where a connection is when the process at its other end dies; `victim-program.ts` brings it there. */
export const VICTIM_POINTS = [
  "before a byte",
  "in the handshake",
  "at rest",
  "in a header",
  "in a frame",
  "in a message",
  "in a Close frame",
  "behind messages that nobody read",
  "while it reads nothing",
  "behind our Close",
  "behind both Close frames",
] as const;
export type VictimPoint = (typeof VICTIM_POINTS)[number];

/** The path that says so to a process that accepts. */
export const pathOf = (point: VictimPoint): string => `/${VICTIM_POINTS.indexOf(point)}`;

/** Whether the connection is not open yet. */
export const isHandshake = (point: VictimPoint): boolean => point === "before a byte" || point === "in the handshake";
