import { create, fromJson, type JsonValue, type Message, toBinary } from "@bufbuild/protobuf";
import { type Duration, durationMs } from "@bufbuild/protobuf/wkt";
import { errorEntry } from "@heddle/core";
import type { ClusterConfig, SocketAddress } from "@heddle/engine";
import { missingClusters, unsupportedFields } from "@heddle/engine/load";
import {
  type Address,
  ApiConfigSource_ApiType,
  ApiVersion,
  CLUSTER_TYPE,
  type Cluster,
  LISTENER_TYPE,
  NodeSchema,
  type ResourceType,
  SECRET_TYPE,
  typeRegistry,
} from "@heddle/xds/api";
import { type Bootstrap, BootstrapSchema } from "@heddle/xds/api/bootstrap";
import { loadResource } from "../generation/resource-loader.ts";
import { acceptedBootstrapFields } from "./accepted-fields.ts";
import type { AdsConfig, BootstrapConfig, BootstrapProblem, ParsedBootstrap } from "./bootstrap.ts";
import { findJsonProblems } from "./json-problems.ts";
import { readOverload } from "./overload.ts";
import { readRuntime } from "./runtime.ts";
import { type BootstrapSource, type DocumentPath, formatPath, parsePath, type Report } from "./source.ts";

type Resources = BootstrapConfig["resources"][number][];

/**
 * Reads an Envoy bootstrap, and everything in it. Either all of it can be served, or every reason why not is returned with path
 * and line. Nothing is ignored.
 */
export function readBootstrap(source: BootstrapSource): ParsedBootstrap {
  const problems: BootstrapProblem[] = [];
  const report: Report = (path, message, hint) => {
    problems.push({ path: formatPath(path), line: source.lineOf(path), message, hint });
  };
  const message = decode(source, report);
  const config = message === undefined ? undefined : readMessage(message, report);
  return config === undefined || problems.length > 0 ? { config: undefined, problems } : { config, problems: [] };
}

function decode(source: BootstrapSource, report: Report): Bootstrap | undefined {
  const json = source.value ?? {};
  try {
    return fromJson(BootstrapSchema, json as JsonValue, { registry: typeRegistry, ignoreUnknownFields: false });
  } catch (error) {
    const found = findJsonProblems(BootstrapSchema, json, typeRegistry);
    const { hint } = errorEntry("config_invalid");
    for (const problem of found) report(problem.path, problem.message, problem.hint ?? hint);
    if (found.length === 0) report([], (error as Error).message, hint);
    return undefined;
  }
}

function readMessage(message: Bootstrap, report: Report): BootstrapConfig | undefined {
  for (const problem of unsupportedFields(BootstrapSchema, withoutResources(message), acceptedBootstrapFields)) {
    report(parsePath(problem.path), problem.message, problem.hint);
  }
  const ads = readAds(message, report);
  const resources: Resources = [];
  const statics = message.staticResources;
  // Of a cluster that is refused enough is said already.
  const isStaticCluster = (name: string): boolean =>
    statics?.clusters.some((cluster) => cluster.name === name) ?? false;
  read("secrets", SECRET_TYPE, statics?.secrets ?? []);
  read("clusters", CLUSTER_TYPE, statics?.clusters ?? []);
  read("listeners", LISTENER_TYPE, statics?.listeners ?? []);
  const node = message.node ?? create(NodeSchema);
  return {
    value: toBinary(BootstrapSchema, message),
    node,
    nodeMetadata: node.metadata ?? {},
    admin: readAddress(message.admin?.address, ["admin", "address"], report),
    resources,
    ads,
    overload: readOverload(message.overloadManager, ["overload_manager"], report),
    runtime: readRuntime(message.layeredRuntime, ["layered_runtime"], report),
  };

  function read(field: string, type: ResourceType, messages: readonly (Message & { name: string })[]): void {
    const seen = new Set<string>();
    messages.forEach((resource, index) => {
      const path = ["static_resources", field, index];
      if (seen.has(resource.name))
        report([...path, "name"], `the name "${resource.name}" is used twice`, "Give each its own name.");
      seen.add(resource.name);
      // The control plane is reached by gRPC and so by HTTP/2, which no other cluster may ask for yet.
      if (type === CLUSTER_TYPE && resource.name === ads?.cluster.name) return;
      const loaded = loadResource(type, resource, "static");
      const missing = missingClusters(loaded.change === undefined ? [] : loaded.requiredClusters, isStaticCluster);
      for (const problem of [...loaded.problems, ...missing])
        report([...path, ...parsePath(problem.path)], problem.message, problem.hint);
      resources.push({ type, name: resource.name, message: resource });
    });
  }
}

/** Resources are judged one by one by their loaders. */
function withoutResources(message: Bootstrap): Bootstrap {
  const { staticResources } = message;
  if (staticResources === undefined) return message;
  return { ...message, staticResources: { ...staticResources, listeners: [], clusters: [], secrets: [] } };
}

function readAds(message: Bootstrap, report: Report): AdsConfig | undefined {
  const dynamic = message.dynamicResources;
  if (dynamic === undefined) return undefined;
  const path = ["dynamic_resources"];
  for (const [field, source] of [
    ["lds_config", dynamic.ldsConfig],
    ["cds_config", dynamic.cdsConfig],
  ] as const) {
    if (source === undefined) continue;
    if (source.configSourceSpecifier.case !== "ads") {
      report([...path, field], "only ads is supported here", "Write `ads: {}` and configure ads_config.");
    }
    // Readiness means that the control plane has answered, or that the last good configuration serves.
    if (source.initialFetchTimeout !== undefined && durationMs(source.initialFetchTimeout) !== 0) {
      report(
        [...path, field, "initial_fetch_timeout"],
        "must be 0s: a proxy is not ready before it is configured",
        "Leave it out or write 0s.",
      );
    }
  }
  const api = dynamic.adsConfig;
  if (api === undefined) {
    if (dynamic.ldsConfig !== undefined || dynamic.cdsConfig !== undefined)
      report(path, "ads_config is missing", "Say where the control plane is.");
    return undefined;
  }
  const adsPath = [...path, "ads_config"];
  const isDelta = api.apiType === ApiConfigSource_ApiType.DELTA_GRPC;
  if (!isDelta && api.apiType !== ApiConfigSource_ApiType.GRPC)
    report([...adsPath, "api_type"], "must be GRPC or DELTA_GRPC", "REST is not supported.");
  if (api.transportApiVersion !== ApiVersion.V3)
    report([...adsPath, "transport_api_version"], "must be V3", "Older versions of the API are not spoken.");
  const [service, ...others] = api.grpcServices;
  if (service?.targetSpecifier.case !== "envoyGrpc" || others.length > 0) {
    report([...adsPath, "grpc_services"], "must be one envoy_grpc", "Name the static cluster of the control plane.");
    return undefined;
  }
  const { clusterName: name, retryPolicy } = service.targetSpecifier.value;
  const index = message.staticResources?.clusters.findIndex((cluster) => cluster.name === name) ?? -1;
  const cluster = message.staticResources?.clusters[index];
  if (cluster === undefined) {
    report(
      [...adsPath, "grpc_services", 0, "envoy_grpc", "cluster_name"],
      `there is no static cluster "${name}"`,
      "Add it to static_resources.clusters.",
    );
    return undefined;
  }
  const config = loadControlPlane(cluster, ["static_resources", "clusters", index], report);
  if (config === undefined) return undefined;
  const backoff = readBackoff(
    retryPolicy?.retryBackOff,
    [...adsPath, "grpc_services", 0, "envoy_grpc", "retry_policy", "retry_back_off"],
    report,
  );
  return {
    cluster: config,
    delta: isDelta,
    wantsListeners: dynamic.ldsConfig !== undefined,
    wantsClusters: dynamic.cdsConfig !== undefined,
    backoff,
  };
}

/** `envoy.config.core.v3.BackoffStrategy`, as far as it is read here. */
interface BackoffStrategy {
  readonly baseInterval?: Duration | undefined;
  readonly maxInterval?: Duration | undefined;
}

/** Envoy's defaults (grpc_service.proto, EnvoyGrpc.retry_policy): 500 ms to 30 s; with a base interval of its own, up to ten times that. */
function readBackoff(strategy: BackoffStrategy | undefined, path: DocumentPath, report: Report): AdsConfig["backoff"] {
  const baseMs = strategy?.baseInterval === undefined ? undefined : durationMs(strategy.baseInterval);
  const maxMs = strategy?.maxInterval === undefined ? undefined : durationMs(strategy.maxInterval);
  if (strategy !== undefined && (baseMs === undefined || baseMs < 1)) {
    report([...path, "base_interval"], "must be at least 1 ms", "Write it like 0.5s.");
  } else if (maxMs !== undefined && maxMs < (baseMs ?? 0)) {
    report(
      [...path, "max_interval"],
      "must not be less than base_interval",
      "Leave it out for ten times base_interval.",
    );
  }
  if (baseMs === undefined) return { baseMs: 500, maxMs: 30_000 };
  return { baseMs, maxMs: maxMs ?? baseMs * 10 };
}

/** The control plane's cluster, read without its HTTP/2 settings: its connection is the runtime's. */
function loadControlPlane(cluster: Cluster, path: DocumentPath, report: Report): ClusterConfig | undefined {
  const { typedExtensionProtocolOptions: _typed, http2ProtocolOptions: _old, ...rest } = cluster;
  const plain = { ...rest, typedExtensionProtocolOptions: {} } as Cluster;
  const loaded = loadResource(CLUSTER_TYPE, plain, "static");
  for (const problem of loaded.problems) report([...path, ...parsePath(problem.path)], problem.message, problem.hint);
  const config = loaded.change?.clusters?.set[0];
  if (config === undefined) return undefined;
  if (config.inlineEndpoints === undefined) {
    report(
      path,
      "the control plane's cluster needs its endpoints in load_assignment",
      "EDS cannot say where EDS comes from.",
    );
    return undefined;
  }
  return config;
}

function readAddress(address: Address | undefined, path: DocumentPath, report: Report): SocketAddress | undefined {
  if (address === undefined) return undefined;
  if (address.address.case !== "socketAddress") {
    report(path, "must be a socket_address", "Pipes are not supported.");
    return undefined;
  }
  const { address: host, portSpecifier } = address.address.value;
  if (portSpecifier.case !== "portValue") {
    report([...path, "socket_address"], "port_value is missing", "Named ports are not supported.");
    return undefined;
  }
  return { host, port: portSpecifier.value };
}
