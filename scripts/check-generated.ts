// Runs every generator with --check: what is checked in must be what the generator writes today.
import { spawnSync } from "node:child_process";
import { globSync, readFileSync } from "node:fs";

const generators = globSync([
  "scripts/generate-*.ts",
  "scripts/complete-lock-file.ts",
  "packages/*/scripts/generate-*.ts",
])
  // A file that knows no --check is a part of a generator, not one itself.
  .filter((file) => !file.endsWith(".test.ts") && readFileSync(file, "utf8").includes("--check"))
  .sort();

const stale = generators.filter(
  (file) => spawnSync(process.execPath, [file, "--check"], { stdio: "inherit" }).status !== 0,
);
for (const file of stale) console.log(`stale: run \`node ${file}\` and commit the result`);
console.log(`${generators.length - stale.length} of ${generators.length} generators are up to date`);
process.exitCode = stale.length === 0 ? 0 : 1;
