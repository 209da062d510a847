import { type Cluster, Cluster_DiscoveryType, Cluster_LbPolicy, ClusterSchema, create } from "@heddle/xds/api";
import type { WorkloadProfile } from "../inputs.ts";
import {
  blackHoleClusterName,
  inboundPassthroughClusterName,
  passthroughClusterName,
  passthroughSources,
} from "../names.ts";
import { hasIpv6 } from "../listeners/wildcards.ts";
import { duration } from "../wire.ts";
import { connectTimeoutMs, unlimited } from "./compile.ts";

/** The clusters that every intercepted workload has, whatever services there are (Istio's names). */
export const fixedClusterNames = [blackHoleClusterName, inboundPassthroughClusterName, passthroughClusterName] as const;

export type FixedClusterName = (typeof fixedClusterNames)[number];

export function compileFixedCluster(name: FixedClusterName, instance: WorkloadProfile): Cluster {
  if (name === blackHoleClusterName) {
    return create(ClusterSchema, {
      name,
      clusterDiscoveryType: { case: "type", value: Cluster_DiscoveryType.STATIC },
      connectTimeout: duration(connectTimeoutMs),
      loadAssignment: { clusterName: name },
    });
  }
  return create(ClusterSchema, {
    name,
    clusterDiscoveryType: { case: "type", value: Cluster_DiscoveryType.ORIGINAL_DST },
    connectTimeout: duration(connectTimeoutMs),
    lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED,
    ...unlimitedConnections,
    ...(name === inboundPassthroughClusterName ? { upstreamBindConfig: passthroughSource(instance) } : {}),
  });
}

function passthroughSource(instance: WorkloadProfile) {
  return {
    sourceAddress: source(passthroughSources.ipv4),
    ...(hasIpv6(instance) ? { extraSourceAddresses: [{ address: source(passthroughSources.ipv6) }] } : {}),
  };
}

function source(address: string) {
  return { address, portSpecifier: { case: "portValue" as const, value: 0 } };
}

/** As Istio has it for every cluster that nobody has limited; absent, Envoy's 1024 would hold. */
const unlimitedConnections = {
  circuitBreakers: {
    thresholds: [
      { maxConnections: unlimited, maxPendingRequests: unlimited, maxRequests: unlimited, maxRetries: unlimited },
    ],
  },
};
