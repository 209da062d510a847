import assert from "node:assert/strict";
import { test } from "node:test";
import { MeshOutput } from "../up/mesh-output.ts";
import { LiveArea } from "./live-area.ts";

/** A terminal of the two sequences that are used: up so many lines to the first column, and all below away. */
class Screen {
  readonly isTTY = true;
  lines: string[] = [];
  #rest = "";

  write(text: string): void {
    const up = /^\u001b\[(\d+)F\u001b\[J$/.exec(text);
    if (up !== null) {
      this.lines.length -= Number(up[1]);
      return;
    }
    const parts = (this.#rest + text).split("\n");
    this.#rest = parts.pop() ?? "";
    this.lines.push(...parts);
  }
}

test("a table is drawn over in place, and what is printed meanwhile stands above it", () => {
  const screen = new Screen();
  const output = new MeshOutput({
    stream: screen,
    isVerbose: false,
    showsApplications: true,
    logs: { write: () => undefined },
  });
  const area = new LiveArea(screen, output);
  output.notice("open");
  area.draw("A\n1\n");
  area.draw("A\n2\n3\n");
  assert.deepEqual(screen.lines, ["open", "A", "2", "3"]);
  output.notice("√ in force");
  assert.deepEqual(screen.lines, ["open", "√ in force"]);
  area.draw("A\n4\n");
  assert.deepEqual(screen.lines, ["open", "√ in force", "A", "4"]);
});
