import type { SeriesValues } from "./metric-reader.ts";

/** One line of Envoy's `/stats`: dotted name and value. */
export interface EnvoyStat {
  readonly name: string;
  readonly value: number;
}

/**
 * The counters and gauges as Envoy's `/stats` lists them, sorted by name. A metric without a dotted name appears under
 * its Prometheus name, its label values appended with dots. Histograms are left to `/stats/prometheus`.
 */
export function envoyStats(families: readonly (readonly SeriesValues[])[]): EnvoyStat[] {
  const stats: EnvoyStat[] = [];
  for (const series of families.flat()) {
    if (series.family.kind === "histogram") continue;
    const name =
      series.dotted !== "" ? series.dotted : [series.family.name, ...series.labels.map(([, value]) => value)].join(".");
    stats.push({ name, value: series.cells[0]! });
  }
  return stats.sort((left, right) => (left.name < right.name ? -1 : left.name > right.name ? 1 : 0));
}

/** Envoy's text form: `name: value`, a line each. */
export function formatEnvoyStats(stats: readonly EnvoyStat[]): string {
  return stats.map(({ name, value }) => `${name}: ${value}\n`).join("");
}

/** Envoy's JSON form (`/stats?format=json`): `{"stats":[{"name":…,"value":…}]}`. */
export function formatEnvoyStatsJson(stats: readonly EnvoyStat[]): string {
  return `${JSON.stringify({ stats })}\n`;
}
