import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { readCorpus } from "./corpus.ts";
import { errorOf, minimise, writeCrash } from "./crash-file.ts";
import { fuzz } from "./fuzz.ts";
import { findTargets, loadTarget } from "./targets.ts";

for (const [name, file] of findTargets()) {
  test(`what must hold of ${name} holds of its corpus and of mutations of it`, async () => {
    const result = await fuzz({ file, corpus: readCorpus(name), seed: 20_260_101, durationMs: 60_000, maxInputs: 150 });
    assert.equal(result.crash?.error, undefined, JSON.stringify(result.crash?.input.toString("latin1")));
    assert.ok(result.inputs >= 150);
    assert.ok(result.blocks > 0, "the target runs code that is covered");
  });
}

/** A target outside of the repository, where its own code counts as what is under test. */
async function planted(t: TestContext, body: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "heddle-planted-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, "planted.mjs");
  await writeFile(
    file,
    `export const target = { about: "", seeds: ["a long way to go"], dictionary: [], run(input) { ${body} } };`,
  );
  return file;
}

// All three at once are one in millions of inputs; one after another each is one in a few hundred.
const deep = `
  if ((input[0] & 15) !== 2) return;
  if ((input[1] & 15) !== 5) return;
  if ((input[2] & 15) !== 7) return;
  throw new Error("planted");`;

test("coverage leads to a bug behind three conditions, the same way for the same seed, and its input crashes again", async (t) => {
  const file = await planted(t, deep);
  const options = { file, corpus: [], seed: 2, durationMs: 90_000, maxInputs: 20_000 };
  const first = await fuzz(options);
  assert.ok(first.crash !== undefined);
  assert.match(first.crash.error, /planted/);
  assert.deepEqual((await fuzz(options)).crash?.input, first.crash.input);
  const target = await loadTarget(file);
  const smallest = minimise(target, first.crash.input);
  assert.equal(smallest.length, 3);
  const path = writeCrash(join(file, "..", "crashes"), "planted", smallest);
  assert.match(String(errorOf(target, await readFile(path))), /planted/);
});

test("an input that hangs, and one that takes all memory, are crashes", async (t) => {
  const hanging = await planted(t, `if (input.length > 20) for (;;) ;`);
  const hang = await fuzz({ file: hanging, corpus: [], seed: 1, durationMs: 60_000, hangMs: 500 });
  assert.match(hang.crash?.error ?? "", /took more than 500 ms/);
  assert.ok((hang.crash?.input.length ?? 0) > 20);
  const greedy = await planted(t, `if (input.length > 20) for (const all = []; ; ) all.push(new Array(1e6).fill({}));`);
  const spent = await fuzz({ file: greedy, corpus: [], seed: 1, durationMs: 60_000, hangMs: 60_000, memoryMb: 64 });
  assert.match(spent.crash?.error ?? "", /memory/);
  assert.ok((spent.crash?.input.length ?? 0) > 20);
});
