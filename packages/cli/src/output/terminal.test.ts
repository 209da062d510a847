import assert from "node:assert/strict";
import { test } from "node:test";
import { hasColour, paintFor, widthOf } from "./terminal.ts";

const terminal = { isTTY: true, write: () => undefined };
const pipe = { write: () => undefined };

const cases: readonly {
  title: string;
  stream: typeof terminal | typeof pipe;
  env: NodeJS.ProcessEnv;
  expected: boolean;
}[] = [
  { title: "a terminal has colour", stream: terminal, env: { TERM: "xterm" }, expected: true },
  { title: "a pipe has none", stream: pipe, env: { TERM: "xterm" }, expected: false },
  { title: "a pipe has none, whatever FORCE_COLOR says", stream: pipe, env: { FORCE_COLOR: "1" }, expected: false },
  { title: "NO_COLOR takes it away", stream: terminal, env: { NO_COLOR: "1" }, expected: false },
  {
    title: "NO_COLOR wins over FORCE_COLOR",
    stream: terminal,
    env: { NO_COLOR: "1", FORCE_COLOR: "1" },
    expected: false,
  },
  { title: "an empty NO_COLOR is not set (no-color.org)", stream: terminal, env: { NO_COLOR: "" }, expected: true },
  { title: "a dumb terminal has none", stream: terminal, env: { TERM: "dumb" }, expected: false },
];

for (const { title, stream, env, expected } of cases) {
  test(title, () => {
    assert.equal(hasColour(stream, env), expected);
    assert.equal(paintFor(stream, env)("red", "x") !== "x", expected);
  });
}

test("escape sequences take no columns", () => {
  assert.equal(widthOf(paintFor(terminal, {})(["red", "bold"], "√ ok")), 4);
});
