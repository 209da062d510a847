import type { Outcome } from "./edge-client.ts";

/** Which version of reviews answered, from the body; undefined when the body does not say. */
export function reviewsVersion(outcome: Outcome): string | undefined {
  if (outcome.status !== 200 || !outcome.path.startsWith("/api/reviews/")) return undefined;
  try {
    return (JSON.parse(outcome.body) as { version?: string }).version;
  } catch {
    return undefined;
  }
}

export interface Split {
  readonly total: number;
  readonly v2: number;
  /** Answers of versions other than v1 and v2. */
  readonly others: number;
}

export function countSplit(outcomes: readonly Outcome[]): Split {
  const versions = outcomes.map(reviewsVersion).filter((version) => version !== undefined);
  const v2 = versions.filter((version) => version === "v2").length;
  const v1 = versions.filter((version) => version === "v1").length;
  return { total: versions.length, v2, others: versions.length - v1 - v2 };
}

/** How far the share of v2 is from `share`, in standard deviations of the binomial distribution. */
export function deviations({ total, v2 }: Split, share: number): number {
  const sigma = Math.sqrt(total * share * (1 - share));
  const distance = Math.abs(v2 - total * share);
  // Of a sure thing there is no deviation but a wrong answer.
  return sigma === 0 ? (distance === 0 ? 0 : Infinity) : distance / sigma;
}

/** Within 5σ of `share`, and nobody else answered. */
export function isSplit(split: Split, share: number): boolean {
  return split.total > 0 && split.others === 0 && deviations(split, share) <= 5;
}

export function describeSplit(split: Split, share: number): string {
  const { total, v2, others } = split;
  const strangers = others === 0 ? "" : `, ${others} from other versions`;
  return `${v2} of ${total} from v2, ${deviations(split, share).toFixed(1)}σ from ${Math.round(share * 100)} %${strangers}`;
}
