import type { Comparison, Difference } from "./compare.ts";

export interface SkippedSuite {
  readonly suite: string;
  /** The tools that it needs and how to get them. */
  readonly missing: readonly string[];
}

export interface Report {
  readonly comparisons: readonly Comparison[];
  readonly skipped: readonly SkippedSuite[];
  readonly versions: Readonly<Record<string, string>>;
}

/** What keeps a comparison from being right, a line each. */
export function problemsOf({ suite, way, broken, differences }: Comparison): string[] {
  return [
    ...broken.map((one) => `${suite} · ${way} · ${one.case}: fails through the proxy: ${one.failure}`),
    ...differences
      .filter(({ reason }) => reason === undefined)
      .map((one) => `${suite} · ${way} · ${one.case} · ${one.text}: no reason in conformance/differences.ts`),
  ];
}

/** The page, without anything that differs between two runs with the same tools. */
export function formatPage({ comparisons, skipped, versions }: Report): string {
  const lines = [
    "# Conformance",
    "",
    "Written by `npm run test:conformance`; do not edit. Each suite runs straight at its server and through a proxy with every HTTP filter",
    "on (peer metadata, two RBAC filters, fault, standard metrics), with retries and an access log. A way names what the client and the",
    "server speak; a case that passes straight must pass through the proxy, and every difference that either side sees has a reason.",
    "",
    "| suite | way | cases | passed straight | passed through | differences |",
    "|---|---|---|---|---|---|",
    ...comparisons.map((one) =>
      row(one.suite, one.way, one.cases, one.passedStraight, one.passedThrough, one.differences.length),
    ),
    "",
  ];
  const problems = comparisons.flatMap(problemsOf);
  if (problems.length > 0) lines.push("## Failures", "", ...problems.map((problem) => `- ${cell(problem)}`), "");
  if (skipped.length > 0) {
    lines.push("## Not run", "", ...skipped.map(({ suite, missing }) => `- ${suite}: needs ${missing.join("; ")}`), "");
  }
  lines.push("## Differences", "", "| difference | where | why |", "|---|---|---|");
  for (const group of grouped(comparisons.flatMap(({ differences }) => differences))) {
    lines.push(row(group.texts.join("<br>"), group.places.join("<br>"), group.reason));
  }
  lines.push("", "## Tools", "", "| tool | version |", "|---|---|");
  lines.push(...Object.entries(versions).map(([name, version]) => row(name, version)), "");
  return lines.join("\n");
}

interface Group {
  readonly reason: string;
  readonly texts: readonly string[];
  readonly places: readonly string[];
}

/** One row for each reason. */
function grouped(differences: readonly Difference[]): Group[] {
  const byReason = Map.groupBy(differences, ({ reason }) => reason ?? "**no reason known**");
  return [...byReason].map(([reason, group]) => {
    return {
      reason,
      texts: shortened([...new Set(group.map(({ text }) => text))], 4),
      places: [...Map.groupBy(group, ({ suite }) => suite)].map(([suite, all]) => {
        const ways = [...new Set(all.map(({ way }) => way))];
        const cases = [...new Set(all.map((one) => one.case))];
        return `${suite} (${ways.join(", ")}): ${shortened(cases, 12).join("; ")}`;
      }),
    };
  });
}

function shortened(all: readonly string[], most: number): string[] {
  return all.length <= most ? [...all] : [...all.slice(0, most), `and ${all.length - most} more`];
}

function row(...cells: readonly (string | number)[]): string {
  return `| ${cells.map(cell).join(" | ")} |`;
}

function cell(value: string | number): string {
  return String(value)
    .replaceAll("|", "\\|")
    .replaceAll(/[\r\n]+/g, " ");
}
