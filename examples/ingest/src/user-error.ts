/** Something the person at the terminal can put right. Shown without a stack trace. */
export class UserError extends Error {
  override readonly name = "UserError";
  /** What to do about it, one sentence. */
  readonly advice: string;
  /** 1: the run failed; 2: the command line was wrong. */
  readonly exitCode: 1 | 2;

  /** @param message what happened and why @param advice what to do about it */
  constructor(message: string, advice: string, options: { exitCode?: 1 | 2; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.advice = advice;
    this.exitCode = options.exitCode ?? 1;
  }
}

/** The innermost cause that has a system error code such as "EADDRINUSE", or null. */
export function findErrorCode(error: unknown): string | null {
  for (let current = error; current instanceof Error; current = current.cause) {
    const { code } = current as { code?: unknown };
    if (typeof code === "string" && /^E[A-Z]+$/.test(code)) return code;
    if (current instanceof AggregateError && current.errors.length > 0) return findErrorCode(current.errors[0]);
  }
  return null;
}
