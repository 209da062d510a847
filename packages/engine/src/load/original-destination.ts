import { type Cluster, Cluster_LbPolicy } from "@heddle/xds/api";
import type { ClusterConfig, OriginalDestinationConfig } from "../config/cluster.ts";
import type { Loading, Path } from "./loading.ts";
import { loadHeaderName } from "./string-match.ts";

/** Envoy's name of the header, and how long it remembers a destination that nobody asks for. */
const defaultHeader = "x-envoy-original-dst-host";
const defaultCleanupMs = 5000;

export function loadOriginalDestination(
  message: Cluster,
  type: ClusterConfig["type"],
  at: Path,
  loading: Loading,
): OriginalDestinationConfig {
  const isOriginal = type === "original_dst";
  const isProvided =
    message.lbPolicy === Cluster_LbPolicy.CLUSTER_PROVIDED && message.loadBalancingPolicy === undefined;
  if (isOriginal !== isProvided)
    loading.problem(
      at.field("lb_policy"),
      isOriginal ? "the destination of each connection decides" : "the cluster's type is not ORIGINAL_DST",
      "CLUSTER_PROVIDED goes with ORIGINAL_DST, and with nothing else",
    );
  const own = message.lbConfig.case === "originalDstLbConfig" ? message.lbConfig.value : undefined;
  const where = at.field("original_dst_lb_config");
  if (own !== undefined && !isOriginal)
    loading.problem(where, "the cluster's type is not ORIGINAL_DST", "set `type: ORIGINAL_DST` or remove it");
  const name = own?.httpHeaderName ?? "";
  if (name !== "" && own?.useHttpHeader !== true)
    loading.problem(where.field("http_header_name"), "the header is not used", "set use_http_header, too");
  const cleanupMs = loading.duration(message.cleanupInterval, at.field("cleanup_interval"), defaultCleanupMs);
  if (cleanupMs === 0)
    loading.problem(at.field("cleanup_interval"), "the interval is zero", "give a duration above zero");
  if (message.cleanupInterval !== undefined && !isOriginal)
    loading.problem(at.field("cleanup_interval"), "the cluster's type is not ORIGINAL_DST", "remove it");
  const header = name === "" ? defaultHeader : loadHeaderName(name, where.field("http_header_name"), loading);
  return {
    header: own?.useHttpHeader === true ? header : "",
    portOverride: loading.range(own?.upstreamPortOverride ?? 0, where.field("upstream_port_override"), 0, 65_535),
    cleanupMs,
  };
}
