import type { BoundCluster, BoundEndpoint } from "@heddle/engine";
import { type TrafficEnds, type TrafficMetrics, unknownWorkload, type WorkloadLabels } from "@heddle/telemetry";
import type { Exchange } from "./exchange.ts";

/** Series by ends: one string key per request would cost more than all of its counters. */
const byEndpoint = new WeakMap<BoundEndpoint, Map<string, TrafficMetrics>>();
const byLabels = new WeakMap<WorkloadLabels, Map<string, TrafficMetrics>>();
/** Stands for the endpoint where a request never got one. */
const noEndpoint = {} as BoundEndpoint;

/** Whose certificates both ends of a connection have shown; empty: none, or one without an identity. */
interface Principals {
  readonly source: string;
  readonly destination: string;
}

/** Istio's metrics for this request's ends; undefined when the chain does not count them. */
export function trafficMetricsOf(x: Exchange): TrafficMetrics | undefined {
  const { standardMetrics, reporter } = x.chain;
  if (standardMetrics === undefined) return undefined;
  const { req } = x;
  const protocol = req.isGrpc ? "grpc" : "http";
  const isSource = reporter === "source";
  const principals = isSource ? upstreamPrincipals(x) : downstreamPrincipals(x);
  const cache = isSource
    ? cacheOf(byEndpoint, req.endpoint ?? noEndpoint)
    : cacheOf(byLabels, x.peerLabels ?? unknownWorkload);
  const key = `${principals.source}\0${principals.destination}\0${req.clusterName}\0${protocol}\0${x.chain.hcm.config.statPrefix}`;
  let metrics = cache.get(key);
  if (metrics === undefined) {
    metrics = standardMetrics.bind(
      isSource ? sourceEnds(x, principals, protocol) : destinationEnds(x, principals, protocol),
    );
    cache.set(key, metrics);
  }
  return metrics;
}

/**
 * Both from the connection to the endpoint, as Istio's stats filter takes them: where a cluster has TLS of its own, or none, the workload did not go
 * by its identity.
 */
function upstreamPrincipals({ upstreamConnection }: Exchange): Principals {
  return {
    source: upstreamConnection?.session?.localPrincipal ?? "",
    destination: upstreamConnection?.peer?.principal ?? "",
  };
}

/** Both from the client's connection, likewise. */
function downstreamPrincipals({ downstream: { view } }: Exchange): Principals {
  return { source: view.peer?.principal ?? "", destination: view.localPrincipal };
}

function cacheOf<K extends object>(
  caches: WeakMap<K, Map<string, TrafficMetrics>>,
  key: K,
): Map<string, TrafficMetrics> {
  let cache = caches.get(key);
  if (cache === undefined) caches.set(key, (cache = new Map()));
  return cache;
}

function sourceEnds(x: Exchange, principals: Principals, requestProtocol: "http" | "grpc"): TrafficEnds {
  const { chain, req } = x;
  return {
    source: chain.local,
    sourcePrincipal: principals.source,
    destination: endpointLabels(req.endpoint),
    destinationPrincipal: principals.destination,
    ...serviceOf(req.cluster),
    requestProtocol,
    // As in Istio: only the receiving side knows what it was given.
    connectionSecurityPolicy: "unknown",
  };
}

function destinationEnds(x: Exchange, principals: Principals, requestProtocol: "http" | "grpc"): TrafficEnds {
  const { chain, req } = x;
  return {
    source: x.peerLabels ?? unknownWorkload,
    sourcePrincipal: principals.source,
    destination: chain.local,
    destinationPrincipal: principals.destination,
    ...serviceOf(req.cluster),
    requestProtocol,
    connectionSecurityPolicy: principals.source === "" || principals.destination === "" ? "none" : "mutual_tls",
  };
}

function serviceOf(
  cluster: BoundCluster | undefined,
): Pick<TrafficEnds, "destinationService" | "destinationServiceName" | "destinationServiceNamespace"> {
  const service = cluster?.config.services[0];
  return {
    destinationService: service?.host ?? "",
    destinationServiceName: service?.name ?? "",
    destinationServiceNamespace: service?.namespace ?? "",
  };
}

/** EDS names the workload behind an endpoint; Istio's encoding has no app and version, for which the canonical ones stand. */
function endpointLabels(endpoint: BoundEndpoint | undefined): WorkloadLabels {
  const workload = endpoint?.workload;
  if (workload === undefined) return unknownWorkload;
  return { ...workload, app: workload.canonicalService, version: workload.canonicalRevision };
}
