import type { Measurement, Scenario } from "./scenarios.ts";

/** All rounds of one peer in one scenario. */
export interface PeerRounds {
  readonly peer: string;
  readonly rounds: readonly Measurement[];
}

export interface ScenarioResult {
  readonly scenario: Pick<Scenario, "name" | "title" | "headline">;
  readonly peers: readonly PeerRounds[];
  readonly failures: readonly { readonly peer: string; readonly reason: string }[];
}

/** When, where and of what something was measured. */
export interface Circumstances {
  readonly date: string;
  readonly machine: string;
  readonly rounds: number;
  readonly secondsPerRound: number;
  readonly versions: Readonly<Record<string, string>>;
}

export interface Report extends Circumstances {
  readonly missing: Readonly<Record<string, string>>;
  readonly results: readonly ScenarioResult[];
}

const columns: readonly { readonly key: keyof Measurement; readonly title: string; readonly digits: number }[] = [
  { key: "cpuUsPerRequest", title: "CPU µs/request", digits: 1 },
  { key: "cpuUsPerMessage", title: "CPU µs/message", digits: 2 },
  { key: "cpuUsPerMebibyte", title: "CPU µs/MiB", digits: 0 },
  { key: "cpuUsPerConnection", title: "CPU µs/connection", digits: 0 },
  { key: "requestsPerSecond", title: "requests/s", digits: 0 },
  { key: "messagesPerSecond", title: "messages/s", digits: 0 },
  { key: "mebibytesPerSecond", title: "MiB/s", digits: 0 },
  { key: "connectionsPerSecond", title: "connections/s", digits: 0 },
  { key: "p50Ms", title: "p50 ms", digits: 2 },
  { key: "p99Ms", title: "p99 ms", digits: 2 },
  { key: "readyMs", title: "ready ms", digits: 0 },
  { key: "kilobytesPerConnection", title: "KB/connection", digits: 1 },
  { key: "rssMb", title: "RSS MB", digits: 0 },
  { key: "pssMb", title: "PSS MB", digits: 0 },
];

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

function values(rounds: PeerRounds, key: keyof Measurement): number[] {
  return rounds.rounds.map((round) => round[key]).filter((value) => value !== undefined);
}

/** Markdown: one table a scenario, medians with the spread of the rounds, and Heddle's ratio to each peer. */
export function formatReport(report: Report): string {
  const lines = [...formatCircumstances(report)];
  for (const [name, reason] of Object.entries(report.missing)) lines.push(`Missing: ${name}, ${reason}.`);
  for (const result of report.results) lines.push("", ...formatScenario(result));
  return `${lines.join("\n")}\n`;
}

export function formatCircumstances({ date, machine, rounds, secondsPerRound, versions }: Circumstances): string[] {
  const named = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return [
    `Measured ${date} on ${machine}; ${rounds} alternating rounds of ${secondsPerRound} s, median (lowest–highest).`,
    "",
    `Versions: ${named.join(", ")}.`,
  ];
}

export function formatScenario(result: ScenarioResult): string[] {
  const used = columns.filter(({ key }) => result.peers.some((peer) => values(peer, key).length > 0));
  const lines = [
    `### ${result.scenario.title} (\`${result.scenario.name}\`)`,
    "",
    `| proxy | ${used.map(({ title }) => title).join(" | ")} | heddle ÷ it |`,
    `|---|${used.map(() => "--:|").join("")}--:|`,
  ];
  for (const peer of result.peers) {
    const cells = used.map(({ key, digits }) => cell(values(peer, key), digits));
    const ratio = peer.peer === "heddle" ? undefined : ratioTo(result, peer.peer);
    lines.push(`| ${peer.peer} | ${cells.join(" | ")} | ${ratio?.toFixed(2) ?? ""} |`);
  }
  for (const { peer, reason } of result.failures) lines.push("", `${peer} failed: ${reason.split("\n")[0]}`);
  return lines;
}

/** Median of one of a peer's figures; undefined when it was not measured. */
export function medianOf(result: ScenarioResult, peer: string, key = result.scenario.headline): number | undefined {
  const found = result.peers.find((one) => one.peer === peer);
  const measured = found === undefined ? [] : values(found, key);
  return measured.length === 0 ? undefined : median(measured);
}

/** Median of Heddle's figure, the headline if none is named, divided by the peer's; undefined when one of them was not measured. */
export function ratioTo(result: ScenarioResult, peer: string, key = result.scenario.headline): number | undefined {
  const [own, theirs] = [medianOf(result, "heddle", key), medianOf(result, peer, key)];
  return own === undefined || theirs === undefined ? undefined : own / theirs;
}

function cell(of: readonly number[], digits: number): string {
  if (of.length === 0) return "";
  const show = (value: number): string => value.toFixed(digits);
  const spread = of.length > 1 ? ` (${show(Math.min(...of))}–${show(Math.max(...of))})` : "";
  return `${show(median(of))}${spread}`;
}
