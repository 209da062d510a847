#!/usr/bin/env node
// Plain JavaScript, understood by Node 20: TypeScript runs only on the pinned runtime, so that is found first.
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { fail, findPinnedRuntime, oldestMajor, runOn } from "./pinned-runtime.js";

// Beside the sources this runs them; in what `npm run build` makes there are none.
const source = new URL("../src/main.ts", import.meta.url);
const main = existsSync(source) ? source : new URL("../lib/main.js", import.meta.url);

if (Number.parseInt(process.versions.node, 10) >= oldestMajor) {
  await import(main.href);
} else {
  const runtime = findPinnedRuntime(`${process.platform}-${process.arch}`);
  if ("problem" in runtime) fail(runtime.problem);
  runOn(runtime.path, fileURLToPath(main), process.argv.slice(2));
}
