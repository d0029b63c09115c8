import { buildExample } from "./build-example.mjs";

await buildExample(`${import.meta.dirname}/dist`);
