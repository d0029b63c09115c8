import pc from "picocolors";

/** Colours on a terminal only. The library's own default colours what is piped as well, when the variable CI is set. */
export const colors: ReturnType<typeof pc.createColors> = pc.createColors(
  process.stdout.isTTY === true && pc.isColorSupported,
);
