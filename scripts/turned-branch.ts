import type { TestFileResult } from "./test-file.ts";
import { titlePattern } from "./test-titles.ts";

/** How one branch of the code is turned round: the file, below packages/, the expression as it stands there, once, and what replaces it. */
export type Turn = readonly [file: string, branch: string, turned: string];

/** Of one test file, what makes its tests fail: by title, which begins with the number of the rule that the branches implement. */
export interface TurnedBranches {
  readonly tests: string;
  readonly branches: Readonly<Record<string, readonly Turn[]>>;
}

/** One branch, and the test that notices. */
export interface Turned {
  /** `file.test.ts › title`. */
  readonly proof: string;
  readonly title: string;
  readonly turn: Turn;
}

export function listTurned(tables: readonly TurnedBranches[]): Turned[] {
  return tables.flatMap(({ tests, branches }) =>
    Object.entries(branches).flatMap(([title, turns]) =>
      turns.map((turn) => ({ proof: `${tests} › ${title}`, title, turn })),
    ),
  );
}

/** `4.1.3` of "4.1.3 the rule {} matches everything": the number that istio.md section 4 gives the rule. */
export function ruleNumber(title: string): string | undefined {
  return /^(?:[a-z]+: )?(4(?:\.\d+)+):? /.exec(title)?.[1];
}

/** Whether a title of a source and a title of a table mean one test, or a row and the template that it was made from. */
export function isSameTest(a: string, b: string): boolean {
  return titlePattern(a).test(b) || titlePattern(b).test(a);
}

/** @returns why the branch cannot be turned in this source */
export function turnProblem(source: string, [file, branch, turned]: Turn): string | undefined {
  if (branch === turned) return `${file}: is turned into itself: ${branch}`;
  const times = source.split(branch).length - 1;
  return times === 1 ? undefined : `${file}: stands there ${times} times, not once (the source moved): ${branch}`;
}

/** @throws when the branch does not stand there exactly once */
export function turnRound(source: string, turn: Turn): string {
  const problem = turnProblem(source, turn);
  if (problem !== undefined) throw new Error(problem);
  // Not as a pattern of replace(): what replaces it may hold a `$`.
  return source.split(turn[1]).join(turn[2]);
}

/**
 * @param result of the named test alone, with the branch turned
 * @returns why this proves nothing: only an assertion does, since what throws or does not load would throw under any test
 */
export function verdict({ failures, passed }: Pick<TestFileResult, "failures" | "passed">): string | undefined {
  if (failures.some(({ error }) => /^AssertionError\b/.test(error))) return undefined;
  const [other] = failures;
  if (other !== undefined) return `fails, but by no assertion: ${other.error.split("\n", 1)[0] ?? ""}`;
  return passed === 0 ? "no such test ran" : "the test passes with the branch turned";
}
