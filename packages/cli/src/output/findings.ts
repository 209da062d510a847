import type { Finding, Severity } from "@heddle/api";
import { describeIdentity, describePlace } from "@heddle/api";
import type { Paint, Style } from "./terminal.ts";

const styles: Readonly<Record<Severity, Style>> = { error: "red", warning: "yellow", info: "blue" };

/** What a finding says, wherever it comes from: files here, or a control plane's admin API. */
export type FindingText = Pick<Finding, "severity" | "message" | "hint" | "resource" | "file" | "line"> & {
  readonly code: string;
};

/** Findings for people: place first, as compilers write it, so that editors make links of it; what to do on the next line. */
export function formatFindings(findings: readonly FindingText[], paint: Paint): string {
  return findings.map((finding) => formatFinding(finding, paint)).join("");
}

export function formatFinding(finding: FindingText, paint: Paint): string {
  const { severity, code, message, hint, resource } = finding;
  const place = describePlace(finding);
  const subject = resource === undefined ? "" : `${describeIdentity(resource)}: `;
  const head = `${place === "" ? "" : `${paint("bold", place)}: `}${paint(styles[severity], severity)} ${code}: ${subject}${message}\n`;
  return hint === "" ? head : `${head}    ${paint("dim", `→ ${hint}`)}\n`;
}
