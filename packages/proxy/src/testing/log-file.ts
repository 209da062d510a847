import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";

/** Waits until a log holds this text: it is written a moment after what it tells of. */
export async function untilLogged(path: string, text: string): Promise<void> {
  const giveUpAt = performance.now() + 10_000;
  for (;;) {
    const content = await readFile(path, "utf8").catch(() => "");
    if (content.includes(text)) return;
    assert.ok(performance.now() < giveUpAt, `no ${text} in:\n${content}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
