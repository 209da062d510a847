import type { RandomSource } from "@heddle/core";
import type { BoundFault } from "../bind/fault.ts";
import { headerReader } from "../bind/header-matcher.ts";
import type { BoundRbacFilter } from "../bind/rbac.ts";
import { encodeUtf8AsLatin1 } from "../bind/regex.ts";
import type { Snapshot } from "../bind/snapshot.ts";
import type {
  BoundFilterOverride,
  BoundHttpConnectionManager,
  BoundHttpFilter,
  BoundMirror,
  BoundRoute,
  BoundVirtualHost,
} from "../bind/types.ts";
import type { RouteActionConfig } from "../config/route.ts";
import type { Action } from "./action.ts";
import { authorizeRequest } from "./authorization.ts";
import type { DecisionTrace } from "./decision-trace.ts";
import { injectAbort, injectFault } from "./fault-injection.ts";
import { appendToList } from "./forwarded-for.ts";
import { beginGrpcWeb } from "./grpc-web.ts";
import type { LiveState } from "./live-state.ts";
import { redirectLocation } from "./redirect.ts";
import type { RequestRecord } from "./request-record.ts";
import { beginRetries } from "./retry.ts";
import { drawWeighted, findRoute, findVirtualHost } from "./route-search.ts";
import { serverNameOf } from "./server-name.ts";
import { setTimeouts } from "./timeouts.ts";

/**
 * What happens to this request, in the order of effects:
 * 1. the route is found (filters may be overridden by it), a weighted cluster drawn;
 * 2. the filters run in their configured order: RBAC may deny, a fault may delay or abort;
 * 3. the router acts: 404 without a route, redirect or direct response, or the cluster is looked up, retries and
 *    timeouts are set, headers, host and path are rewritten, and mirrors are drawn.
 * `respond`, `delay` (then {@link afterDelay}) or `forward`.
 */
export function decideRequest(
  snapshot: Snapshot,
  live: LiveState,
  hcm: BoundHttpConnectionManager,
  req: RequestRecord,
  nowMs: number,
  random: RandomSource,
  out: Action,
  trace?: DecisionTrace,
): void {
  req.snapshot = snapshot;
  req.hcm = hcm;
  req.decidedMs = nowMs;
  if (!resolveRoute(snapshot, hcm, req, random, out, trace)) return;
  if (req.upgrade !== "" && !isUpgradeAllowed(hcm, req)) {
    out.respond(req, "upgrade_refused");
    return;
  }
  req.filterIndex = 0;
  runFilters(live, hcm, req, random, out, trace);
}

/** Goes on where a `delay` stopped: the abort of the same fault may follow. */
export function afterDelay(
  live: LiveState,
  req: RequestRecord,
  random: RandomSource,
  out: Action,
  trace?: DecisionTrace,
): void {
  const { hcm } = req;
  if (hcm === undefined) throw new Error("afterDelay is called without a delayed request");
  const filter = hcm.filters[req.filterIndex];
  const fault = filter?.kind === "fault" ? effectiveFault(filter, req) : undefined;
  if (fault !== undefined && !injectAbort(fault, live, req, random, out, trace)) return;
  req.filterIndex++;
  runFilters(live, hcm, req, random, out, trace);
}

/** False when the virtual host demands TLS and the answer is a redirect. */
function resolveRoute(
  snapshot: Snapshot,
  hcm: BoundHttpConnectionManager,
  req: RequestRecord,
  random: RandomSource,
  out: Action,
  trace: DecisionTrace | undefined,
): boolean {
  const name = hcm.config.routeTableName;
  const table = hcm.routeTable ?? (name === undefined ? undefined : snapshot.routeTables.get(name));
  req.routeTable = table;
  if (table === undefined) {
    trace?.add({
      kind: "virtual-host",
      name: name ?? "",
      matched: false,
      why: `the route table ${name} has not been received`,
      provenance: undefined,
    });
    return true;
  }
  if (!req.isInternal) for (const header of table.config.internalOnlyHeaders) req.headers.remove(header);
  const host = findVirtualHost(table, req, trace);
  req.virtualHost = host;
  if (host === undefined) return true;
  if (needsTls(host, req)) {
    redirectToTls(host, req, out);
    return false;
  }
  const route = findRoute(host, req, random, trace);
  req.route = route;
  if (route === undefined) return true;
  req.decidedBy = route.provenance;
  if (route.action.kind === "route") {
    req.weighted = drawWeighted(route, req, random, trace);
    req.clusterName = clusterName(route.action, req);
  }
  return true;
}

/** What the route says of a protocol wins over the connection manager; what neither names is refused (Envoy). */
function isUpgradeAllowed(hcm: BoundHttpConnectionManager, { route, upgrade }: RequestRecord): boolean {
  const ofRoute = route?.action.kind === "route" ? route.action.upgrades.get(upgrade) : undefined;
  return ofRoute ?? hcm.config.upgrades.get(upgrade) ?? false;
}

function needsTls(host: BoundVirtualHost, req: RequestRecord): boolean {
  const { requireTls } = host.config;
  if (requireTls === "none" || req.headers.get("x-forwarded-proto") === "https") return false;
  return requireTls === "all" || !req.isInternal;
}

function redirectToTls(host: BoundVirtualHost, req: RequestRecord, out: Action): void {
  out.respond(req, "redirect");
  out.location = `https://${req.authority}${req.path}`;
  req.decidedBy = host.config.provenance;
}

function clusterName(action: RouteActionConfig, req: RequestRecord): string {
  if (action.cluster.kind === "cluster") return action.cluster.name;
  const header = action.cluster.kind === "header" ? action.cluster.header : (req.weighted?.clusterHeader ?? "");
  if (header === "") return req.weighted?.cluster ?? "";
  return headerReader(header)(req) ?? "";
}

function overrideOf(filter: BoundHttpFilter, req: RequestRecord): BoundFilterOverride | undefined {
  const overrides =
    req.weighted?.overrides ?? req.route?.overrides ?? req.virtualHost?.overrides ?? req.routeTable?.overrides;
  return overrides?.get(filter.name);
}

// A filter that is switched off runs only where a route gives it a configuration of its own. One of another filter's kind is none:
// the filter's own rules hold, as in Envoy, which finds no settings of the type that it looks for.

function effectiveFault(filter: BoundHttpFilter & { kind: "fault" }, req: RequestRecord): BoundFault | undefined {
  const override = overrideOf(filter, req);
  if (override?.kind !== "fault") return filter.disabled ? undefined : filter.fault;
  return override.fault;
}

function effectiveRbac(filter: BoundHttpFilter & { kind: "rbac" }, req: RequestRecord): BoundRbacFilter | undefined {
  const override = overrideOf(filter, req);
  if (override?.kind !== "rbac") return filter.disabled ? undefined : filter.rbac;
  return override.rbac;
}

function runFilters(
  live: LiveState,
  hcm: BoundHttpConnectionManager,
  req: RequestRecord,
  random: RandomSource,
  out: Action,
  trace: DecisionTrace | undefined,
): void {
  for (; req.filterIndex < hcm.filters.length; req.filterIndex++) {
    const filter = hcm.filters[req.filterIndex] as BoundHttpFilter;
    if (filter.kind === "rbac") {
      const rbac = effectiveRbac(filter, req);
      if (rbac !== undefined && !authorizeRequest(rbac, req, out, trace)) return;
    } else if (filter.kind === "tunnel-server") {
      if (!filter.disabled && req.upgrade === "connect") {
        out.reset("tunnel");
        req.tunnelListener = filter.listener;
        return;
      }
    } else if (filter.kind === "grpc-web") {
      if (!filter.disabled) beginGrpcWeb(req);
    } else {
      const fault = effectiveFault(filter, req);
      if (fault !== undefined && !injectFault(fault, live, req, random, out, trace)) return;
    }
  }
  act(hcm, req, random, out, trace);
}

/** The router. */
function act(
  hcm: BoundHttpConnectionManager,
  req: RequestRecord,
  random: RandomSource,
  out: Action,
  trace: DecisionTrace | undefined,
): void {
  const { route } = req;
  if (route === undefined) {
    out.respond(req, "no_route");
    return;
  }
  const { action } = route;
  switch (action.kind) {
    case "redirect":
      out.respond(req, "redirect");
      out.status = action.status;
      out.location = redirectLocation(route, action, req);
      return;
    case "direct":
      out.respond(req, "direct_response");
      out.status = action.status;
      out.body = action.body;
      return;
    case "route":
      forward(hcm, route, action, req, random, out, trace);
  }
}

function forward(
  hcm: BoundHttpConnectionManager,
  route: BoundRoute,
  action: RouteActionConfig,
  req: RequestRecord,
  random: RandomSource,
  out: Action,
  trace: DecisionTrace | undefined,
): void {
  req.cluster = req.snapshot?.clusters.get(req.clusterName);
  const { cluster } = req;
  trace?.add({
    kind: "cluster",
    name: req.clusterName,
    matched: cluster !== undefined,
    why: cluster === undefined ? "there is no such cluster" : describeCount(cluster.endpoints.length),
    provenance: cluster?.provenance,
  });
  if (cluster === undefined) {
    out.respond(req, "no_cluster");
    out.status = action.clusterNotFoundStatus;
    return;
  }
  beginRetries(route.retry, req);
  setTimeouts(hcm, action, req);
  if (req.isOutOfTime) {
    out.respond(req, "stream_duration");
    return;
  }
  // Before the route rewrites the host and other headers.
  req.serverName = serverNameOf(req, cluster);
  rewriteRequest(hcm, route, action, req);
  out.reset("forward");
  for (let i = 0; i < route.mirrors.length; i++) {
    const mirror = route.mirrors[i] as BoundMirror;
    if (mirror.fraction >= 1 || random() < mirror.fraction) out.mirrors.push(mirror);
  }
}

/** Envoy's finalizeRequestHeaders: mutations from the weighted cluster outwards, then the host, then the path. */
function rewriteRequest(
  hcm: BoundHttpConnectionManager,
  route: BoundRoute,
  action: RouteActionConfig,
  req: RequestRecord,
): void {
  const { weighted } = req;
  if (weighted !== undefined) {
    weighted.requestHeaders.apply(req.headers, req, undefined);
    if (weighted.hostRewrite !== undefined) rewriteHost(req, weighted.hostRewrite, false);
  }
  if (!route.requestHeaders.isEmpty) route.requestHeaders.apply(req.headers, req, undefined);
  const rewrite = action.hostRewrite;
  if (rewrite !== undefined) {
    if (rewrite.kind === "literal") rewriteHost(req, rewrite.value, action.appendForwardedHost);
    else if (rewrite.kind === "header")
      rewriteHost(req, headerReader(rewrite.header)(req) ?? "", action.appendForwardedHost);
    else if (rewrite.kind === "path-regex")
      rewriteHost(req, route.rewriteHost?.(req.path) ?? "", action.appendForwardedHost);
  }
  if (route.rewritePath === undefined || req.path === "") return;
  if (!hcm.suppressEnvoyHeaders) req.headers.set("x-envoy-original-path", req.path);
  req.path = route.rewritePath(req.path);
}

/** An empty host changes nothing. Also called for `auto` once the endpoint is known. */
export function rewriteHost(req: RequestRecord, host: string, appendForwardedHost: boolean): void {
  if (host === "") return;
  if (appendForwardedHost && req.authority !== "") appendToList(req.headers, "x-forwarded-host", req.authority);
  req.authority = encodeUtf8AsLatin1(host);
}

function describeCount(endpoints: number): string {
  return endpoints === 1 ? "1 endpoint" : `${endpoints} endpoints`;
}
