// Runs every `check:*` script of package.json, two at a time, and says which failed; output is shown for failures only.
//   node scripts/run-checks.ts [name…]      all, or only those named (types, lint, …)
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { staleInstall } from "./stale-install.ts";

interface Outcome {
  name: string;
  passed: boolean;
  seconds: number;
  output: string;
}

const concurrency = 2;
const { scripts } = JSON.parse(readFileSync("package.json", "utf8")) as { scripts: Record<string, string> };
const prefix = "check:";
const wanted = process.argv.slice(2);
const known = Object.keys(scripts)
  .filter((script) => script.startsWith(prefix))
  .map((script) => script.slice(prefix.length));
const unknown = wanted.filter((name) => !known.includes(name));
if (unknown.length > 0) {
  console.error(`no such check: ${unknown.join(", ")}; there are ${known.join(", ")}`);
  process.exit(2);
}

const stale = staleInstall(".");
if (stale.length > 0) {
  console.error(`node_modules is not what package-lock.json says (${stale.join(", ")}): run npm ci first`);
  process.exit(2);
}

const waiting = wanted.length > 0 ? wanted : known;
const total = waiting.length;
const failed: Outcome[] = [];

async function runWaiting(): Promise<void> {
  for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
    const outcome = await run(name);
    console.log(`${outcome.passed ? "√" : "×"} ${name.padEnd(12)} ${outcome.seconds.toFixed(1).padStart(5)} s`);
    if (!outcome.passed) failed.push(outcome);
  }
}

function run(name: string): Promise<Outcome> {
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  const start = performance.now();
  const chunks: Buffer[] = [];
  // npm put node_modules/.bin on the PATH of this process; calling npm again for each check would cost half a second apiece.
  const child = spawn("sh", ["-c", scripts[`${prefix}${name}`] ?? "false"], { stdio: ["ignore", "pipe", "pipe"] });
  child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => chunks.push(chunk));
  child.on("error", (error) => chunks.push(Buffer.from(error.message)));
  child.on("close", (code) => {
    const seconds = (performance.now() - start) / 1000;
    resolve({ name, passed: code === 0, seconds, output: Buffer.concat(chunks).toString() });
  });
  return promise;
}

await Promise.all(Array.from({ length: concurrency }, runWaiting));
for (const { name, output } of failed) console.log(`\n── ${name} ${"─".repeat(80 - name.length)}\n${output.trimEnd()}`);
console.log(
  failed.length === 0
    ? `\nall ${total} checks passed`
    : `\n${failed.length} of ${total} checks failed: ${failed.map(({ name }) => `npm run check:${name}`).join(", ")}`,
);
process.exitCode = failed.length === 0 ? 0 : 1;
