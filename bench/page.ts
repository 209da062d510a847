import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { judgeBars } from "./bars.ts";
import type { Circumstances, Report, ScenarioResult } from "./report.ts";
import { formatCircumstances, formatScenario } from "./report.ts";
import { scenarios } from "./scenarios.ts";

/** The last measurement of a scenario that was kept. */
export interface KeptResult extends Circumstances {
  readonly result: ScenarioResult;
}

const resultsFile = fileURLToPath(new URL("results.json", import.meta.url));
const pageFile = fileURLToPath(new URL("../docs/reference/performance.md", import.meta.url));
const [begin, end] = ["<!-- bench:begin -->", "<!-- bench:end -->"];

/** Keeps what was measured in place of what was known of the same scenarios, and writes the page from all that is kept. */
export async function writePage(report: Report): Promise<void> {
  const kept = keep(JSON.parse(await readFile(resultsFile, "utf8")) as KeptResult[], report);
  await writeFile(resultsFile, `${JSON.stringify(kept, undefined, 1)}\n`);
  await writeFile(pageFile, pageWith(await readFile(pageFile, "utf8"), kept));
}

/** One result for each scenario, the newer one, in the order of the scenarios; what is no scenario any more goes. */
export function keep(kept: readonly KeptResult[], report: Report): KeptResult[] {
  const { date, machine, rounds, secondsPerRound, versions, results } = report;
  const newer = results.map((result) => ({ date, machine, rounds, secondsPerRound, versions, result }));
  const known = [...newer, ...kept];
  return scenarios.flatMap(({ name }) => known.find(({ result }) => result.scenario.name === name) ?? []).map(forPrint);
}

/** What is published tells nothing of where the machine that measured has its files. */
function forPrint({ result, ...circumstances }: KeptResult): KeptResult {
  const failures = result.failures.map(({ peer, reason }) => ({ peer, reason: reason.replace(absolutePath, "$1") }));
  return { ...circumstances, result: { ...result, failures } };
}
/** Its base name is the first group. Neither a URL's path nor a relative one: those stand behind a word, a colon or a slash. */
const absolutePath = /(?<![\w.:/-])(?:file:\/\/)?(?:\/[\w.+@-]+)*\/([\w.+@-]+)/g;

/** Replaces what stands between the marks of the page; the words around them are written by hand. */
export function pageWith(page: string, kept: readonly KeptResult[]): string {
  const from = page.indexOf(begin);
  const to = page.indexOf(end);
  if (from < 0 || to < from)
    throw new Error(`the page has no place for the tables: it needs the lines ${begin} and ${end}`);
  return `${page.slice(0, from + begin.length)}\n\n${format(kept)}\n${page.slice(to)}`;
}

function format(kept: readonly KeptResult[]): string {
  const verdicts = judgeBars(kept.map(({ result }) => result));
  const lines = ["## The bars", "", ...verdicts.map(({ text }) => `- ${text}`), "", "## The tables"];
  for (const { result, ...circumstances } of kept) {
    lines.push("", ...formatScenario(result), "", ...formatCircumstances(circumstances));
  }
  return `${lines.join("\n")}\n`;
}
