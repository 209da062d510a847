// docs/reference/coverage.md claims what is done: every claim must name a test or a command that exists.
import { existsSync, readFileSync } from "node:fs";
import { coverageProblems, parseCoverage } from "./coverage-table.ts";

const page = "docs/reference/coverage.md";
const read = (file: string): string | undefined => (existsSync(file) ? readFileSync(file, "utf8") : undefined);
const { scripts } = JSON.parse(readFileSync("package.json", "utf8")) as { scripts: Record<string, string> };

const markdown = read(page);
const lines = markdown === undefined ? [] : parseCoverage(markdown);
const problems =
  markdown === undefined
    ? ["does not exist"]
    : coverageProblems(lines, { read, hasScript: (name) => Object.hasOwn(scripts, name) });

for (const problem of problems) console.log(`${page}: ${problem}`);
const done = lines.filter(({ state }) => state === "done").length;
console.log(`${done} of ${lines.length} capabilities are done`);
process.exitCode = problems.length === 0 ? 0 : 1;
