/**
 * Reads docs/reference/coverage.md: Markdown tables with the columns
 *
 *     | capability | issue | state | proof |
 *
 * where the state is `open` or `done`, and the proof of a done line is one or more code spans, each either
 * `packages/x/src/y.test.ts › whole title of a test in it` or a command of this repository, `npm run demo -- --check`.
 * What a title is, above all one that is made from a table, says test-titles.ts.
 */
import { TestProofs } from "./test-proofs.ts";

export interface CoverageLine {
  line: number;
  capability: string;
  state: string;
  proofs: string[];
}

/** What the check needs to know of the repository. */
export interface Repository {
  /** @returns the file's text, undefined when it does not exist */
  read(file: string): string | undefined;
  hasScript(name: string): boolean;
}

const columns = ["capability", "issue", "state", "proof"];
const npmCommand = /^npm (?:run )?([\w:.-]+)/;

/** @returns every line below a header with the four columns; tables with another header are not about coverage */
export function parseCoverage(markdown: string): CoverageLine[] {
  const found: CoverageLine[] = [];
  let isInTable = false;
  for (const [index, text] of markdown.split("\n").entries()) {
    if (!text.startsWith("|")) {
      isInTable = false;
      continue;
    }
    const cells = splitCells(text);
    if (cells.length === columns.length && columns.every((column, at) => cells[at]?.toLowerCase() === column)) {
      isInTable = true;
      continue;
    }
    if (!isInTable || cells.every((cell) => /^:?-+:?$/.test(cell))) continue;
    const [capability = "", , state = "", proof = ""] = cells;
    found.push({ line: index + 1, capability, state, proofs: codeSpans(proof) });
  }
  return found;
}

/** @returns one sentence a problem, each beginning with the line's number; empty when every done line is proved */
export function coverageProblems(lines: readonly CoverageLine[], repository: Repository): string[] {
  if (lines.length === 0) return [`no table with the columns ${columns.join(", ")}`];
  const tests = new TestProofs((file) => repository.read(file));
  return lines.flatMap(({ line, capability, state, proofs }) => {
    const at = `line ${line} (${capability})`;
    if (state !== "open" && state !== "done") return [`${at}: the state is "${state}", not open or done`];
    if (state === "done" && proofs.length === 0) return [`${at}: done, but names no test or command in a code span`];
    return proofs.flatMap((proof) => {
      const problem = proofProblem(proof, repository, tests);
      return problem === undefined ? [] : [`${at}: ${problem}`];
    });
  });
}

function proofProblem(proof: string, repository: Repository, tests: TestProofs): string | undefined {
  const script = npmCommand.exec(proof)?.[1];
  if (script === undefined) return tests.problem(proof);
  return repository.hasScript(script) ? undefined : `package.json has no script "${script}"`;
}

/** Cells of a Markdown table row; `\|` is a bar inside a cell. */
function splitCells(row: string): string[] {
  return row
    .trim()
    .replace(/^\|/, "")
    .replace(/(?<!\\)\|$/, "")
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim().replaceAll("\\|", "|"));
}

/** Spans of one or of two backticks; the latter may hold single ones. */
function codeSpans(cell: string): string[] {
  return [...cell.matchAll(/``\s?(.+?)\s?``|`([^`]+)`/g)].map((match) => match[1] ?? match[2] ?? "");
}
