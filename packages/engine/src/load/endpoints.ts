import {
  type ClusterLoadAssignment,
  ClusterLoadAssignmentSchema,
  HealthStatus,
  type LbEndpoint,
  type LocalityLbEndpoints,
} from "@heddle/xds/api";
import type { EndpointConfig, EndpointsConfig, LocalityEndpointsConfig } from "../config/endpoints.ts";
import { acceptedFields } from "./accepted-fields.ts";
import { loadAddress, loadMetadata } from "./core-types.ts";
import { unsupportedFields } from "./field-walker.ts";
import { Loading, type Loaded, type LoadOptions, Path } from "./loading.ts";

export function loadEndpoints(message: ClusterLoadAssignment, options: LoadOptions = {}): Loaded<EndpointsConfig> {
  const loading = new Loading(options);
  const at = new Path(options.path ?? "");
  loading.problems.push(...unsupportedFields(ClusterLoadAssignmentSchema, message, acceptedFields, at));
  loading.required(message.clusterName, at.field("cluster_name"));
  return loading.finish(loadAssignment(message, message.clusterName, at, loading, "ip-only"));
}

/** Also for the assignment inside a cluster, where a DNS cluster has names. */
export function loadAssignment(
  assignment: ClusterLoadAssignment,
  clusterName: string,
  at: Path,
  loading: Loading,
  names: "names" | "ip-only",
): EndpointsConfig {
  const factor = at.field("policy").field("overprovisioning_factor");
  return {
    clusterName,
    localities: assignment.endpoints.map((locality, index) =>
      loadLocality(locality, at.field("endpoints").index(index), loading, names),
    ),
    overprovisioningFactor: loading.range(assignment.policy?.overprovisioningFactor ?? 140, factor, 1, 2 ** 32 - 1),
  };
}

function loadLocality(
  locality: LocalityLbEndpoints,
  at: Path,
  loading: Loading,
  names: "names" | "ip-only",
): LocalityEndpointsConfig {
  const where = locality.locality;
  return {
    priority: loading.range(locality.priority, at.field("priority"), 0, 128),
    locality: { region: where?.region ?? "", zone: where?.zone ?? "", subZone: where?.subZone ?? "" },
    weight: locality.loadBalancingWeight ?? 0,
    endpoints: locality.lbEndpoints.map((endpoint, index) =>
      loadEndpoint(endpoint, at.field("lb_endpoints").index(index), loading, names),
    ),
  };
}

/** What Envoy takes for healthy: HEALTHY and UNKNOWN. */
const health: Readonly<Record<HealthStatus, EndpointConfig["health"]>> = {
  [HealthStatus.UNKNOWN]: "healthy",
  [HealthStatus.HEALTHY]: "healthy",
  [HealthStatus.UNHEALTHY]: "unhealthy",
  [HealthStatus.DRAINING]: "draining",
  [HealthStatus.TIMEOUT]: "unhealthy",
  [HealthStatus.DEGRADED]: "degraded",
};

function loadEndpoint(endpoint: LbEndpoint, at: Path, loading: Loading, names: "names" | "ip-only"): EndpointConfig {
  const identifier = endpoint.hostIdentifier;
  const inner = identifier.case === "endpoint" ? identifier.value : undefined;
  const where = at.field("endpoint");
  const check = inner?.healthCheckConfig;
  const checkAt = where.field("health_check_config");
  const additional = where.field("additional_addresses");
  return {
    address: loadAddress(inner?.address, where.field("address"), loading, names),
    additionalAddresses: (inner?.additionalAddresses ?? []).map((entry, index) =>
      // Envoy takes names nowhere but in `address`: which of two names' answers belong together nobody could say.
      loadAddress(entry.address, additional.index(index).field("address"), loading, "ip-only"),
    ),
    identity: "",
    hostname: inner?.hostname ?? "",
    weight: loading.range(endpoint.loadBalancingWeight ?? 1, at.field("load_balancing_weight"), 1, 2 ** 32 - 1),
    health: health[endpoint.healthStatus] ?? "healthy",
    healthCheck: {
      port: loading.range(check?.portValue ?? 0, checkAt.field("port_value"), 0, 65_535),
      hostname: check?.hostname ?? "",
      isDisabled: check?.disableActiveHealthCheck ?? false,
    },
    metadata: loadMetadata(endpoint.metadata),
  };
}
