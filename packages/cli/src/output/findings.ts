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

/** Behind this many nobody reads on. */
const toldInShort = 10;
const listedPlaces = 5;

/**
 * Errors for a command that was asked something else: documents without a kind, of which a folder with other files is full, in one line,
 * and the first of the rest.
 *
 * @param folder what `heddle validate` is to be given for all of them
 */
export function formatInShort(errors: readonly FindingText[], paint: Paint, folder: string): string {
  const others = errors.filter(({ code }) => code === "HDL0003");
  const told = errors.filter(({ code }) => code !== "HDL0003");
  const places = others.slice(0, listedPlaces).map(describePlace).join(", ");
  const more = others.length > listedPlaces ? ` and ${others.length - listedPlaces} more` : "";
  const are = others.length === 1 ? "1 document is no resource" : `${others.length} documents are no resources`;
  return [
    formatFindings(told.slice(0, toldInShort), paint),
    told.length > toldInShort ? `… and ${told.length - toldInShort} more: heddle validate ${folder} tells all\n` : "",
    others.length === 0 ? "" : `${are}: ${places}${more}\n`,
  ].join("");
}

export function formatFinding(finding: FindingText, paint: Paint): string {
  const { severity, code, message, hint, resource } = finding;
  const place = describePlace(finding);
  const subject = resource === undefined ? "" : `${describeIdentity(resource)}: `;
  const head = `${place === "" ? "" : `${paint("bold", place)}: `}${paint(styles[severity], severity)} ${code}: ${subject}${message}\n`;
  return hint === "" ? head : `${head}    ${paint("dim", `→ ${hint}`)}\n`;
}
