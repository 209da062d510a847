import { workloadSelector } from "./kinds/selector.ts";
import { dryRunAnnotation } from "./metadata.ts";
import type { SecurityKind } from "./resource.ts";
import { dnsLabel } from "./schema/formats.ts";
import { nearestName } from "./schema/nearest-name.ts";
import { Validator, isMapping } from "./schema/validator.ts";
import type { PlainValue, YamlDocument } from "./yaml/documents.ts";

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
export function describeBrokenSecurity(document: Pick<YamlDocument, "value" | "text">, isReliable: boolean): BrokenSecurity | undefined {
  const kind = securityKindOf(document);
  if (kind === undefined) return undefined;
  const value = isMapping(document.value) ? document.value : {};
  const metadata = isMapping(value["metadata"]) ? value["metadata"] : {};
  if (isReliable && isDryRun(kind, metadata)) return undefined;
  const name = typeof metadata["name"] === "string" ? metadata["name"] : "(unreadable)";
  return {
    kind,
    namespace: isReliable ? readNamespace(value["metadata"]) : guessNamespace(document.text),
    name,
    selector: isReliable ? readSelector(value["spec"]) : undefined,
  };
}

function securityKindOf(document: Pick<YamlDocument, "value" | "text">): SecurityKind | undefined {
  const value = isMapping(document.value) ? document.value : {};
  const apiVersion = textOf(value["apiVersion"]) ?? guess(document.text, "apiVersion");
  const kind = textOf(value["kind"]) ?? guess(document.text, "kind");
  const group = apiVersion?.split("/", 1)[0];
  const exact = securityKinds.find((each) => each === kind);
  // Linkerd has an AuthorizationPolicy of its own, which never was Heddle's to enforce.
  if (exact !== undefined) return group === "policy.linkerd.io" ? undefined : exact;
  // A misspelt kind of the security group is still somebody's policy.
  if (group !== securityGroup) return undefined;
  const nearest = nearestName(kind ?? "", securityKinds);
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

/** Only what the text says exactly once, on a line of its own; none at all is the default namespace. */
function guessNamespace(text: string): string | undefined {
  const mentions = text.match(/namespace/gi) ?? [];
  if (mentions.length === 0) return "default";
  const line = /^[ ]*namespace:[ ]+([-a-z0-9]+)[ ]*$/m.exec(text)?.[1];
  return mentions.length === 1 && line !== undefined && dnsLabel.problem(line) === undefined ? line : undefined;
}

function readSelector(spec: PlainValue | undefined): Readonly<Record<string, string>> | undefined {
  if (!isMapping(spec) || Object.hasOwn(spec, "targetRef") || Object.hasOwn(spec, "targetRefs")) return undefined;
  const selector = spec["selector"];
  if (selector === undefined) return undefined;
  const validator = new Validator(workloadSelector, "");
  const read = validator.validate(selector, ["spec", "selector"]) as { matchLabels?: Readonly<Record<string, string>> } | undefined;
  const labels = validator.problems.length === 0 ? read?.matchLabels : undefined;
  return labels === undefined || Object.keys(labels).length === 0 ? undefined : labels;
}

function textOf(value: PlainValue | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}

/** The first `key: word` of a text that is no YAML, JSON's quotes allowed. */
function guess(text: string, key: "apiVersion" | "kind"): string | undefined {
  return new RegExp(`["']?${key}["']?[ \\t]*:[ \\t]*["']?([A-Za-z0-9./_-]+)`).exec(text)?.[1];
}
