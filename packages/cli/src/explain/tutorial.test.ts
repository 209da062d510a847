import assert from "node:assert/strict";
import { cpSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { runHeddle } from "../testing/heddle-process.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";

const root = fileURLToPath(new URL("../../../../", import.meta.url));

/** What stands below a command of the tutorial, without its indentation. */
function shownBelow(command: string): string[] {
  const lines = readFileSync(join(root, "docs/tutorials/first-mesh.md"), "utf8").split("\n");
  const start = lines.indexOf(`    npx heddle ${command}`) + 2;
  assert.ok(start > 1, "the tutorial has no such command");
  const length = lines.slice(start).findIndex((line) => /^\S/.test(line));
  return lines.slice(start, start + length).map((line) => line.slice(4));
}

test("the tutorial shows what explain prints", async (context) => {
  const cwd = temporaryFolder(context);
  cpSync(join(root, "examples/bookshop"), join(cwd, "my-shop"), { recursive: true });
  const command = "explain DELETE http://books:9080/books/1 --from web --folder my-shop";
  const { stdout } = await runHeddle(command.split(" "), { cwd });
  const printed = stdout.split("\n");
  let at = 0;
  let isGap = false;
  for (const line of shownBelow(command)) {
    if (line.trim() === "…") {
      isGap = true;
      continue;
    }
    const fits = (candidate: string): boolean =>
      line.endsWith(" …") ? candidate.startsWith(line.slice(0, -1)) : candidate === line;
    const found: number = isGap ? printed.findIndex((candidate, index) => index >= at && fits(candidate)) : at;
    assert.ok(fits(printed[found] ?? ""), `the page shows "${line}", where this is printed:\n${stdout}`);
    at = found + 1;
    isGap = false;
  }
});
