import type { ClusterConfig, TransportMatchConfig } from "../config/cluster.ts";
import type { EndpointConfig, EndpointsConfig } from "../config/endpoints.ts";
import { addressOrder } from "./address-order.ts";
import { formatHostPort } from "./ip-address.ts";
import { priorityLevels } from "./priority-level.ts";
import type { ActiveHealth, BoundCluster, BoundEndpoint, WorkloadIdentity } from "./types.ts";

/** What active checks have found, by endpoint key. */
export type CheckedHealth = ReadonlyMap<string, "healthy" | "degraded" | "failed">;

const noneChecked: CheckedHealth = new Map();

/**
 * Binds a cluster with the endpoints it has now (undefined: none were given yet). Endpoints that `previous` had in the
 * same shape stay the same objects.
 */
export function bindCluster(
  config: ClusterConfig,
  assigned: EndpointsConfig | undefined,
  previous: BoundCluster | undefined,
  checked: CheckedHealth = noneChecked,
): BoundCluster {
  const source = config.type === "static" ? config.inlineEndpoints : assigned;
  const known = new Map<string, BoundEndpoint>();
  if (previous?.config.transport === config.transport)
    for (const endpoint of previous.endpoints) known.set(endpoint.key, endpoint);
  const endpoints: BoundEndpoint[] = [];
  const seen = new Set<string>();
  for (const { priority, locality, endpoints: members } of source?.localities ?? []) {
    for (const member of members) {
      const key = member.identity === "" ? formatHostPort(member.address.host, member.address.port) : member.identity;
      // Envoy keeps the first of two endpoints with one address.
      if (seen.has(key)) continue;
      seen.add(key);
      const before = known.get(key);
      const next = bindEndpoint(config, key, member, priority, locality, checked);
      endpoints.push(before !== undefined && isSameEndpoint(before, next) ? before : next);
    }
  }
  for (const endpoint of known.values()) {
    const kept = seen.has(endpoint.key) ? undefined : keepWhileHealthy(config, endpoint, checked);
    if (kept !== undefined) endpoints.push(kept);
  }
  return {
    name: config.name,
    config,
    endpoints,
    levels: priorityLevels(endpoints, source?.overprovisioningFactor ?? 140, config.healthyPanicThreshold),
    // Its endpoints come with the connections that want them.
    isReady: source !== undefined || config.type === "original_dst",
    provenance: config.provenance,
  };
}

/** An ORIGINAL_DST cluster's endpoint at an address. */
export function bindDestination(cluster: BoundCluster, address: EndpointConfig["address"]): BoundEndpoint {
  const config: EndpointConfig = {
    address,
    additionalAddresses: [],
    identity: "",
    hostname: "",
    weight: 1,
    health: "healthy",
    healthCheck: { port: 0, hostname: "", isDisabled: true },
    metadata: {},
  };
  const key = formatHostPort(address.host, address.port);
  return bindEndpoint(cluster.config, key, config, 0, { region: "", zone: "", subZone: "" }, noneChecked);
}

/**
 * Discovery is believed only so far: an endpoint that it forgets while its health check succeeds goes on serving until the check fails
 * (Envoy, "Service discovery", "on eventually consistent service discovery"), unless discovery itself had called it unhealthy.
 */
function keepWhileHealthy(
  config: ClusterConfig,
  endpoint: BoundEndpoint,
  checked: CheckedHealth,
): BoundEndpoint | undefined {
  if (config.healthCheck === undefined || config.ignoreHealthOnHostRemoval) return undefined;
  if (config.type !== "eds" && config.type !== "strict_dns") return undefined;
  const activeHealth = checked.get(endpoint.key);
  if (activeHealth === undefined || activeHealth === "failed" || endpoint.discoveredHealth === "unhealthy")
    return undefined;
  const kept = {
    ...endpoint,
    isRemoved: true,
    activeHealth,
    health: healthOf(endpoint.discoveredHealth, activeHealth),
  };
  return isSameEndpoint(endpoint, kept) ? endpoint : kept;
}

function activeHealthOf(
  cluster: ClusterConfig,
  key: string,
  config: EndpointConfig,
  checked: CheckedHealth,
): ActiveHealth {
  if (cluster.healthCheck === undefined || config.healthCheck.isDisabled) return "unchecked";
  return checked.get(key) ?? "pending";
}

/** An endpoint serves when neither discovery nor its check objects; before its first check it does not, as in Envoy. */
function healthOf(discovered: EndpointConfig["health"], active: ActiveHealth): EndpointConfig["health"] {
  if (discovered === "unhealthy" || discovered === "draining") return discovered;
  if (active === "failed" || active === "pending") return "unhealthy";
  return active === "degraded" ? "degraded" : discovered;
}

function bindEndpoint(
  cluster: ClusterConfig,
  key: string,
  config: EndpointConfig,
  priority: number,
  locality: BoundEndpoint["locality"],
  checked: CheckedHealth,
): BoundEndpoint {
  const activeHealth = activeHealthOf(cluster, key, config, checked);
  const addresses = addressOrder(config, cluster.happyEyeballs);
  const [first = config.address] = addresses;
  const { transport } = cluster;
  const own = config.metadata["envoy.transport_socket_match"] ?? {};
  const matches = transport.matches.filter((candidate) => isSubset(candidate, own));
  const match = matches.find(({ name }) => name !== cluster.tunnel?.match);
  const { tls, proxyProtocol } = match ?? { tls: transport.default, proxyProtocol: transport.proxyProtocol };
  const endpoint: BoundEndpoint = {
    key,
    clusterName: cluster.name,
    host: first.host,
    port: first.port,
    address: formatHostPort(first.host, first.port),
    addresses,
    hostname: config.hostname,
    weight: config.weight,
    health: healthOf(config.health, activeHealth),
    discoveredHealth: config.health,
    activeHealth,
    healthCheck: config.healthCheck,
    isRemoved: false,
    priority,
    locality,
    metadata: config.metadata,
    workload: workloadOf(config),
    tls,
    proxyProtocol,
    tunnel: undefined,
  };
  const [foremost] = matches;
  return foremost === undefined || foremost === match
    ? endpoint
    : { ...endpoint, tunnel: bindTunnel(endpoint, foremost) };
}

/** `heddle.tunnel` of the metadata; undefined where it does not say all that is needed. */
function tunnelMetadata(config: Pick<EndpointConfig, "metadata">): { port: number; authority: string } | undefined {
  const { port = "", authority = "" } = config.metadata["heddle.tunnel"] ?? {};
  return /^[1-9][0-9]{0,4}$/.test(port) && Number(port) <= 65_535 && authority !== ""
    ? { port: Number(port), authority }
    : undefined;
}

function bindTunnel(endpoint: BoundEndpoint, { tls }: TransportMatchConfig): BoundEndpoint["tunnel"] {
  const found = tunnelMetadata(endpoint);
  if (found === undefined) return undefined;
  const { port, authority } = found;
  const address = formatHostPort(endpoint.host, port);
  const addresses = endpoint.addresses.map(({ host }) => ({ host, port }));
  return { authority, carrier: { ...endpoint, key: address, port, address, addresses, tls, proxyProtocol: undefined } };
}

/** Istio's endpoint metadata: `name;namespace;canonical service;canonical revision;cluster`. */
function workloadOf(config: EndpointConfig): WorkloadIdentity | undefined {
  const text = config.metadata["istio"]?.["workload"];
  if (text === undefined) return undefined;
  const [workload = "", namespace = "", canonicalService = "", canonicalRevision = "", cluster = ""] = text.split(";");
  return { workload, namespace, canonicalService, canonicalRevision, cluster };
}

/** Whether a match's metadata is a subset of the endpoint's `envoy.transport_socket_match`. The first such one holds, else the cluster's default. */
function isSubset(match: TransportMatchConfig, own: Readonly<Record<string, string>>): boolean {
  return Object.entries(match.metadata).every(([key, value]) => own[key] === value);
}

function isSameEndpoint(a: BoundEndpoint, b: BoundEndpoint): boolean {
  return (
    a.clusterName === b.clusterName &&
    a.hostname === b.hostname &&
    a.weight === b.weight &&
    a.health === b.health &&
    a.discoveredHealth === b.discoveredHealth &&
    a.activeHealth === b.activeHealth &&
    a.isRemoved === b.isRemoved &&
    a.priority === b.priority &&
    a.tls === b.tls &&
    a.tunnel?.carrier.tls === b.tunnel?.carrier.tls &&
    (a.tunnel === undefined) === (b.tunnel === undefined) &&
    a.proxyProtocol === b.proxyProtocol &&
    JSON.stringify([a.addresses, a.locality, a.metadata, a.healthCheck]) ===
      JSON.stringify([b.addresses, b.locality, b.metadata, b.healthCheck])
  );
}
