import assert from "node:assert/strict";
import { test } from "node:test";
import { coverageProblems, parseCoverage } from "./coverage-table.ts";

const source = `
import { describe, test } from "node:test";
// test("flies to the moon", () => {});
test("refuses a \\"signed\\" chunk size", () => {});
for (const [what] of [["an empty size"], ["a size of 2^64"]]) test(\`refuses \${what}\`, () => {});
describe("trailers", () => {
  test("are kept", () => {});
});
`;
const repository = {
  read: (file: string) => (file === "packages/http/src/chunked.test.ts" ? source : undefined),
  hasScript: (name: string) => name === "demo" || name === "test",
};

function problemsOf(...rows: string[]): string[] {
  const page = ["# Coverage", "", "| capability | issue | state | proof |", "|---|---|---|---|", ...rows].join("\n");
  return coverageProblems(parseCoverage(page), repository);
}

test("a done line whose test or command exists is proved, and an open one needs no proof", () => {
  assert.deepEqual(
    problemsOf(
      '| chunk sizes | 1 | done | `packages/http/src/chunked.test.ts › refuses a "signed" chunk size` |',
      "| all sizes | 1 | done | `packages/http/src/chunked.test.ts › refuses ${what}` |",
      "| two sizes | 1 | done | `packages/http/src/chunked.test.ts › refuses an empty size`, `packages/http/src/chunked.test.ts › refuses a size of 2^64` |",
      "| trailers | 1 | done | `packages/http/src/chunked.test.ts › trailers › are kept`, `packages/http/src/chunked.test.ts › are kept` |",
      "| the demo \\| all of it | 1 | done | `npm run demo -- --check`, `npm test` |",
      "| fire | 2 | open | |",
    ),
    [],
  );
});

const refused: [what: string, row: string, problem: RegExp][] = [
  [
    "a title that the file lacks",
    "| a | 1 | done | `packages/http/src/chunked.test.ts › flies` |",
    /has no test "flies"/,
  ],
  ["a piece of a title", "| a | 1 | done | `packages/http/src/chunked.test.ts › refuses` |", /has no test "refuses"/],
  [
    "a piece of a template",
    "| a | 1 | done | `packages/http/src/chunked.test.ts › refuses ` |",
    /has no test "refuses/,
  ],
  [
    "a row that the table lacks",
    "| a | 1 | done | `packages/http/src/chunked.test.ts › refuses a size of 2^65` |",
    /has no test "refuses a size of 2\^65"/,
  ],
  [
    "a title in a comment",
    "| a | 1 | done | `packages/http/src/chunked.test.ts › flies to the moon` |",
    /has no test "flies to the moon"/,
  ],
  [
    "a title in another suite",
    "| a | 1 | done | `packages/http/src/chunked.test.ts › sizes › are kept` |",
    /has no test "sizes › are kept"/,
  ],
  [
    "a file that is not there",
    "| a | 1 | done | `packages/http/src/gone.test.ts › flies` |",
    /gone.test.ts does not exist/,
  ],
  ["a script that is not there", "| a | 1 | done | `npm run fly` |", /no script "fly"/],
  ["a file without a title", "| a | 1 | done | `packages/http/src/chunked.test.ts` |", /is not `file.test.ts › title`/],
  ["one bad proof beside a good one", "| a | 1 | done | `npm test`, `npm run fly` |", /no script "fly"/],
  ["done without a proof", "| a | 1 | done | soon |", /names no test or command/],
  ["an unknown state", "| a | 1 | nearly | |", /the state is "nearly"/],
  ["a wrong proof of an open line", "| a | 1 | open | `npm run fly` |", /no script "fly"/],
];
for (const [what, row, problem] of refused) {
  test(`the check names the line of ${what}`, () => {
    const problems = problemsOf(row);
    assert.equal(problems.length, 1);
    assert.match(problems[0] ?? "", /^line 5 \(a\): /);
    assert.match(problems[0] ?? "", problem);
  });
}

test("a page without the table is refused, since an empty claim proves nothing", () => {
  assert.equal(
    coverageProblems(parseCoverage("# Coverage\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"), repository).length,
    1,
  );
});
