import type { CheckName } from "./check-names.ts";
import type { Outcome } from "./edge-client.ts";
import { describeOutcome, hasFailed } from "./edge-client.ts";
import type { RunningDemo } from "./running-demo.ts";

/** What a check saw. It holds when `problems` is empty. */
export interface Verdict {
  readonly problems: readonly string[];
  /** What was seen, in words, for the line of a check that holds. */
  readonly evidence: string;
}

export interface Check {
  readonly name: CheckName;
  /** What holds when the check does. */
  readonly title: string;
  /** Brings the mesh into the state in which the check begins; absent: any state will do. */
  prepare?(demo: RunningDemo): Promise<void>;
  run(demo: RunningDemo): Promise<Verdict>;
  /** Breaks, in the running mesh or its files, exactly what the check looks at. The answer repairs it. */
  sabotage(demo: RunningDemo): Promise<() => Promise<void>>;
}

/** Collects what is wrong while a check goes on. */
export class Problems {
  readonly list: string[] = [];

  require(isTrue: boolean, problem: string): void {
    if (!isTrue) this.list.push(problem);
  }
}

/** No request may have failed, but for those that `isExcused` names; the first that did is told. */
export function requireNoFailure(
  problems: Problems,
  outcomes: readonly Outcome[],
  isExcused: (outcome: Outcome) => boolean = () => false,
): void {
  const failed = outcomes.filter((outcome) => hasFailed(outcome) && !isExcused(outcome));
  const [first] = failed;
  if (first !== undefined)
    problems.list.push(`${failed.length} of ${outcomes.length} requests failed, the first: ${describeOutcome(first)}`);
}
