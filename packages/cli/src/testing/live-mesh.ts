import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import type { MeshMode } from "@heddle/api";
import { setTimeout as delay } from "node:timers/promises";
import { atEnd } from "./at-end.ts";
import { HeddleProcess } from "./heddle-process.ts";

/** `heddle up` of a folder, ended with the test whatever happens. */
export function startMesh(
  context: TestContext,
  folder: string,
  mode: MeshMode = "ports",
  env: Readonly<Record<string, string>> = {},
): HeddleProcess {
  const heddle = new HeddleProcess(["up", folder, "--mode", mode], { env });
  atEnd(context, () => heddle.dispose());
  return heddle;
}

/** Where the edge listens, once the mesh is ready. */
export async function edgeUrl(heddle: HeddleProcess): Promise<string> {
  await heddle.line(/ is ready after /);
  return /http:\S+/.exec(await heddle.line(/^ {2}edge /))?.[0] ?? "";
}

/** Asks until the answer is the expected one; capped by the test's own time-out. */
export async function answers(url: string, expected: string): Promise<void> {
  for (;;) {
    const text = await fetch(url).then(
      (response) => response.text(),
      (error: unknown) => String(error),
    );
    if (text === expected) return;
    await delay(20);
  }
}

/** Ends every process of the mesh whose command matches, as a crash would. */
export function kill(heddle: HeddleProcess, pattern: RegExp): void {
  const found = heddle.family().filter(({ command }) => pattern.test(command));
  assert.ok(found.length > 0, `no process matches ${pattern}`);
  for (const { pid } of found) process.kill(pid, "SIGKILL");
}
