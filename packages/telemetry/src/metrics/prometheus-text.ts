import type { SeriesValues } from "./metric-reader.ts";
import type { Labels } from "./series.ts";

/** Content type of the text format (Prometheus exposition formats, version 0.0.4). */
export const prometheusContentType = "text/plain; version=0.0.4; charset=utf-8";

/**
 * Prints metrics in Prometheus' text format. Label values may hold any text: backslash, quote and line feed are
 * escaped. Buckets are cumulative, as the format demands.
 */
export function formatPrometheus(families: readonly (readonly SeriesValues[])[]): string {
  const lines: string[] = [];
  for (const members of families) {
    const family = members[0]?.family;
    if (family === undefined) continue;
    lines.push(`# HELP ${family.name} ${escapeHelp(family.help)}`, `# TYPE ${family.name} ${family.kind}`);
    for (const series of members) {
      if (family.kind === "histogram") pushHistogram(lines, series);
      else lines.push(`${family.name}${formatLabels(series.labels)} ${formatNumber(series.cells[0]!)}`);
    }
  }
  return lines.length === 0 ? "" : `${lines.join("\n")}\n`;
}

function pushHistogram(lines: string[], series: SeriesValues): void {
  const { family, labels, cells } = series;
  let count = 0;
  for (const [index, bound] of family.bounds.entries()) {
    count += cells[index]!;
    lines.push(`${family.name}_bucket${formatLabels([...labels, ["le", formatNumber(bound)]])} ${count}`);
  }
  count += cells[family.bounds.length]!;
  lines.push(
    `${family.name}_bucket${formatLabels([...labels, ["le", "+Inf"]])} ${count}`,
    `${family.name}_sum${formatLabels(labels)} ${formatNumber(cells[family.bounds.length + 1]!)}`,
    `${family.name}_count${formatLabels(labels)} ${count}`,
  );
}

function formatLabels(labels: Labels): string {
  if (labels.length === 0) return "";
  return `{${labels.map(([name, value]) => `${name}="${escapeValue(value)}"`).join(",")}}`;
}

function escapeValue(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

function escapeHelp(help: string): string {
  return help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

function formatNumber(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "+Inf";
  if (value === Number.NEGATIVE_INFINITY) return "-Inf";
  return String(value);
}
