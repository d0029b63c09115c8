// The public API of each entry as text, kept in git so that a change to it is seen in review.
// `pnpm api` writes packages/sluice/api/*.api.md from the built declarations; with --check a difference is a failure.
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { Extractor, ExtractorConfig, ExtractorLogLevel } from "@microsoft/api-extractor";
import { root } from "./run.mjs";

const isCheck = process.argv.includes("--check");
const folder = `${root}packages/sluice/`;
const { exports } = JSON.parse(readFileSync(`${folder}package.json`, "utf8"));
mkdirSync(`${folder}api`, { recursive: true });

let failures = 0;
for (const { types } of Object.values(exports)) {
  const entry = types.replace(/^.*\/|\.d\.ts$/g, "");
  if (!existsSync(folder + types)) {
    fail(`Cannot report on ${entry}: ${types} was not built`);
    continue;
  }
  const config = ExtractorConfig.prepare({
    configObjectFullPath: undefined,
    packageJsonFullPath: `${folder}package.json`,
    configObject: {
      projectFolder: folder,
      mainEntryPointFilePath: folder + types,
      compiler: { overrideTsconfig: compiler(entry) },
      newlineKind: "lf",
      apiReport: {
        enabled: true,
        reportFileName: `${entry}.api.md`,
        reportFolder: `${folder}api`,
        reportTempFolder: `${root}node_modules/.api/`,
        includeForgottenExports: true,
      },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      messages: {
        compilerMessageReporting: { default: { logLevel: ExtractorLogLevel.Error } },
        // The report is about signatures. How a docstring is laid out, and release tags, are not its business.
        extractorMessageReporting: { default: { logLevel: ExtractorLogLevel.None } },
        tsdocMessageReporting: { default: { logLevel: ExtractorLogLevel.None } },
      },
    },
  });
  const result = Extractor.invoke(config, {
    localBuild: !isCheck,
    messageCallback: (message) => {
      // Its advice is to run its own command; ours is below.
      if (message.messageId?.startsWith("console-")) message.logLevel = ExtractorLogLevel.None;
    },
  });
  if (result.errorCount > 0) fail(`Cannot report on ${entry}: the declarations have errors`);
  else if (isCheck && result.apiReportChanged)
    fail(`The API of ${entry} differs from api/${entry}.api.md: run \`pnpm api\` and look at the change`);
  else console.log(`${result.apiReportChanged ? "Wrote" : "Unchanged"}: api/${entry}.api.md`);
}
process.exitCode = failures > 0 ? 1 : 0;

/** @param {string} text */
function fail(text) {
  console.error(text);
  failures += 1;
}

/**
 * A consumer's settings.
 *
 * @param {string} entry
 */
function compiler(entry) {
  return {
    compilerOptions: {
      target: "es2022",
      lib: ["es2023", "esnext.disposable", "dom", "dom.iterable", "dom.asynciterable"],
      module: "nodenext",
      moduleResolution: "nodenext",
      strict: true,
      skipLibCheck: true,
      types: ["node"],
    },
    files: [`dist/${entry}.d.ts`],
  };
}
