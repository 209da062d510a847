import type { FindingCode } from "./finding-codes.ts";
import { foreignKinds } from "./kinds/foreign-kinds.ts";
import { kinds } from "./kinds/kinds.ts";
import type { KindDescription } from "./kinds/kinds.ts";
import { describePath } from "./schema/check.ts";
import type { Path } from "./schema/check.ts";
import { nearestName } from "./schema/nearest-name.ts";
import type { PlainValue } from "./yaml/plain-value.ts";

type Report = (code: FindingCode, path: Path, message: string, hint?: string) => void;

/** The kind of a document under the apiVersion that it names. */
export interface IdentifiedKind {
  readonly description: KindDescription;
  readonly apiVersion: string;
}

/** Finds the kind of a document, or reports why there is none. */
export function identifyKind(
  document: Readonly<Record<string, PlainValue>>,
  report: Report,
): IdentifiedKind | undefined {
  const { apiVersion, kind } = document;
  if (typeof apiVersion !== "string" || typeof kind !== "string" || apiVersion === "" || kind === "") {
    const missing = [
      typeof apiVersion === "string" && apiVersion !== "" ? "" : "apiVersion",
      typeof kind === "string" && kind !== "" ? "" : "kind",
    ].filter(Boolean);
    report("HDL0003", [], `The document has no ${missing.join(" and no ")}.`);
    return undefined;
  }
  const slash = apiVersion.indexOf("/");
  const group = slash < 0 ? "" : apiVersion.slice(0, slash);
  const version = apiVersion.slice(slash + 1);
  const ours = kinds.find((each) => each.kind === kind && each.group === group);
  if (ours !== undefined) {
    const isRight = checkVersion(ours, version, apiVersion, report) && checkTopLevel(document, report);
    return isRight ? { description: ours, apiVersion } : undefined;
  }
  reportForeign(group, kind, apiVersion, report);
  return undefined;
}

/** Whether it is no kind that is carried out, but one was probably meant. */
export function isMisspeltKind(kind: string | undefined): boolean {
  const names = kinds.map((each): string => each.kind);
  return kind !== undefined && !names.includes(kind) && nearestName(kind, names) !== undefined;
}

function checkVersion(found: KindDescription, version: string, apiVersion: string, report: Report): boolean {
  if (found.versions.includes(version)) return true;
  const known = found.versions.map((each) => `${found.group}/${each}`).join(", ");
  report(
    "HDL0006",
    ["apiVersion"],
    `${found.kind} has no apiVersion ${JSON.stringify(apiVersion)}.`,
    `Write one of ${known}.`,
  );
  return false;
}

function reportForeign(group: string, kind: string, apiVersion: string, report: Report): void {
  const groupKinds = Object.hasOwn(foreignKinds, group) ? foreignKinds[group] : undefined;
  if (groupKinds !== undefined && Object.hasOwn(groupKinds, kind)) {
    report(
      "HDL0004",
      ["kind"],
      `The kind ${kind} (${apiVersion}) is not supported yet.`,
      groupKinds[kind] || undefined,
    );
    return;
  }
  const sameName = kinds.find((each) => each.kind === kind);
  if (sameName !== undefined) {
    const known = sameName.versions.map((each) => `${sameName.group}/${each}`).join(", ");
    report(
      "HDL0006",
      ["apiVersion"],
      `${kind} has no apiVersion ${JSON.stringify(apiVersion)}.`,
      `Write one of ${known}.`,
    );
    return;
  }
  const nearest = nearestName(kind, [...kinds.map((each) => each.kind), ...Object.keys(groupKinds ?? {})]);
  const supported = kinds.map((each) => each.kind).join(", ");
  const hint = nearest === undefined ? `Kinds that are carried out: ${supported}.` : `Did you mean ${nearest}?`;
  report("HDL0005", ["kind"], `${JSON.stringify(kind)} (${apiVersion}) is not a kind that Heddle knows.`, hint);
}

/** `status` is the server's to write and has no meaning in a file. */
const topLevel = ["apiVersion", "kind", "metadata", "spec", "status"];

function checkTopLevel(document: Readonly<Record<string, PlainValue>>, report: Report): boolean {
  let isKnown = true;
  for (const name of Object.keys(document)) {
    if (topLevel.includes(name)) continue;
    isKnown = false;
    const nearest = nearestName(name, topLevel);
    const hint =
      nearest === undefined
        ? "Fields of the resource belong under spec; check the indentation."
        : `Did you mean ${nearest}?`;
    report("HDL0010", [name], `${describePath([name])} is not a field of a resource.`, hint);
  }
  return isKnown;
}
