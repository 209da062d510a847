import type { CaseResult, Suite } from "./suite.ts";

/** A difference that is right, and why. */
export interface KnownDifference {
  /** Matches `suite · way · case · difference`. */
  readonly pattern: RegExp;
  readonly reason: string;
}

export interface Difference {
  readonly suite: string;
  readonly way: string;
  readonly case: string;
  /** What is another through the proxy. */
  readonly text: string;
  /** Absent: nobody has said why this is right, so it is a failure. */
  readonly reason?: string;
}

export interface Comparison {
  readonly suite: string;
  readonly way: string;
  readonly cases: number;
  readonly passedStraight: number;
  readonly passedThrough: number;
  /** Cases that failed through the proxy and should not, or ran on one side only: no reason makes these right. */
  readonly broken: readonly { readonly case: string; readonly failure: string }[];
  readonly differences: readonly Difference[];
}

/** Compares what one client met straight at the server and through the proxy, case by case. */
export function compare(
  { name: suite, allMustPass }: Pick<Suite, "name" | "allMustPass">,
  way: string,
  straight: readonly CaseResult[],
  through: readonly CaseResult[],
  known: readonly KnownDifference[],
): Comparison {
  const broken: { case: string; failure: string }[] = [];
  const differences: Difference[] = [];
  const later = new Map(through.map((result) => [result.name, result]));
  for (const before of straight) {
    const after = later.get(before.name);
    later.delete(before.name);
    if (after === undefined) broken.push({ case: before.name, failure: "did not run through the proxy" });
    else if (after.failure !== undefined && (before.failure === undefined || allMustPass === true))
      broken.push({ case: before.name, failure: after.failure });
    for (const text of after === undefined ? [] : differencesOf(before, after)) {
      const line = `${suite} · ${way} · ${before.name} · ${text}`;
      const reason = known.find(({ pattern }) => pattern.test(line))?.reason;
      differences.push({ suite, way, case: before.name, text, ...(reason === undefined ? {} : { reason }) });
    }
  }
  for (const name of later.keys()) broken.push({ case: name, failure: "did not run straight" });
  const passed = (results: readonly CaseResult[]): number =>
    results.filter(({ failure }) => failure === undefined).length;
  return {
    suite,
    way,
    cases: straight.length,
    passedStraight: passed(straight),
    passedThrough: passed(through),
    broken,
    differences,
  };
}

function differencesOf(before: CaseResult, after: CaseResult): string[] {
  if (before.failure !== undefined) return after.failure === undefined ? ["fails straight, passes through"] : [];
  if (after.failure !== undefined) return [];
  const [seenBefore, seenAfter] = [before.seen ?? {}, after.seen ?? {}];
  const names = new Set([...Object.keys(seenBefore), ...Object.keys(seenAfter)]);
  return [...names].flatMap((name) => {
    const [was, is] = [seenBefore[name], seenAfter[name]];
    if (was === is) return [];
    if (was === undefined) return [`${name} added: ${is}`];
    return [is === undefined ? `${name} removed: ${was}` : `${name}: ${was} → ${is}`];
  });
}
