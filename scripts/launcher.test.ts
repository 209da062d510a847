import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, test } from "node:test";
import { findPinnedRuntime } from "../packages/cli/bin/pinned-runtime.js";

const folder = mkdtempSync(join(tmpdir(), "heddle-launcher-"));
after(() => rmSync(folder, { recursive: true, force: true }));

// What heddle.js does on an old Node, here on whatever Node runs the tests.
const launcher = join(folder, "launcher.mjs");
const pinned = new URL("../packages/cli/bin/pinned-runtime.js", import.meta.url).href;
writeFileSync(
  launcher,
  `import { runOn } from ${JSON.stringify(pinned)}; runOn(process.execPath, process.argv[2], process.argv.slice(3));`,
);
let programs = 0;

function launch(source: string, ...args: string[]): ChildProcessWithoutNullStreams {
  const main = join(folder, `main-${programs++}.mts`);
  writeFileSync(main, source);
  return spawn(process.execPath, [launcher, main, ...args]);
}

/** Says when it listens to signals, then ends by one alone. */
const waiting = `
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.on(signal, () => { console.log(signal); process.exit(7); });
  }
  console.log("ready");
  setInterval(() => {}, 1000);
`;

test("arguments, standard streams and the exit code are the program's own", async () => {
  const child = launch(
    "process.stdin.on('data', (bytes) => { console.log(process.argv.slice(2).join('|') + bytes); process.exit(5); });",
    "a b",
    "--c",
  );
  const lines = createInterface(child.stdout);
  const line = once(lines, "line");
  child.stdin.write("!");
  assert.deepEqual(await line, ["a b|--c!"]);
  assert.deepEqual(await once(child, "close"), [5, null]);
});

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  test(`${signal} reaches the program, whose exit code is the launcher's`, async () => {
    const child = launch(waiting);
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
    assert.equal((await lines.next()).value, "ready");
    const closed = once(child, "close");
    child.kill(signal);
    assert.equal((await lines.next()).value, signal);
    assert.deepEqual(await closed, [7, null]);
  });
}

test("the program ends, by its own way of ending, when the launcher is killed", async () => {
  const child = launch(waiting);
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  assert.equal((await lines.next()).value, "ready");
  child.kill("SIGKILL");
  assert.equal((await lines.next()).value, "SIGTERM");
  assert.ok((await lines.next()).done, "the program's output has ended");
});

test("a program that a signal ended gives the shell's exit code for it", async () => {
  const child = launch("process.kill(process.pid, 'SIGKILL');");
  assert.deepEqual(await once(child, "close"), [128 + 9, null]);
});

test("what the program forks inherits neither the launcher's channel nor its preload", async () => {
  const child = launch(`console.log(JSON.stringify(process.execArgv));`);
  const [line] = await once(createInterface(child.stdout), "line");
  assert.equal(line, "[]");
  await once(child, "close");
});

test("the pinned runtime of this platform is installed and executable", () => {
  const found = findPinnedRuntime(`${process.platform}-${process.arch}`);
  assert.ok("path" in found, JSON.stringify(found));
  accessSync(found.path, constants.X_OK);
});

test("a platform without a pinned runtime, or without its package, is told what to do", () => {
  assert.deepEqual(findPinnedRuntime("aix-ppc64"), {
    problem: "no pinned runtime exists for aix-ppc64: install Node 26 or newer",
  });
  const other = process.platform === "darwin" ? "linux-x64" : "darwin-arm64";
  const missing = findPinnedRuntime(other);
  assert.match("problem" in missing ? missing.problem : "", /the package node-\S+ is missing: run `npm ci`/);
});
