import type { ObjectSchema } from "../schema/field-table.ts";
import type { Kind } from "../resource.ts";
import { authorizationPolicyFields } from "./authorization-policy/fields.ts";
import { destinationRuleFields } from "./destination-rule/fields.ts";
import { localMeshFields } from "./local-mesh/fields.ts";
import { peerAuthenticationFields } from "./peer-authentication/fields.ts";
import { virtualServiceFields } from "./virtual-service/fields.ts";

export interface KindDescription {
  readonly kind: Kind;
  readonly group: string;
  /** The served versions; the first is the one to write. */
  readonly versions: readonly string[];
  readonly isSecurity: boolean;
  readonly spec: ObjectSchema;
  /** One sentence for the reference page. */
  readonly doc: string;
}

/** The kinds that are carried out. */
export const kinds: readonly KindDescription[] = [
  {
    kind: "LocalMesh",
    group: "heddle.dev",
    versions: ["v1alpha1"],
    isSecurity: false,
    spec: localMeshFields,
    doc: "What `heddle up` starts: workloads, their services and the edge.",
  },
  {
    kind: "VirtualService",
    group: "networking.istio.io",
    versions: ["v1", "v1beta1", "v1alpha3"],
    isSecurity: false,
    spec: virtualServiceFields,
    doc: "Where requests for a host go: matches, weights, rewrites, time limits, retries, faults.",
  },
  {
    kind: "DestinationRule",
    group: "networking.istio.io",
    versions: ["v1", "v1beta1", "v1alpha3"],
    isSecurity: false,
    spec: destinationRuleFields,
    doc: "How a service is called: subsets, balancing, connection limits, TLS.",
  },
  {
    kind: "PeerAuthentication",
    group: "security.istio.io",
    versions: ["v1", "v1beta1"],
    isSecurity: true,
    spec: peerAuthenticationFields,
    doc: "Which connections a workload accepts: mutual TLS, plaintext, or both.",
  },
  {
    kind: "AuthorizationPolicy",
    group: "security.istio.io",
    versions: ["v1", "v1beta1"],
    isSecurity: true,
    spec: authorizationPolicyFields,
    doc: "Which requests a workload accepts: from whom, to what, under which conditions.",
  },
];

export function isSecurityKind(kind: string): kind is "PeerAuthentication" | "AuthorizationPolicy" {
  return kinds.some((each) => each.kind === kind && each.isSecurity);
}
