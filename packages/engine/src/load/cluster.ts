import {
  type Cluster,
  Cluster_DiscoveryType,
  Cluster_LbPolicy,
  type Cluster_TransportSocketMatch,
  ClusterSchema,
  type Http1ProtocolOptions,
  type Http2ProtocolOptions,
  type JsonObject,
  type LeastRequest,
  RoutingPriority,
  UpstreamConnectionOptions_FirstAddressFamilyVersion,
  type TunnelOptions,
  type UpstreamHttpProtocolOptions,
} from "@heddle/xds/api";
import type {
  ClusterConfig,
  ClusterLimits,
  HappyEyeballs,
  ServiceReference,
  TransportMatchConfig,
  TunnelConfig,
  RequestServerName,
} from "../config/cluster.ts";
import { acceptedFields } from "./accepted-fields.ts";
import { defaultBufferBytes, loadProvenance } from "./core-types.ts";
import { loadBindAddresses } from "./bind-addresses.ts";
import { loadOriginalDestination } from "./original-destination.ts";
import { loadDns } from "./dns.ts";
import { loadAssignment } from "./endpoints.ts";
import { unsupportedFields } from "./field-walker.ts";
import { loadHeaderKeyFormat } from "./header-key-format.ts";
import { loadHealthChecks } from "./health-check.ts";
import { loadHttp2Options } from "./http2-options.ts";
import { Loading, type Loaded, type LoadOptions, Path } from "./loading.ts";
import { requireAllTime } from "./tls.ts";
import { isProxyProtocol, loadTransportSocket } from "./transport-socket.ts";

const types: Readonly<Partial<Record<Cluster_DiscoveryType, ClusterConfig["type"]>>> = {
  [Cluster_DiscoveryType.STATIC]: "static",
  [Cluster_DiscoveryType.STRICT_DNS]: "strict_dns",
  [Cluster_DiscoveryType.LOGICAL_DNS]: "logical_dns",
  [Cluster_DiscoveryType.EDS]: "eds",
  [Cluster_DiscoveryType.ORIGINAL_DST]: "original_dst",
};

export function loadCluster(message: Cluster, options: LoadOptions = {}): Loaded<ClusterConfig> {
  const loading = new Loading(options);
  const at = new Path(options.path ?? "");
  loading.problems.push(...unsupportedFields(ClusterSchema, message, acceptedFields, at));
  const name = loading.required(message.name, at.field("name"));
  const type =
    message.clusterDiscoveryType.case === "type" ? (types[message.clusterDiscoveryType.value] ?? "static") : "static";
  const connectTimeoutMs = loading.duration(message.connectTimeout, at.field("connect_timeout"), 5000);
  if (connectTimeoutMs === 0)
    loading.problem(at.field("connect_timeout"), "the timeout is zero", "give a duration above zero");
  const http = loadHttpOptions(message, at.field("typed_extension_protocol_options"), loading);
  const transport = {
    ...loadTransportSocket(message.transportSocket, at.field("transport_socket"), name, loading),
    matches: message.transportSocketMatches.map((match, index) =>
      loadTransportMatch(match, name, at.field("transport_socket_matches").index(index), loading),
    ),
  };
  const unjudged = [transport.default, ...transport.matches.map(({ tls }) => tls)].some(
    (tls) => tls !== undefined && tls.common.validation === undefined,
  );
  // A name proves nothing by itself: anybody can write a certificate for it.
  if (unjudged && http.serverName?.isDemanded === true)
    loading.problem(
      at.field("typed_extension_protocol_options").key(httpOptionsName).field("upstream_http_protocol_options"),
      "auto_san_validation has nobody's certificates to look at",
      "give each UpstreamTlsContext of the cluster a validation context",
    );
  if (http.tunnel !== undefined && http.serverName !== undefined)
    loading.problem(
      at.field("typed_extension_protocol_options").key(tunnelOptionsName),
      "a carrier is for no host that requests ask for",
      "remove it, or auto_sni and auto_san_validation",
    );
  return loading.finish({
    name,
    type,
    ...loadDiscovery(message, name, type, at, loading),
    ...loadBalancing(message, at, loading),
    connectTimeoutMs,
    perConnectionBufferBytes: message.perConnectionBufferLimitBytes ?? defaultBufferBytes,
    limits: loadLimits(message, at.field("circuit_breakers").field("thresholds"), loading),
    ...http,
    preconnectRatio: loading.range(
      message.preconnectPolicy?.perUpstreamPreconnectRatio ?? 1,
      at.field("preconnect_policy").field("per_upstream_preconnect_ratio"),
      1,
      3,
    ),
    tcpKeepalive: loadKeepalive(message),
    bindAddresses: loadBindAddresses(message, at, loading),
    happyEyeballs: loadHappyEyeballs(message, at, loading),
    transport,
    dns: loadDns(message, at, loading),
    originalDestination: loadOriginalDestination(message, type, at, loading),
    healthCheck: loadHealthChecks(message.healthChecks, at.field("health_checks"), loading),
    ignoreHealthOnHostRemoval: message.ignoreHealthOnHostRemoval,
    services: loadServices(message.metadata?.filterMetadata["istio"]),
    provenance: loadProvenance(message.metadata),
  });
}

function loadDiscovery(
  message: Cluster,
  name: string,
  type: ClusterConfig["type"],
  at: Path,
  loading: Loading,
): Pick<ClusterConfig, "edsServiceName" | "inlineEndpoints"> {
  const { loadAssignment: assignment, edsClusterConfig: eds } = message;
  if (type === "eds") {
    const where = at.field("eds_cluster_config");
    const source = eds?.edsConfig;
    if (source?.configSourceSpecifier.case !== "ads")
      loading.problem(where.field("eds_config"), "endpoints come from ADS", "use `ads: {}`");
    else requireAllTime(source, where.field("eds_config"), loading);
    if (assignment !== undefined)
      loading.problem(at.field("load_assignment"), "the cluster's type is EDS", "remove one of them");
    return {
      edsServiceName: eds === undefined || eds.serviceName === "" ? name : eds.serviceName,
      inlineEndpoints: undefined,
    };
  }
  if (type === "original_dst") {
    if (assignment !== undefined)
      loading.problem(at.field("load_assignment"), "the cluster's type is ORIGINAL_DST", "remove one of them");
    return { edsServiceName: name, inlineEndpoints: undefined };
  }
  if (eds !== undefined)
    loading.problem(at.field("eds_cluster_config"), "the cluster's type is not EDS", "set `type: EDS` or remove it");
  if (assignment === undefined) {
    loading.problem(at.field("load_assignment"), "there are no endpoints", "give load_assignment, or `type: EDS`");
    return { edsServiceName: name, inlineEndpoints: undefined };
  }
  const where = at.field("load_assignment");
  const endpoints = loadAssignment(assignment, name, where, loading, type === "static" ? "ip-only" : "names");
  if (
    type === "logical_dns" &&
    endpoints.localities.reduce((sum, locality) => sum + locality.endpoints.length, 0) !== 1
  ) {
    loading.problem(where, "a LOGICAL_DNS cluster has exactly one endpoint", "use STRICT_DNS for several");
  }
  return { edsServiceName: name, inlineEndpoints: endpoints };
}

type Balancing = Pick<ClusterConfig, "lb" | "leastRequestChoices" | "leastRequestBias" | "healthyPanicThreshold">;

const policies: Readonly<Partial<Record<Cluster_LbPolicy, ClusterConfig["lb"]>>> = {
  [Cluster_LbPolicy.ROUND_ROBIN]: "round_robin",
  [Cluster_LbPolicy.LEAST_REQUEST]: "least_request",
  [Cluster_LbPolicy.RANDOM]: "random",
  [Cluster_LbPolicy.CLUSTER_PROVIDED]: "cluster_provided",
};

const typedPolicies: Readonly<Record<string, ClusterConfig["lb"]>> = {
  "envoy.extensions.load_balancing_policies.round_robin.v3.RoundRobin": "round_robin",
  "envoy.extensions.load_balancing_policies.least_request.v3.LeastRequest": "least_request",
  "envoy.extensions.load_balancing_policies.random.v3.Random": "random",
};

function loadBalancing(message: Cluster, at: Path, loading: Loading): Balancing {
  const panic = at.field("common_lb_config").field("healthy_panic_threshold").field("value");
  const healthyPanicThreshold = loading.range(
    message.commonLbConfig?.healthyPanicThreshold?.value ?? 50,
    panic,
    0,
    100,
  );
  const config = message.lbConfig.case === "leastRequestLbConfig" ? message.lbConfig.value : undefined;
  checkLbConfig(message, at, loading);
  let lb = policies[message.lbPolicy] ?? "round_robin";
  let options:
    | { choiceCount?: number | undefined; activeRequestBias?: { defaultValue: number } | undefined }
    | undefined = config;
  let where = at.field("least_request_lb_config");
  const typed = message.loadBalancingPolicy?.policies;
  if (typed !== undefined) {
    // Envoy takes the first policy that it knows; here all must be known, so it is the first.
    where = at
      .field("load_balancing_policy")
      .field("policies")
      .index(0)
      .field("typed_extension_config")
      .field("typed_config");
    const first = loading.unpack(typed[0]?.typedExtensionConfig?.typedConfig, where);
    const kind = first === undefined ? undefined : typedPolicies[first.$typeName];
    if (kind === undefined && first !== undefined) loading.misplaced(first, where, "a load balancing policy");
    lb = kind ?? lb;
    options = kind === "least_request" ? (first as LeastRequest) : undefined;
  }
  return {
    lb,
    leastRequestChoices: loading.range(options?.choiceCount ?? 2, where.field("choice_count"), 2, 1000),
    leastRequestBias: loading.range(
      options?.activeRequestBias?.defaultValue ?? 1,
      where.field("active_request_bias"),
      0,
      1000,
    ),
    healthyPanicThreshold,
  };
}

/** A configuration for another policy than the cluster's own would do nothing. */
function checkLbConfig(message: Cluster, at: Path, loading: Loading): void {
  const { lbConfig, lbPolicy, loadBalancingPolicy } = message;
  const fits =
    lbConfig.case === undefined ||
    lbConfig.case === "originalDstLbConfig" ||
    (loadBalancingPolicy === undefined &&
      ((lbConfig.case === "leastRequestLbConfig" && lbPolicy === Cluster_LbPolicy.LEAST_REQUEST) ||
        (lbConfig.case === "roundRobinLbConfig" && lbPolicy === Cluster_LbPolicy.ROUND_ROBIN)));
  if (fits) return;
  const field = lbConfig.case === "leastRequestLbConfig" ? "least_request_lb_config" : "round_robin_lb_config";
  loading.problem(
    at.field(field),
    "the cluster's load balancer is another one",
    "set lb_policy to match, or remove it",
  );
}

/** Envoy's defaults: 1024 connections, pending requests and requests, 3 retries. */
function loadLimits(message: Cluster, at: Path, loading: Loading): ClusterLimits {
  const thresholds = message.circuitBreakers?.thresholds ?? [];
  if (thresholds.length > 1) loading.problem(at, "there are several thresholds of one priority", "give one");
  const own = thresholds.find(({ priority }) => priority === RoutingPriority.DEFAULT);
  return {
    maxConnections: own?.maxConnections ?? 1024,
    maxPendingRequests: own?.maxPendingRequests ?? 1024,
    maxRequests: own?.maxRequests ?? 1024,
    maxRetries: own?.maxRetries ?? 3,
  };
}

type HttpOptions = Pick<
  ClusterConfig,
  | "maxRequestsPerConnection"
  | "idleTimeoutMs"
  | "maxConnectionDurationMs"
  | "enableTrailers"
  | "headerKeyFormat"
  | "serverName"
  | "protocol"
  | "tunnel"
  | "http2"
>;

const httpOptionsName = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
const tunnelOptionsName = "heddle.v1.TunnelOptions";

function loadHttpOptions(message: Cluster, at: Path, loading: Loading): HttpOptions {
  let options: UpstreamHttpProtocolOptions | undefined;
  let tunnel: TunnelConfig | undefined;
  for (const [name, any] of Object.entries(message.typedExtensionProtocolOptions)) {
    const unpacked = loading.unpack(any, at.key(name));
    if (unpacked?.$typeName === httpOptionsName && name === httpOptionsName)
      options = unpacked as UpstreamHttpProtocolOptions;
    else if (unpacked?.$typeName === tunnelOptionsName && name === tunnelOptionsName)
      tunnel = loadTunnelOptions(unpacked as TunnelOptions, message, at.key(name), loading);
    else if (unpacked !== undefined) loading.misplaced(unpacked, at.key(name), `${httpOptionsName} under its own name`);
  }
  const where = at.key(httpOptionsName);
  const common = options?.commonHttpProtocolOptions;
  const commonAt = where.field("common_http_protocol_options");
  const protocol = options?.upstreamProtocolOptions;
  const chosen = loadProtocol(protocol, where, loading);
  refuseDownstreamOnly(options, where, loading);
  return {
    maxRequestsPerConnection: common?.maxRequestsPerConnection ?? 0,
    idleTimeoutMs: loading.duration(common?.idleTimeout, commonAt.field("idle_timeout"), 3_600_000),
    maxConnectionDurationMs: loading.duration(
      common?.maxConnectionDuration,
      commonAt.field("max_connection_duration"),
      0,
    ),
    enableTrailers: chosen.http1?.enableTrailers ?? false,
    headerKeyFormat: loadHeaderKeyFormat(chosen.http1, chosen.http1At, loading),
    serverName: loadServerName(options),
    protocol: chosen.protocol,
    tunnel,
    http2: loadHttp2Options(chosen.http2, chosen.http2At, loading),
  };
}

function loadServerName(options: UpstreamHttpProtocolOptions | undefined): RequestServerName | undefined {
  const {
    autoSni = false,
    autoSanValidation = false,
    overrideAutoSniHeader = "",
  } = options?.upstreamHttpProtocolOptions ?? {};
  // The header means nothing by itself, as in Envoy.
  if (!autoSni && !autoSanValidation) return undefined;
  return { isSent: autoSni, isDemanded: autoSanValidation, header: overrideAutoSniHeader.toLowerCase() };
}

function loadTunnelOptions(options: TunnelOptions, cluster: Cluster, at: Path, loading: Loading): TunnelConfig {
  const where = at.field("transport_socket_match");
  const match = loading.required(options.transportSocketMatch, where);
  if (match !== "" && !cluster.transportSocketMatches.some(({ name }) => name === match))
    loading.problem(where, `"${match}" is no entry of transport_socket_matches`, "name the one with the carrier's TLS");
  const carrier = cluster.transportSocketMatches.find(({ name }) => name === match)?.transportSocket;
  if (isProxyProtocol(carrier))
    loading.problem(where, "a carrier has many clients, and no PROXY protocol header", "name one with TLS alone");
  return {
    match,
    http2: loadHttp2Options(options.http2ProtocolOptions, at.field("http2_protocol_options"), loading),
    maxConnectionDurationMs: loading.duration(options.maxConnectionDuration, at.field("max_connection_duration"), 0),
    minConcurrentRequests: options.minConcurrentRequests,
  };
}

interface ChosenProtocol {
  readonly protocol: ClusterConfig["protocol"];
  readonly http1: Http1ProtocolOptions | undefined;
  readonly http2: Http2ProtocolOptions | undefined;
  readonly http1At: Path;
  readonly http2At: Path;
}

/** Without options HTTP/1.1, as in Envoy; with options one of the ways to choose must be given. */
function loadProtocol(
  options: UpstreamHttpProtocolOptions["upstreamProtocolOptions"] | undefined,
  at: Path,
  loading: Loading,
): ChosenProtocol {
  const explicitAt = at.field("explicit_http_config");
  const http2At = explicitAt.field("http2_protocol_options");
  const http1At = explicitAt.field("http_protocol_options");
  const nothing = { protocol: "http1", http1: undefined, http2: undefined, http1At, http2At } as const;
  if (options === undefined) return nothing;
  if (options.case === "autoConfig") {
    const { httpProtocolOptions: http1, http2ProtocolOptions: http2 } = options.value;
    const autoAt = at.field("auto_config");
    return {
      protocol: "auto",
      http1,
      http2,
      http1At: autoAt.field("http_protocol_options"),
      http2At: autoAt.field("http2_protocol_options"),
    };
  }
  const explicit = options.case === "explicitHttpConfig" ? options.value.protocolConfig : undefined;
  if (explicit?.case === "httpProtocolOptions") return { ...nothing, http1: explicit.value };
  if (explicit?.case === "http2ProtocolOptions") return { ...nothing, protocol: "http2", http2: explicit.value };
  loading.problem(
    explicitAt,
    "the protocol must be said",
    "give explicit_http_config with http_protocol_options or http2_protocol_options, or auto_config",
  );
  return nothing;
}

/** Fields that the same messages have for listeners; on a cluster they would do nothing. */
function refuseDownstreamOnly(options: UpstreamHttpProtocolOptions | undefined, at: Path, loading: Loading): void {
  const common = options?.commonHttpProtocolOptions;
  const commonAt = at.field("common_http_protocol_options");
  const config = options?.upstreamProtocolOptions;
  const explicit = config?.case === "explicitHttpConfig" ? config.value.protocolConfig.value : undefined;
  const isAuto = config?.case === "autoConfig";
  const http1 = isAuto ? config.value.httpProtocolOptions : explicit;
  const http1At = at.field(isAuto ? "auto_config" : "explicit_http_config").field("http_protocol_options");
  const refuse = (isSet: boolean, where: Path): void => {
    if (isSet)
      loading.problem(where, "it is not supported on a cluster", "remove it; nothing is ever ignored in silence");
  };
  refuse(common?.maxHeadersCount !== undefined, commonAt.field("max_headers_count"));
  refuse(common?.maxStreamDuration !== undefined, commonAt.field("max_stream_duration"));
  refuse((common?.headersWithUnderscoresAction ?? 0) !== 0, commonAt.field("headers_with_underscores_action"));
  if (http1?.$typeName !== "envoy.config.core.v3.Http1ProtocolOptions") return;
  refuse(http1.allowAbsoluteUrl !== undefined, http1At.field("allow_absolute_url"));
  refuse(http1.acceptHttp10, http1At.field("accept_http_10"));
  refuse(http1.defaultHostForHttp10 !== "", http1At.field("default_host_for_http_10"));
}

function loadKeepalive(message: Cluster): ClusterConfig["tcpKeepalive"] {
  const keepalive = message.upstreamConnectionOptions?.tcpKeepalive;
  if (keepalive === undefined) return undefined;
  return {
    probes: keepalive.keepaliveProbes,
    timeSeconds: keepalive.keepaliveTime,
    intervalSeconds: keepalive.keepaliveInterval,
  };
}

const firstFamilies: Readonly<
  Record<UpstreamConnectionOptions_FirstAddressFamilyVersion, HappyEyeballs["firstFamily"]>
> = {
  [UpstreamConnectionOptions_FirstAddressFamilyVersion.DEFAULT]: "listed",
  [UpstreamConnectionOptions_FirstAddressFamilyVersion.V4]: "v4",
  [UpstreamConnectionOptions_FirstAddressFamilyVersion.V6]: "v6",
};

function loadHappyEyeballs(message: Cluster, at: Path, loading: Loading): HappyEyeballs {
  const own = message.upstreamConnectionOptions?.happyEyeballsConfig;
  const where = at.field("upstream_connection_options").field("happy_eyeballs_config");
  return {
    firstFamily: firstFamilies[own?.firstAddressFamilyVersion ?? 0] ?? "listed",
    firstFamilyCount: loading.range(
      own?.firstAddressFamilyCount ?? 1,
      where.field("first_address_family_count"),
      1,
      2 ** 32 - 1,
    ),
  };
}

function loadTransportMatch(
  match: Cluster_TransportSocketMatch,
  cluster: string,
  at: Path,
  loading: Loading,
): TransportMatchConfig {
  const metadata: Record<string, string> = {};
  for (const [key, value] of Object.entries(match.match ?? {})) {
    if (typeof value !== "string")
      loading.problem(at.field("match").key(key), "the value is not a string", "write it as a string");
    else metadata[key] = value;
  }
  const socket = at.field("transport_socket");
  const own = loadTransportSocket(match.transportSocket, socket, `${cluster}:${match.name}`, loading);
  return {
    name: loading.required(match.name, at.field("name")),
    metadata,
    tls: own.default,
    proxyProtocol: own.proxyProtocol,
  };
}

/** Istio's list of services behind a cluster; anything that is not of its shape is left out, since it only labels metrics. */
function loadServices(istio: JsonObject | undefined): ServiceReference[] {
  const services = istio?.["services"];
  if (!Array.isArray(services)) return [];
  const out: ServiceReference[] = [];
  for (const service of services) {
    if (typeof service !== "object" || service === null || Array.isArray(service)) continue;
    const { host, name, namespace } = service;
    if (typeof host === "string" && typeof name === "string" && typeof namespace === "string")
      out.push({ host, name, namespace });
  }
  return out;
}
