import { workloadSelector } from "./kinds/selector.ts";
import { dryRunAnnotation } from "./metadata.ts";
import type { SecurityKind } from "./resource.ts";
import { dnsLabel, resourceName } from "./schema/formats.ts";
import { nearestName } from "./schema/nearest-name.ts";
import { Validator, isMapping } from "./schema/validator.ts";
import type { YamlDocument } from "./yaml/documents.ts";
import type { PlainValue } from "./yaml/plain-value.ts";

/** What a security resource with errors would have covered; wide where it cannot be told (design, "Findings"). */
export interface BrokenSecurity {
  readonly kind: SecurityKind;
  /** undefined: cannot be told, so every namespace. */
  readonly namespace: string | undefined;
  /** "(unreadable)" when it cannot be told. */
  readonly name: string;
  /** undefined: there is none, or it cannot be told: everything in the namespace. */
  readonly selector: Readonly<Record<string, string>> | undefined;
}

const securityGroup = "security.istio.io";
const securityKinds: readonly SecurityKind[] = ["AuthorizationPolicy", "PeerAuthentication", "RequestAuthentication"];

/**
 * Reads from a document with errors which traffic its policy is about, so that this traffic can be denied. Undefined when the
 * document is no security resource, or one that would only have watched (dry run).
 *
 * @param isReliable false when the YAML itself is broken: then nothing that narrows the scope is believed but a namespace that the text names once
 */
export function describeBrokenSecurity(
  document: Pick<YamlDocument, "value" | "text">,
  isReliable: boolean,
): BrokenSecurity | undefined {
  const kind = securityKindOf(document, isReliable);
  if (kind === undefined) return undefined;
  const value = isMapping(document.value) ? document.value : {};
  const metadata = isMapping(value["metadata"]) ? value["metadata"] : {};
  if (isReliable && isDryRun(kind, metadata)) return undefined;
  const name = metadata["name"];
  return {
    kind,
    namespace: isReliable ? readNamespace(value["metadata"]) : guessNamespace(document.text),
    name: typeof name === "string" && resourceName.problem(name) === undefined ? name : "(unreadable)",
    selector: isReliable ? readSelector(value["spec"]) : undefined,
  };
}

function securityKindOf(document: Pick<YamlDocument, "value" | "text">, isReliable: boolean): SecurityKind | undefined {
  const value = isMapping(document.value) ? document.value : {};
  const { apiVersion, kind } = value;
  const told = classify(typeof apiVersion === "string" ? apiVersion : "", typeof kind === "string" ? kind : "");
  if (told !== undefined || isReliable) return told;
  // Broken YAML may have swallowed the documents below it: any mention counts.
  const groups = mentions(document.text, "apiVersion");
  for (const mentioned of mentions(document.text, "kind")) {
    const guessed =
      groups.map((group) => classify(group, mentioned)).find((each) => each !== undefined) ??
      (groups.length === 0 ? classify("", mentioned) : undefined);
    if (guessed !== undefined) return guessed;
  }
  return groups.some((group) => group.startsWith(`${securityGroup}/`)) ? "AuthorizationPolicy" : undefined;
}

function classify(apiVersion: string, kind: string): SecurityKind | undefined {
  const group = apiVersion.split("/", 1)[0];
  const exact = securityKinds.find((each) => each === kind);
  // Linkerd has an AuthorizationPolicy of its own, which never was Heddle's to enforce.
  if (exact !== undefined) return group === "policy.linkerd.io" ? undefined : exact;
  // A misspelt kind of the security group is still somebody's policy.
  if (group !== securityGroup) return undefined;
  const nearest = nearestName(kind, securityKinds);
  return securityKinds.find((each) => each === nearest) ?? "AuthorizationPolicy";
}

function isDryRun(kind: SecurityKind, metadata: Readonly<Record<string, PlainValue>>): boolean {
  const annotations = metadata["annotations"];
  return kind === "AuthorizationPolicy" && isMapping(annotations) && annotations[dryRunAnnotation] === "true";
}

function readNamespace(metadata: PlainValue | undefined): string | undefined {
  if (!isMapping(metadata)) return undefined;
  if (!Object.hasOwn(metadata, "namespace")) return "default";
  const namespace = metadata["namespace"];
  return typeof namespace === "string" && dnsLabel.problem(namespace) === undefined ? namespace : undefined;
}

/** Only what the text of a single resource says exactly once, on a line of its own; none at all is the default namespace. */
function guessNamespace(text: string): string | undefined {
  if (mentions(text, "kind").length !== 1) return undefined;
  const found = text.match(/namespace/gi) ?? [];
  if (found.length === 0) return "default";
  const line = /^[ ]*namespace:[ ]+([-a-z0-9]+)[ ]*$/m.exec(text)?.[1];
  return found.length === 1 && line !== undefined && dnsLabel.problem(line) === undefined ? line : undefined;
}

function readSelector(spec: PlainValue | undefined): Readonly<Record<string, string>> | undefined {
  if (!isMapping(spec) || Object.hasOwn(spec, "targetRef") || Object.hasOwn(spec, "targetRefs")) return undefined;
  const selector = spec["selector"];
  if (selector === undefined) return undefined;
  const validator = new Validator(workloadSelector, "");
  const read = validator.validate(selector, ["spec", "selector"]) as
    | { matchLabels?: Readonly<Record<string, string>> }
    | undefined;
  const labels = validator.problems.length === 0 ? read?.matchLabels : undefined;
  return labels === undefined || Object.keys(labels).length === 0 ? undefined : labels;
}

/** Every `key: word` of a text that is no YAML, JSON's quotes allowed. */
function mentions(text: string, key: "apiVersion" | "kind"): string[] {
  return [...text.matchAll(new RegExp(`["']?${key}["']?[ \\t]*:[ \\t]*["']?([A-Za-z0-9./_-]+)`, "g"))].map(
    (match) => match[1] ?? "",
  );
}
