import { formatSpiffeId } from "@heddle/core";
import {
  PeerMetadata_Direction,
  PeerMetadataSchema,
  StandardMetrics_Reporter,
  StandardMetricsSchema,
  type Workload,
} from "@heddle/xds/api";
import type { Audience } from "../audience.ts";
import type { WorkloadProfile } from "../inputs.ts";
import { extension } from "../wire.ts";

type WorkloadMetadata = Omit<Workload, "$typeName" | "$unknown">;

/** What metrics say about a workload. Canonical name and revision by the labels that Istio reads, in its order. */
export function workloadMetadata(instance: WorkloadProfile, trustDomain: string): WorkloadMetadata {
  const { labels, namespace, serviceAccount, workload } = instance;
  const app = labels["app"] ?? "";
  const version = instance.version || (labels["version"] ?? "");
  return {
    workload,
    namespace,
    canonicalService: labels["service.istio.io/canonical-name"] || labels["app.kubernetes.io/name"] || app || workload,
    canonicalRevision:
      labels["service.istio.io/canonical-revision"] || labels["app.kubernetes.io/version"] || version || "latest",
    app,
    version,
    // The mesh has one cluster without a name; metrics report `unknown`.
    cluster: "",
    principal: formatSpiffeId(trustDomain, namespace, serviceAccount),
  };
}

/** `istio.workload` of an endpoint's metadata: `name;namespace;canonical service;revision;cluster`. */
export function workloadIdentity(instance: WorkloadProfile): string {
  const { workload, namespace, canonicalService, canonicalRevision, cluster } = workloadMetadata(instance, "");
  return [workload, namespace, canonicalService, canonicalRevision, cluster].join(";");
}

/** Peer exchange through `baggage`; stands first, so that the peer is known to whatever stands behind it. */
export function compilePeerMetadata(audience: Audience, direction: "inbound" | "outbound", local: WorkloadMetadata) {
  if (!audience.understands.has("PeerMetadata")) return [];
  return [
    extension("heddle.peer_metadata", PeerMetadataSchema, {
      direction: direction === "inbound" ? PeerMetadata_Direction.INBOUND : PeerMetadata_Direction.OUTBOUND,
      local,
    }),
  ];
}

/** Istio's standard metrics. Envoy has no stock filter that makes them. */
export function compileStandardMetrics(audience: Audience, reporter: "source" | "destination") {
  if (!audience.understands.has("StandardMetrics")) return [];
  return [
    extension("heddle.standard_metrics", StandardMetricsSchema, {
      reporter: reporter === "source" ? StandardMetrics_Reporter.SOURCE : StandardMetrics_Reporter.DESTINATION,
    }),
  ];
}
