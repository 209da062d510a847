import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import type { TestContext } from "node:test";
import { atEnd } from "./at-end.ts";
import { HeddleProcess } from "./heddle-process.ts";
import { temporaryFolder } from "./temporary-folder.ts";

export interface LiveDemo {
  readonly heddle: HeddleProcess;
  readonly temporary: string;
  readonly url: string;
  /** With mesh.yaml and the state of the mesh. */
  readonly folder: string;
}

/** `heddle demo` with a temporary folder of its own, open for customers. */
export async function openDemo(context: TestContext): Promise<LiveDemo> {
  const temporary = temporaryFolder(context);
  const heddle = new HeddleProcess(["demo", "--mode", "ports", "--port", "0"], { env: { TMPDIR: temporary } });
  atEnd(context, () => heddle.dispose());
  const url = /http:\S+/.exec(await heddle.line(/The bookshop is open after [\d.]+ s: http/))?.[0] ?? "";
  const folder = /^Edit (.*)\/mesh\/reviews\.yaml/.exec(await heddle.line(/^Edit /))?.[1] ?? "";
  return { heddle, temporary, url, folder };
}

/** No process, no listening port, no temporary file. */
export async function nothingStays({ heddle, temporary, url }: LiveDemo): Promise<void> {
  await heddle.nothingLeft();
  await assert.rejects(fetch(url));
  assert.deepEqual(readdirSync(temporary), []);
}
