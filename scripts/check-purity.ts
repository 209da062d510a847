// The pure packages compute: no timers, no clock, no randomness, no environment (the imports are the dependency rules' matter).
//   node scripts/check-purity.ts [root]
import { spawnSync } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = process.argv[2] ?? ".";
const folders = globSync("packages/{core,http,engine,compiler,api}/src", { cwd: root }).map((folder) =>
  join(root, folder),
);
const config = fileURLToPath(new URL("../.oxlintrc.pure.json", import.meta.url));
const oxlint = fileURLToPath(new URL("../node_modules/.bin/oxlint", import.meta.url));

const lint = spawnSync(
  oxlint,
  ["--config", config, "--disable-nested-config", "--no-error-on-unmatched-pattern", ...folders],
  {
    stdio: "inherit",
  },
);

// `new Date(instant)` is arithmetic, `new Date()` and `Date()` read the clock: a difference the linter's rules cannot tell.
const readsClock = /\bDate\s*\(\s*\)|\bnew\s+Date\b(?!\s*\()/;
const comment = /^\s*(\/\/|\/?\*)/;
let found = 0;
for (const file of folders.flatMap((folder) => globSync(`${folder}/**/*.ts`))) {
  if (file.endsWith(".test.ts") || file.includes("/src/testing/")) continue;
  for (const [index, line] of readFileSync(file, "utf8").split("\n").entries()) {
    if (comment.test(line) || !readsClock.test(line)) continue;
    console.log(
      `${file}:${index + 1}: a pure package reads no clock (Date without an instant): time comes in as an argument`,
    );
    found++;
  }
}

process.exitCode = lint.status === 0 && found === 0 ? 0 : 1;
