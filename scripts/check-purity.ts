// The pure packages compute: no timers, no clock, no randomness, no environment (the imports are the dependency rules' matter).
//   node scripts/check-purity.ts [root]
import { spawnSync } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = process.argv[2] ?? ".";
const files = globSync("packages/{core,http,engine,compiler,api}/src/**/*.ts", { cwd: root })
  // Tests, and what only tests import, may do as they please.
  .filter((file) => !file.endsWith(".test.ts") && !file.includes("/src/testing/"))
  .map((file) => join(root, file));
if (files.length === 0) throw new Error(`${root} holds no sources of pure packages`);
const config = fileURLToPath(new URL("../.oxlintrc.pure.json", import.meta.url));
const oxlint = fileURLToPath(new URL("../node_modules/.bin/oxlint", import.meta.url));

const lint = spawnSync(oxlint, ["--config", config, "--disable-nested-config", ...files], { stdio: "inherit" });

// `new Date(instant)` is arithmetic, `new Date()` and `Date()` read the clock: a difference the linter's rules cannot tell.
const readsClock = /\bDate\s*\(\s*\)|\bnew\s+Date\b(?!\s*\()/;
const comment = /^\s*(\/\/|\/?\*)/;
let found = 0;
for (const file of files) {
  for (const [index, line] of readFileSync(file, "utf8").split("\n").entries()) {
    if (comment.test(line) || !readsClock.test(line)) continue;
    console.log(
      `${file}:${index + 1}: a pure package reads no clock (Date without an instant): time comes in as an argument`,
    );
    found++;
  }
}

process.exitCode = lint.status === 0 && found === 0 ? 0 : 1;
