import { accessSync, constants, statSync } from "node:fs";
import type { Finding, Severity } from "@heddle/api";
import { missingTlsFiles, validateSet } from "@heddle/api";
import { exitCodes } from "@heddle/core";
import type { OutputFormat } from "../output/data.ts";
import { formatData } from "../output/data.ts";
import { formatFindings } from "../output/findings.ts";
import { paintFor } from "../output/terminal.ts";
import { readResourceFiles, settingsOf } from "../resources/resource-files.ts";

const severities: readonly Severity[] = ["error", "warning", "info"];

/** What `heddle validate --output json` prints. */
export interface ValidationResult {
  readonly files: number;
  readonly resources: number;
  readonly counts: Readonly<Record<Severity, number>>;
  /** Errors first, then in the order of files and lines. */
  readonly findings: readonly Finding[];
}

/** Checks files and folders as one set. Exit code 3 when a finding is at or above `failOn`. */
export async function validate(
  paths: readonly string[],
  options: { output: OutputFormat; failOn: Severity },
): Promise<number> {
  const files = await readResourceFiles(paths);
  const resources = files.flatMap((file) => file.resources);
  const findings = [
    ...files.flatMap((file) => file.findings),
    ...validateSet(resources, settingsOf(resources)),
    ...missingTlsFiles(resources, isReadableFile),
  ].sort(byWeight);
  const count = (severity: Severity): number => findings.filter((finding) => finding.severity === severity).length;
  const result: ValidationResult = {
    files: files.length,
    resources: resources.length,
    counts: { error: count("error"), warning: count("warning"), info: count("info") },
    findings,
  };
  process.stdout.write(await formatData(options.output, result, () => describe(result)));
  const failing = severities.slice(0, severities.indexOf(options.failOn) + 1);
  return failing.some((severity) => result.counts[severity] > 0) ? exitCodes.findings : exitCodes.fine;
}

function isReadableFile(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return statSync(path).isFile();
  } catch {
    // Not there, or not for us: to whoever asks both are one.
    return false;
  }
}

function byWeight(a: Finding, b: Finding): number {
  return (
    severities.indexOf(a.severity) - severities.indexOf(b.severity) ||
    (a.file ?? "").localeCompare(b.file ?? "") ||
    (a.line ?? 0) - (b.line ?? 0)
  );
}

function describe({ files, resources, counts, findings }: ValidationResult): string {
  const paint = paintFor(process.stdout);
  const read = `${plural(resources, "resource")} in ${plural(files, "file")}`;
  // An empty file is no mistake, but who has it checked expects something in it.
  if (findings.length === 0 && resources === 0) return `${paint("yellow", "!")} ${read}: there was nothing to check\n`;
  if (findings.length === 0) return `${paint("green", "√")} ${read}, nothing to complain about\n`;
  const parts = [plural(counts.error, "error"), plural(counts.warning, "warning"), `${counts.info} info`];
  return `${formatFindings(findings, paint)}\n${parts.join(", ")}; read: ${read}\n`;
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
