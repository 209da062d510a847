import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { forwardOutput } from "./process-output.ts";

async function linesOf(script: string): Promise<string[]> {
  const lines: string[] = [];
  const child = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "pipe"] });
  forwardOutput(child, "app", (source, line, stream) => lines.push(`${source} ${stream} ${line}`));
  await once(child, "close");
  return lines;
}

test("lines come whole, with the name of process and stream", async () => {
  const script = `process.stdout.write("one\\ntw"); setTimeout(() => { process.stdout.write("o\\n"); process.stderr.write("bad\\n"); }, 20)`;
  assert.deepEqual((await linesOf(script)).sort(), ["app stderr bad", "app stdout one", "app stdout two"]);
});

test("a last line without its end is a line", async () => {
  assert.deepEqual(await linesOf(`process.stdout.write("half")`), ["app stdout half"]);
});

test("a line that never ends is cut, so that it does not fill memory", async () => {
  const lines = await linesOf(`process.stdout.write("x".repeat(40_000))`);
  assert.ok(lines.length >= 1);
  assert.equal(
    lines.reduce((sum, line) => sum + line.length - "app stdout ".length, 0),
    40_000,
  );
});

test("characters of several bytes survive being cut in the middle", async () => {
  const script = `const bytes = Buffer.from("√\\n"); process.stdout.write(bytes.subarray(0, 1)); setTimeout(() => process.stdout.write(bytes.subarray(1)), 20)`;
  assert.deepEqual(await linesOf(script), ["app stdout √"]);
});
