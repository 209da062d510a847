// Runs every generator: with --check, so that what is checked in is what the generator writes today.
//   node scripts/check-generated.ts           exit 1 when a generated file is stale
//   node scripts/check-generated.ts --write   writes them all (npm run generate)
import { spawnSync } from "node:child_process";
import { globSync, readFileSync } from "node:fs";

const generators = globSync([
  "scripts/generate-*.ts",
  "packages/*/scripts/generate-*.ts",
  "scripts/complete-lock-file.ts",
])
  // A file that knows no --check is a part of a generator, not one itself.
  .filter((file) => !file.endsWith(".test.ts") && readFileSync(file, "utf8").includes("--check"))
  .sort();

const isWriting = process.argv.includes("--write");
const mode = isWriting ? [] : ["--check"];
const failed = generators.filter(
  (file) => spawnSync(process.execPath, [file, ...mode], { stdio: "inherit" }).status !== 0,
);
for (const file of failed) {
  console.log(isWriting ? `${file} failed` : `stale: run \`npm run generate\` (${file}) and commit the result`);
}
console.log(
  `${generators.length - failed.length} of ${generators.length} generators ${isWriting ? "ran" : "are up to date"}`,
);
process.exitCode = failed.length === 0 ? 0 : 1;
