// npm run fuzz                              the targets, and what must hold of each
// npm run fuzz -- http2 300                 fuzzes one for 300 s; `all` divides the time among all
// npm run fuzz -- http2 300 --seed 7        the same inputs again, as far as time allows
// npm run fuzz -- http2 300 --keep          inputs that reached something new go into fuzz/corpus
// npm run fuzz -- http2 --input crash.bin   runs one input, as a crash that was found
// Exits 1 when something was found, 2 for wrong usage.
import { readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { parseArgs } from "node:util";
import { keepInCorpus, readCorpus } from "./corpus.ts";
import { errorOf, minimise, writeCrash } from "./crash-file.ts";
import { fuzz } from "./fuzz.ts";
import { findTargets, loadTarget, root } from "./targets.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seed: { type: "string" }, keep: { type: "boolean", default: false }, input: { type: "string" } },
});
const targets = findTargets();
const keptInputs = 15;
const [name, seconds] = positionals;

if (name === undefined) {
  for (const [target, file] of targets) console.log(`${target.padEnd(16)} ${(await loadTarget(file)).about}`);
} else if (values.input !== undefined && targets.has(name)) {
  process.exitCode = await runInput(targets.get(name) as string, values.input);
} else if ((targets.has(name) || name === "all") && Number(seconds) > 0) {
  const chosen = name === "all" ? [...targets.keys()] : [name];
  const seed = Number(values.seed ?? Date.now() % 1_000_000_007);
  for (const target of chosen)
    if (!(await run(target, targets.get(target) as string, (Number(seconds) * 1000) / chosen.length, seed)))
      process.exitCode = 1;
} else {
  console.error(`usage: npm run fuzz -- <target|all> <seconds> [--seed N] [--keep], or <target> --input FILE`);
  console.error(`targets: ${[...targets.keys()].join(", ")}`);
  process.exitCode = 2;
}

async function runInput(file: string, path: string): Promise<number> {
  const error = errorOf(await loadTarget(file), readFileSync(path));
  console.log(error === undefined ? "what must hold does" : error);
  return error === undefined ? 0 : 1;
}

/** @returns false when something was found */
async function run(target: string, file: string, durationMs: number, seed: number): Promise<boolean> {
  console.log(`${target}: ${Math.round(durationMs / 1000)} s with seed ${seed}`);
  const { inputs, blocks, found, crash } = await fuzz({ file, corpus: readCorpus(target), seed, durationMs });
  console.log(`${target}: ${inputs} inputs, ${blocks} blocks, ${found.length} inputs reached something new`);
  // The last reached deepest; all of them would be too many to check in.
  if (values.keep) keepInCorpus(target, found.slice(-keptInputs));
  if (crash === undefined) return true;
  // What hung or ran out of memory would do so again here.
  const isQuick = !/took more than|out of memory/i.test(crash.error);
  const input = isQuick ? minimise(await loadTarget(file), crash.input) : crash.input;
  const path = relative(process.cwd(), writeCrash(join(root, "fuzz", "crashes"), target, input));
  console.log(`${crash.error}\n\n${JSON.stringify(input.toString("latin1"))}`);
  console.log(`the input is in ${path}; again: npm run fuzz -- ${target} --input ${path}`);
  return false;
}
