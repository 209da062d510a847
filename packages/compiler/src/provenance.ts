import type { Metadata as ResourceMetadata } from "@heddle/api";
import type { MessageInitShape, Metadata, MetadataSchema } from "@heddle/xds/api";

/** The resource that decided something. File and line are looked up by who asks, so that editing a comment pushes nothing. */
export interface Origin {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  /** 0 when the resource has none. */
  readonly generation: number;
}

export function originOf(kind: string, { namespace, name, generation }: ResourceMetadata): Origin {
  return { kind, namespace, name, generation };
}

export type MetadataInit = Omit<MessageInitShape<typeof MetadataSchema>, "$typeName">;

type JsonObject = Metadata["filterMetadata"][string];

export const provenanceKey = "heddle.dev";

/** `filter_metadata["heddle.dev"]`. `rule` is a path below `spec`: `http[0].match[1]`; empty for the resource as a whole. */
export function provenanceOf(origin: Origin, rule: string): JsonObject {
  return {
    ...(origin.generation === 0 ? {} : { generation: String(origin.generation) }),
    kind: origin.kind,
    name: origin.name,
    namespace: origin.namespace,
    ...(rule === "" ? {} : { rule }),
  };
}

/** Metadata from parts; keys are put in order, so that equal metadata is equal on the wire. Undefined when there are no parts. */
export function metadataOf(parts: Readonly<Record<string, JsonObject | undefined>>): MetadataInit | undefined {
  const filterMetadata: Record<string, JsonObject> = {};
  for (const key of Object.keys(parts).sort()) {
    const part = parts[key];
    if (part !== undefined) filterMetadata[key] = part;
  }
  return Object.keys(filterMetadata).length === 0 ? undefined : { filterMetadata };
}

/**
 * `http[0].match[1]` → `["spec", "http", 0, "match", 1]`, the path that `ParsedResource.locate` takes. A number alone, which is all that
 * the name of an RBAC policy holds, is an AuthorizationPolicy's rule; a word that is no field leads to the resource as a whole.
 */
export function rulePath(rule: string): (string | number)[] {
  if (/^\d+$/.test(rule)) return ["spec", "rules", Number(rule)];
  const path: (string | number)[] = ["spec"];
  for (const [, key, index] of rule.matchAll(/([^.[\]]+)|\[(\d+)\]/g))
    path.push(index === undefined ? (key ?? "") : Number(index));
  return path;
}
