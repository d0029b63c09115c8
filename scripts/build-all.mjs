// `pnpm build`: runs the build script of every package and example, dependencies first.
import { findPnpm, runOrExit } from "./run.mjs";

const [command, ...first] = findPnpm();
await runOrExit(command, [...first, "--recursive", "run", "build"]);
