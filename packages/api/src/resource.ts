import type { ResourceIdentity, SourceLocation } from "./finding.ts";
import type { AuthorizationPolicySpec } from "./kinds/authorization-policy/spec.ts";
import type { DestinationRuleSpec } from "./kinds/destination-rule/spec.ts";
import type { LocalMeshSpec } from "./kinds/local-mesh/spec.ts";
import type { PeerAuthenticationSpec } from "./kinds/peer-authentication/spec.ts";
import type { VirtualServiceSpec } from "./kinds/virtual-service/spec.ts";
import { lineAt } from "./line-tree.ts";
import type { LineTree } from "./line-tree.ts";

export interface Metadata {
  readonly name: string;
  /** "default" when the file names none. */
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** RFC 3339, as written. Absent: equally old as every other resource without one (design, "Age and names"). */
  readonly creationTimestamp?: string;
  /** As written, else counted by `acceptResources`: 1, then one more each time the spec changes. 0 before that. */
  readonly generation: number;
}

/** One resource that passed its own kind's rules. References to other resources are `validateSet`'s concern. */
interface ParsedResourceOf<Kind extends string, Spec> {
  readonly apiVersion: string;
  readonly kind: Kind;
  readonly metadata: Metadata;
  readonly spec: Spec;
  /** Where the document begins. */
  readonly source: SourceLocation;
  /** The line of every field; plain data, so that it travels with the resource through JSON. */
  readonly lines: LineTree;
  /** Place of the deepest field on `path` that the file holds; the path starts at the document's root: `["spec", "http", 0]`. */
  locate(path: readonly (string | number)[]): SourceLocation;
}

export type VirtualServiceResource = ParsedResourceOf<"VirtualService", VirtualServiceSpec>;
export type DestinationRuleResource = ParsedResourceOf<"DestinationRule", DestinationRuleSpec>;
export type PeerAuthenticationResource = ParsedResourceOf<"PeerAuthentication", PeerAuthenticationSpec>;
export type AuthorizationPolicyResource = ParsedResourceOf<"AuthorizationPolicy", AuthorizationPolicySpec>;
export type LocalMeshResource = ParsedResourceOf<"LocalMesh", LocalMeshSpec>;

/** Discriminated by `kind`. */
export type Resource =
  | VirtualServiceResource
  | DestinationRuleResource
  | PeerAuthenticationResource
  | AuthorizationPolicyResource
  | LocalMeshResource;

export type ParsedResource = Resource;
export type Kind = Resource["kind"];

/**
 * The kinds whose failure must deny, never open (design, promise 2). RequestAuthentication is not carried out yet, so every one
 * of them is a policy that cannot be enforced.
 */
export type SecurityKind = "PeerAuthentication" | "AuthorizationPolicy" | "RequestAuthentication";

/**
 * A security resource that no accepted version stands for: the compiler denies what it selects.
 * `selector` undefined: it could not be read, or the policy has none: the whole namespace, or the whole mesh when
 * `namespace` is the root namespace. A namespace that could not be read is given as the root namespace.
 */
export interface BrokenPolicy extends ResourceIdentity {
  readonly kind: SecurityKind;
  readonly selector: Readonly<Record<string, string>> | undefined;
  readonly source: SourceLocation;
}

/** What a resource is made of: everything but `locate`. */
export type ResourceParts = {
  readonly [Name in keyof Omit<ParsedResource, "locate" | "kind" | "spec">]: ParsedResource[Name];
} & {
  readonly kind: ParsedResource["kind"];
  readonly spec: unknown;
};

export function makeResource(parts: ResourceParts): ParsedResource {
  // The table that validated the spec is the one of the kind, and field-table.ts ties each table to its type.
  return {
    ...parts,
    locate: (path) => ({ file: parts.source.file, line: lineAt(parts.lines, path) }),
  } as ParsedResource;
}

export function identityOf(resource: ParsedResource): ResourceIdentity {
  return { kind: resource.kind, namespace: resource.metadata.namespace, name: resource.metadata.name };
}
