import type { RandomSource } from "@heddle/core";
import type { BoundCluster, BoundEndpoint } from "../bind/types.ts";
import type { Action } from "./action.ts";
import { releaseAttempt } from "./accounting.ts";
import { rewriteHost } from "./decide-request.ts";
import type { DecisionTrace } from "./decision-trace.ts";
import type { LiveState } from "./live-state.ts";
import { pickEndpoint, pickOther } from "./load-balancer.ts";
import type { RequestRecord } from "./request-record.ts";
import { tellTimeouts } from "./timeouts.ts";

/**
 * An endpoint of `req.cluster` for the next attempt, which is counted as active from here on. Endpoints that were tried are
 * avoided when the policy says so, for as many draws as it says (Envoy's previous_hosts); after that any other is taken, and one
 * that was tried only when there is no other. Envoy takes the last draw as it is: a dead endpoint is never busy, so that least
 * request draws it again and again.
 * `connect`, or `respond`: no healthy endpoint, or too many requests in the cluster.
 */
export function chooseEndpoint(
  live: LiveState,
  req: RequestRecord,
  nowMs: number,
  random: RandomSource,
  out: Action,
  trace?: DecisionTrace,
): void {
  const { cluster } = req;
  if (cluster === undefined) throw new Error("chooseEndpoint is called before decideRequest said forward");
  // Counting it again now would never be given back.
  if (req.isFinished) throw new Error("chooseEndpoint is called after finishRequest");
  // The attempt before has ended, or there would be no need for another.
  releaseAttempt(req);
  if (req.endpoint !== undefined) req.previousEndpoints.push(req.endpoint);
  req.endpoint = undefined;
  const endpoint = pickAvoidingPrevious(live, cluster, req, random);
  if (endpoint === undefined) {
    out.respond(req, "no_healthy_upstream");
    const why = whyNone(cluster);
    trace?.add({ kind: "endpoint", name: cluster.name, matched: false, why, provenance: cluster.provenance });
    return;
  }
  const state = live.cluster(cluster);
  const activeRequests = state.inUse("activeRequests");
  if (activeRequests >= cluster.config.limits.maxRequests) {
    state.requestOverflows++;
    out.respond(req, "overflow");
    const why = `${activeRequests} requests are active, and the limit is ${cluster.config.limits.maxRequests}`;
    trace?.add({ kind: "endpoint", name: cluster.name, matched: false, why, provenance: cluster.provenance });
    return;
  }
  const own = live.endpoint(endpoint);
  state.use("activeRequests", 1);
  state.requests++;
  own.activeRequests++;
  own.requests++;
  req.countedCluster = state;
  req.countedEndpoint = own;
  req.endpoint = endpoint;
  req.attempt++;
  addressAttempt(req, endpoint, nowMs);
  out.reset("connect");
  out.endpoint = endpoint;
  trace?.add({
    kind: "endpoint",
    name: endpoint.key,
    matched: true,
    why: `chosen by ${cluster.config.lb}`,
    provenance: cluster.provenance,
  });
}

function whyNone({ isReady, config }: BoundCluster): string {
  if (config.type === "original_dst") return "nothing says where the request was meant to go";
  return isReady ? "no endpoint can be used" : "the endpoints are not known yet";
}

function pickAvoidingPrevious(
  live: LiveState,
  cluster: BoundCluster,
  req: RequestRecord,
  random: RandomSource,
): BoundEndpoint | undefined {
  let endpoint = pickEndpoint(live, cluster, random, req.connection, req.headers);
  const policy = req.retryPolicy?.config;
  if (endpoint === undefined || policy?.avoidPreviousHosts !== true || req.previousEndpoints.length === 0)
    return endpoint;
  for (let draw = 0; draw < policy.hostSelectionRetryMaxAttempts; draw++) {
    const { key }: BoundEndpoint = endpoint;
    if (!isTried(req, key)) break;
    endpoint = pickEndpoint(live, cluster, random, req.connection, req.headers) ?? endpoint;
  }
  const { key } = endpoint;
  if (!isTried(req, key)) return endpoint;
  return pickOther(cluster, (candidate) => isTried(req, candidate.key), random) ?? endpoint;
}

function isTried({ previousEndpoints }: RequestRecord, key: string): boolean {
  return previousEndpoints.some((previous) => previous.key === key);
}

function addressAttempt(req: RequestRecord, endpoint: BoundEndpoint, nowMs: number): void {
  if (req.virtualHost?.config.includeRequestAttemptCount === true) {
    req.headers.set("x-envoy-attempt-count", String(req.attempt));
  }
  const action = req.route?.action;
  if (
    action?.kind === "route" &&
    action.hostRewrite?.kind === "auto" &&
    endpoint.hostname !== "" &&
    req.authority !== endpoint.hostname
  ) {
    rewriteHost(req, endpoint.hostname, action.appendForwardedHost && req.attempt === 1);
  }
  tellTimeouts(req, nowMs - req.decidedMs);
}
