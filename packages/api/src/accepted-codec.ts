import type { ResourceIdentity } from "./finding.ts";
import { kinds } from "./kinds/kinds.ts";
import { makeResource } from "./resource.ts";
import type { ParsedResource, ResourceParts } from "./resource.ts";
import { Validator } from "./schema/validator.ts";
import type { PlainValue } from "./yaml/plain-value.ts";

const formatVersion = 1;

/** What `parseAccepted` gives back. */
export interface RestoredSet {
  readonly resources: readonly ParsedResource[];
  /** Stored by another version of Heddle, whose tables accepted what these do not. They are out of force. */
  readonly dropped: readonly ResourceIdentity[];
}

/** The accepted versions as JSON, with file and lines, so that messages name the place after a restart, too. */
export function serializeAccepted(resources: readonly ParsedResource[]): string {
  const plain = resources.map(({ apiVersion, kind, metadata, spec, source, lines }) => ({
    apiVersion,
    kind,
    metadata,
    spec,
    source,
    lines,
  }));
  return JSON.stringify({ formatVersion, resources: plain });
}

/**
 * Reads back what `serializeAccepted` wrote. Every spec is held against its table again, since the file may come from another
 * version of Heddle.
 *
 * @returns undefined when the text is not such a file (damaged, or of another format version)
 */
export function parseAccepted(json: string): RestoredSet | undefined {
  let stored: unknown;
  try {
    stored = JSON.parse(json);
  } catch {
    // A damaged file; the caller moves it aside.
    return undefined;
  }
  if (!isRecord(stored) || stored["formatVersion"] !== formatVersion || !Array.isArray(stored["resources"]))
    return undefined;
  const resources: ParsedResource[] = [];
  const dropped: ResourceIdentity[] = [];
  for (const parts of stored["resources"] as unknown[]) {
    if (!isResourceParts(parts)) return undefined;
    if (isStillValid(parts)) resources.push(makeResource(parts));
    else dropped.push({ kind: parts.kind, namespace: parts.metadata.namespace, name: parts.metadata.name });
  }
  return { resources, dropped };
}

function isStillValid(parts: ResourceParts): boolean {
  const kind = kinds.find((each) => each.kind === parts.kind);
  if (kind === undefined) return false;
  const validator = new Validator(kind.spec, parts.metadata.namespace);
  return validator.validate(parts.spec as PlainValue, ["spec"]) !== undefined && !validator.hasErrors;
}

function isResourceParts(value: unknown): value is ResourceParts {
  if (!isRecord(value)) return false;
  const { apiVersion, kind, metadata, spec, source, lines } = value;
  if (
    typeof apiVersion !== "string" ||
    typeof kind !== "string" ||
    !isRecord(metadata) ||
    !isRecord(spec) ||
    !isRecord(source) ||
    !isRecord(lines)
  )
    return false;
  const hasMetadata =
    typeof metadata["name"] === "string" &&
    typeof metadata["namespace"] === "string" &&
    typeof metadata["generation"] === "number" &&
    isRecord(metadata["labels"]) &&
    isRecord(metadata["annotations"]);
  return (
    hasMetadata &&
    typeof source["file"] === "string" &&
    typeof source["line"] === "number" &&
    typeof lines["l"] === "number"
  );
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
