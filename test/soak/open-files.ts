/** Files, pipes and libraries of a process, besides its connections. */
const RESERVE = 200;

/**
 * How to start a process that needs so many sockets: a command in front of its own, which raises the soft limit of open files.
 *
 * @param limits of this process; null where it has none
 * @throws {Error} if the hard limit forbids as many
 */
export function openFilesPrefix(sockets: number, limits: OpenFileLimits | null): readonly string[] {
  const needed = sockets + RESERVE;
  if (limits === null || limits.soft >= needed) return [];
  if (limits.hard < needed) {
    throw new Error(
      `${sockets} connections need ${needed} open files in one process, and the hard limit is ${limits.hard}: ` +
        "raise it (as root: ulimit -Hn), or take fewer --connections",
    );
  }
  return ["sh", "-c", `ulimit -Sn ${needed} && exec "$0" "$@"`];
}

export interface OpenFileLimits {
  readonly soft: number;
  readonly hard: number;
}

/** Of this process. Node raises its soft limit as it starts; other ways to start it may not. */
export function readOpenFileLimits(): OpenFileLimits | null {
  const report = process.report?.getReport() as { userLimits?: { open_files?: Record<string, number | string> } };
  const limits = report.userLimits?.open_files;
  if (limits === undefined) return null;
  return { soft: toLimit(limits.soft), hard: toLimit(limits.hard) };
}

function toLimit(value: number | string | undefined): number {
  return typeof value === "number" ? value : Number.POSITIVE_INFINITY; // "unlimited"
}
