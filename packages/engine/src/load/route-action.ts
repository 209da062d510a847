import {
  type DirectResponseAction,
  RedirectAction_RedirectResponseCode,
  type RedirectAction,
  type RouteAction,
  RouteAction_ClusterNotFoundResponseCode,
  type RouteAction_RequestMirrorPolicy,
  type WeightedCluster,
  type WeightedCluster_ClusterWeight,
} from "@heddle/xds/api";
import type {
  ClusterSpecifier,
  DirectResponseConfig,
  GrpcTimeoutConfig,
  HostRewrite,
  MirrorConfig,
  RedirectActionConfig,
  RetryPolicyConfig,
  RouteActionConfig,
  WeightedClusterConfig,
} from "../config/route.ts";
import { loadDataSource, loadRuntimeFraction } from "./core-types.ts";
import { loadFilterOverrides } from "./filter-overrides.ts";
import { loadHeaderMutation } from "./header-mutation.ts";
import type { Loading, Path } from "./loading.ts";
import { loadRetryPolicy } from "./retry-policy.ts";
import { loadHeaderName, loadHeaderValue, loadRegexRewrite } from "./string-match.ts";
import { loadConnectConfig, loadUpgrades } from "./upgrades.ts";

/** What a virtual host says for routes that say nothing themselves. */
export interface InheritedAction {
  readonly retry: RetryPolicyConfig | undefined;
  readonly mirrors: readonly MirrorConfig[];
}

const notFoundStatus: Readonly<
  Record<RouteAction_ClusterNotFoundResponseCode, RouteActionConfig["clusterNotFoundStatus"]>
> = {
  [RouteAction_ClusterNotFoundResponseCode.SERVICE_UNAVAILABLE]: 503,
  [RouteAction_ClusterNotFoundResponseCode.NOT_FOUND]: 404,
  [RouteAction_ClusterNotFoundResponseCode.INTERNAL_SERVER_ERROR]: 500,
};

/** Envoy's route timeout where none is given. */
const defaultTimeoutMs = 15_000;

export function loadRouteAction(
  action: RouteAction,
  inherited: InheritedAction,
  at: Path,
  loading: Loading,
): RouteActionConfig {
  if (action.prefixRewrite !== "" && action.regexRewrite !== undefined) {
    loading.problem(at.field("regex_rewrite"), "prefix_rewrite is set, too", "keep one of them");
  }
  const stream = action.maxStreamDuration;
  const timeoutMs = loading.duration(action.timeout, at.field("timeout"), defaultTimeoutMs);
  const mirrors = loadMirrors(action.requestMirrorPolicies, at.field("request_mirror_policies"), loading);
  return {
    kind: "route",
    cluster: loadClusterSpecifier(action, at, loading),
    clusterNotFoundStatus: notFoundStatus[action.clusterNotFoundResponseCode] ?? 503,
    prefixRewrite: loadHeaderValue(action.prefixRewrite, at.field("prefix_rewrite"), loading),
    regexRewrite:
      action.regexRewrite === undefined
        ? undefined
        : loadRegexRewrite(action.regexRewrite, at.field("regex_rewrite"), loading),
    hostRewrite: loadHostRewrite(action, at, loading),
    appendForwardedHost: action.appendXForwardedHost,
    timeoutMs: stream === undefined ? timeoutMs : 0,
    idleTimeoutMs:
      action.idleTimeout === undefined ? undefined : loading.duration(action.idleTimeout, at.field("idle_timeout"), 0),
    maxStreamDurationMs:
      stream?.maxStreamDuration === undefined
        ? undefined
        : loading.duration(stream.maxStreamDuration, at.field("max_stream_duration").field("max_stream_duration"), 0),
    grpcTimeout: loadGrpcTimeout(action, at, loading),
    retry:
      action.retryPolicy === undefined
        ? inherited.retry
        : loadRetryPolicy(action.retryPolicy, at.field("retry_policy"), loading),
    mirrors: action.requestMirrorPolicies.length === 0 ? inherited.mirrors : mirrors,
    upgrades: loadUpgrades(action.upgradeConfigs, at.field("upgrade_configs"), loading),
    terminatesConnect: loadConnectConfig(action.upgradeConfigs, at.field("upgrade_configs"), loading),
  };
}

/** `max_stream_duration` wins over the older fields (Envoy, `FilterUtility::finalTimeout`). */
function loadGrpcTimeout(action: RouteAction, at: Path, loading: Loading): GrpcTimeoutConfig | undefined {
  const { maxStreamDuration: stream, maxGrpcTimeout, grpcTimeoutOffset } = action;
  const old = { limits: "response", maxMs: loading.duration(maxGrpcTimeout, at.field("max_grpc_timeout"), 0) } as const;
  const oldOffsetMs = loading.duration(grpcTimeoutOffset, at.field("grpc_timeout_offset"), 0);
  if (stream === undefined) return maxGrpcTimeout === undefined ? undefined : { ...old, offsetMs: oldOffsetMs };
  const where = at.field("max_stream_duration");
  const { grpcTimeoutHeaderMax, grpcTimeoutHeaderOffset } = stream;
  const maxMs = loading.duration(grpcTimeoutHeaderMax, where.field("grpc_timeout_header_max"), 0);
  return {
    limits: "stream",
    maxMs: grpcTimeoutHeaderMax === undefined ? undefined : maxMs,
    offsetMs: loading.duration(grpcTimeoutHeaderOffset, where.field("grpc_timeout_header_offset"), 0),
  };
}

function loadClusterSpecifier(action: RouteAction, at: Path, loading: Loading): ClusterSpecifier {
  const specifier = action.clusterSpecifier;
  switch (specifier.case) {
    case "cluster":
      return { kind: "cluster", name: loading.required(specifier.value, at.field("cluster")) };
    case "clusterHeader":
      return { kind: "header", header: loadHeaderName(specifier.value, at.field("cluster_header"), loading) };
    case "weightedClusters":
      return loadWeighted(specifier.value, at.field("weighted_clusters"), loading);
    default:
      if (specifier.case === undefined)
        loading.problem(at, "the route leads nowhere", "give cluster, cluster_header or weighted_clusters");
      return { kind: "cluster", name: "" };
  }
}

function loadWeighted(weighted: WeightedCluster, at: Path, loading: Loading): ClusterSpecifier {
  const clusters = weighted.clusters.map((cluster, index) =>
    loadClusterWeight(cluster, at.field("clusters").index(index), loading),
  );
  if (clusters.reduce((sum, { weight }) => sum + weight, 0) === 0) {
    loading.problem(at.field("clusters"), "the weights add up to zero", "give at least one cluster a weight");
  }
  const header = weighted.randomValueSpecifier;
  const randomHeader =
    header.case === "headerName" ? loadHeaderName(header.value, at.field("header_name"), loading) : "";
  return { kind: "weighted", clusters, randomHeader };
}

function loadClusterWeight(cluster: WeightedCluster_ClusterWeight, at: Path, loading: Loading): WeightedClusterConfig {
  if ((cluster.name === "") === (cluster.clusterHeader === "")) {
    loading.problem(at, "exactly one of name and cluster_header is needed", "give one of them");
  }
  const rewrite = cluster.hostRewriteSpecifier;
  return {
    cluster: cluster.name,
    clusterHeader:
      cluster.clusterHeader === "" ? "" : loadHeaderName(cluster.clusterHeader, at.field("cluster_header"), loading),
    weight: cluster.weight ?? 0,
    requestHeaders: loadHeaderMutation(
      cluster.requestHeadersToAdd,
      cluster.requestHeadersToRemove,
      at,
      "request_headers",
      loading,
    ),
    responseHeaders: loadHeaderMutation(
      cluster.responseHeadersToAdd,
      cluster.responseHeadersToRemove,
      at,
      "response_headers",
      loading,
    ),
    hostRewrite:
      rewrite.case === "hostRewriteLiteral"
        ? loadHeaderValue(rewrite.value, at.field("host_rewrite_literal"), loading)
        : undefined,
    filterOverrides: loadFilterOverrides(cluster.typedPerFilterConfig, at.field("typed_per_filter_config"), loading),
  };
}

function loadHostRewrite(action: RouteAction, at: Path, loading: Loading): HostRewrite | undefined {
  const rewrite = action.hostRewriteSpecifier;
  switch (rewrite.case) {
    case "hostRewriteLiteral":
      return { kind: "literal", value: loadHeaderValue(rewrite.value, at.field("host_rewrite_literal"), loading) };
    case "autoHostRewrite":
      return rewrite.value.value ? { kind: "auto" } : undefined;
    case "hostRewriteHeader":
      return { kind: "header", header: loadHeaderName(rewrite.value, at.field("host_rewrite_header"), loading) };
    case "hostRewritePathRegex":
      return {
        kind: "path-regex",
        rewrite: loadRegexRewrite(rewrite.value, at.field("host_rewrite_path_regex"), loading),
      };
    case undefined:
      return undefined;
  }
}

export function loadMirrors(
  policies: readonly RouteAction_RequestMirrorPolicy[],
  at: Path,
  loading: Loading,
): MirrorConfig[] {
  return policies.map((policy, index) => {
    if (policy.traceSampled === true) {
      loading.problem(
        at.index(index).field("trace_sampled"),
        "mirrored requests are never sampled",
        "write false or remove it",
      );
    }
    return {
      cluster: loading.required(policy.cluster, at.index(index).field("cluster")),
      fraction: loadRuntimeFraction(policy.runtimeFraction),
      appendShadowSuffix: !policy.disableShadowHostSuffixAppend,
    };
  });
}

const redirectStatus: Readonly<Record<RedirectAction_RedirectResponseCode, RedirectActionConfig["status"]>> = {
  [RedirectAction_RedirectResponseCode.MOVED_PERMANENTLY]: 301,
  [RedirectAction_RedirectResponseCode.FOUND]: 302,
  [RedirectAction_RedirectResponseCode.SEE_OTHER]: 303,
  [RedirectAction_RedirectResponseCode.TEMPORARY_REDIRECT]: 307,
  [RedirectAction_RedirectResponseCode.PERMANENT_REDIRECT]: 308,
};

export function loadRedirect(action: RedirectAction, at: Path, loading: Loading): RedirectActionConfig {
  return {
    kind: "redirect",
    host: loadHeaderValue(action.hostRedirect, at.field("host_redirect"), loading),
    port: loading.range(action.portRedirect, at.field("port_redirect"), 0, 65535),
    scheme: loadRedirectScheme(action, at, loading),
    path: loadRedirectPath(action, at, loading),
    status: redirectStatus[action.responseCode] ?? 301,
    stripQuery: action.stripQuery,
  };
}

function loadRedirectScheme(action: RedirectAction, at: Path, loading: Loading): RedirectActionConfig["scheme"] {
  const scheme = action.schemeRewriteSpecifier;
  if (scheme.case === "httpsRedirect") return scheme.value ? "https" : "";
  if (scheme.case === undefined) return "";
  const name = scheme.value.toLowerCase();
  if (name === "http" || name === "https" || name === "") return name;
  loading.problem(at.field("scheme_redirect"), `"${scheme.value}" is not supported`, "use http or https");
  return "";
}

function loadRedirectPath(action: RedirectAction, at: Path, loading: Loading): RedirectActionConfig["path"] {
  const path = action.pathRewriteSpecifier;
  switch (path.case) {
    case "pathRedirect":
      return path.value === ""
        ? { kind: "keep" }
        : { kind: "replace", path: loadHeaderValue(path.value, at.field("path_redirect"), loading) };
    case "prefixRewrite":
      return { kind: "prefix-rewrite", prefix: loadHeaderValue(path.value, at.field("prefix_rewrite"), loading) };
    case "regexRewrite":
      return { kind: "regex-rewrite", rewrite: loadRegexRewrite(path.value, at.field("regex_rewrite"), loading) };
    case undefined:
      return { kind: "keep" };
  }
}

/** `maxBodyBytes` is the table's `max_direct_response_body_size_bytes`. */
export function loadDirectResponse(
  action: DirectResponseAction,
  maxBodyBytes: number,
  at: Path,
  loading: Loading,
): DirectResponseConfig {
  const body = action.body === undefined ? "" : (loadDataSource(action.body, at.field("body"), loading) ?? "");
  const bytes = new TextEncoder().encode(body).length;
  if (bytes > maxBodyBytes) {
    loading.problem(
      at.field("body"),
      `the body has ${bytes} bytes, more than ${maxBodyBytes}`,
      "raise max_direct_response_body_size_bytes",
    );
  }
  return { kind: "direct", status: loading.range(action.status, at.field("status"), 200, 599), body };
}
