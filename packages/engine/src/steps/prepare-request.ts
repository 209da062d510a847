import type { RandomSource } from "@heddle/core";
import type { BoundHttpConnectionManager } from "../bind/types.ts";
import type { BoundCidr } from "../bind/ip-address.ts";
import { parseIp } from "../bind/ip-address.ts";
import { portStart } from "../bind/virtual-host-index.ts";
import { normalizePath } from "../path-normalization.ts";
import type { Action } from "./action.ts";
import { setClientCertificateHeader } from "./client-certificate-header.ts";
import type { DecisionTrace } from "./decision-trace.ts";
import { appendToList, lastForwardedAddress } from "./forwarded-for.ts";
import { newRequestId } from "./request-id.ts";
import type { RequestRecord } from "./request-record.ts";

/** Headers that only an internal caller may set (Envoy's mutateRequestHeaders). */
const internalHeaders = [
  "x-envoy-retriable-status-codes",
  "x-envoy-retriable-header-names",
  "x-envoy-retry-on",
  "x-envoy-retry-grpc-on",
  "x-envoy-max-retries",
  "x-envoy-upstream-alt-stat-name",
  "x-envoy-upstream-rq-timeout-ms",
  "x-envoy-upstream-rq-per-try-timeout-ms",
  "x-envoy-upstream-rq-timeout-alt-response",
  "x-envoy-expected-rq-timeout-ms",
  "x-envoy-force-trace",
  "x-envoy-ip-tags",
  "x-envoy-original-url",
  "x-envoy-hedge-on-per-try-timeout",
  "x-envoy-upstream-stream-duration-ms",
] as const;

/** `x-forwarded-*` that an untrusted caller must not set; `-for` is appended to and `-proto` is overwritten instead. */
const forwardedHeaders = [
  "x-forwarded-host",
  "x-forwarded-port",
  "x-forwarded-prefix",
  "x-forwarded-scheme",
  "x-forwarded-ssl",
] as const;

/**
 * Before policy and routing, in this order: underscores in names, path normalisation, host normalisation, the client's
 * address (X-Forwarded-For), scheme, whether the request is internal and what outsiders may not say, `via`, the request id,
 * and the client certificate header. `proceed`, or `respond` (400, or 307 to the unescaped path).
 */
export function prepareRequest(
  hcm: BoundHttpConnectionManager,
  req: RequestRecord,
  random: RandomSource,
  out: Action,
  trace?: DecisionTrace,
): void {
  const { config } = hcm;
  req.hcm = hcm;
  req.isGrpc = isGrpc(req);
  req.idleTimeoutMs = config.streamIdleTimeoutMs;
  if (config.underscores !== "allow" && !acceptUnderscores(req, config.underscores)) {
    out.respond(req, "header_underscore_rejected");
    return;
  }
  if (!normalize(hcm, req, out, trace)) return;
  normalizeHost(hcm, req);
  const isSingleAddress = setClientAddress(hcm, req);
  setScheme(hcm, req);
  const address = isSingleAddress ? parseIp(req.remoteHost) : undefined;
  req.isInternal = address !== undefined && hcm.internalCidrs.some((range: BoundCidr) => range.contains(address));
  const isEdge = config.useRemoteAddress && !req.isInternal;
  cleanHeaders(hcm, req, isEdge);
  trace?.add({
    kind: "edge",
    name: "client",
    matched: req.isInternal,
    why: `the client is ${req.remoteHost}; the request counts as ${req.isInternal ? "internal" : isEdge ? "external, at the edge" : "external"}`,
    provenance: undefined,
  });
  if (config.via !== "") appendToList(req.headers, "via", config.via);
  if (isEdge) req.headers.set("x-envoy-external-address", req.remoteHost);
  setRequestId(hcm, req, isEdge, random);
  setClientCertificateHeader(config, req);
  out.reset("proceed");
}

function isGrpc(req: RequestRecord): boolean {
  const type = req.headers.get("content-type");
  return type?.startsWith("application/grpc") === true && (type.length === 16 || type[16] === "+" || type[16] === ";");
}

/** False when a name with an underscore was found and is to be rejected; `drop` removes such headers. */
function acceptUnderscores(req: RequestRecord, action: "reject" | "drop"): boolean {
  const { headers } = req;
  for (let i = headers.length - 1; i >= 0; i--) {
    const name = headers.nameAt(i);
    if (!name.includes("_")) continue;
    if (action === "reject") return false;
    headers.remove(name);
    i = Math.min(i, headers.length);
  }
  return true;
}

function normalize(
  hcm: BoundHttpConnectionManager,
  req: RequestRecord,
  out: Action,
  trace: DecisionTrace | undefined,
): boolean {
  const { normalizePath: isOn, mergeSlashes, escapedSlashes } = hcm.config;
  const before = req.path;
  const { path, outcome } = normalizePath(before, { normalize: isOn, mergeSlashes, escapedSlashes });
  if (trace !== undefined && (outcome !== "ok" || path !== before)) {
    const why = outcome === "reject" ? `${before} cannot be normalised safely` : `${before} becomes ${path}`;
    trace.add({ kind: "path", name: "normalisation", matched: true, why, provenance: undefined });
  }
  if (outcome === "ok") {
    req.path = path;
    return true;
  }
  // Envoy does not redirect gRPC, whose clients would not follow.
  if (outcome === "reject" || req.isGrpc) {
    out.respond(req, "path_rejected");
    return false;
  }
  out.respond(req, "path_redirected");
  out.location = path;
  return false;
}

function normalizeHost(hcm: BoundHttpConnectionManager, req: RequestRecord): void {
  const { stripPort, stripTrailingHostDot } = hcm.config;
  if (stripTrailingHostDot) {
    const colon = portStart(req.authority);
    const end = colon === -1 ? req.authority.length : colon;
    if (req.authority[end - 1] === ".") req.authority = req.authority.slice(0, end - 1) + req.authority.slice(end);
  }
  // The port is a part of what CONNECT asks for (Envoy, `HeaderUtility::stripPortFromHost`).
  if (stripPort === "none" || req.path === "") return;
  const colon = portStart(req.authority);
  if (colon === -1) return;
  if (stripPort === "any" || Number(req.authority.slice(colon + 1)) === req.connection.localAddress.port) {
    req.authority = req.authority.slice(0, colon);
  }
}

/** Sets `remoteHost` and X-Forwarded-For; whether exactly one address is known about the client. */
function setClientAddress(hcm: BoundHttpConnectionManager, req: RequestRecord): boolean {
  const { useRemoteAddress, xffTrustedHops, skipXffAppend } = hcm.config;
  const { headers, connection } = req;
  if (!useRemoteAddress) {
    const { host, isOnly } = lastForwardedAddress(headers, xffTrustedHops);
    if (host === undefined) return false;
    req.remoteHost = host;
    req.remotePort = 0;
    return isOnly;
  }
  const isSingle = !headers.has("x-forwarded-for");
  if (xffTrustedHops > 0) {
    const { host } = lastForwardedAddress(headers, xffTrustedHops - 1);
    if (host !== undefined) {
      req.remoteHost = host;
      req.remotePort = 0;
    }
  }
  if (!skipXffAppend) appendToList(headers, "x-forwarded-for", connection.remoteAddress.host);
  return isSingle;
}

function setScheme(hcm: BoundHttpConnectionManager, req: RequestRecord): void {
  const { config } = hcm;
  const { headers, connection } = req;
  const transport = connection.isTls ? "https" : "http";
  // A prior hop that is not trusted does not say how it was reached.
  if (config.useRemoteAddress && config.xffTrustedHops === 0) headers.set("x-forwarded-proto", transport);
  else if (!headers.has("x-forwarded-proto")) headers.set("x-forwarded-proto", transport);
  if (req.scheme === "") {
    const forwarded = headers.get("x-forwarded-proto");
    req.scheme = forwarded === "http" || forwarded === "https" ? forwarded : transport;
  }
  if (config.schemeOverwrite !== "") {
    req.scheme = config.schemeOverwrite;
    headers.set("x-forwarded-proto", config.schemeOverwrite);
  }
}

/** The scheme that an upstream is told by HTTP/2; undefined: that of the connection to it (`match_upstream`). */
export function upstreamScheme({ hcm, scheme }: RequestRecord): string | undefined {
  return hcm?.config.schemeMatchesUpstream === true ? undefined : scheme;
}

function cleanHeaders(hcm: BoundHttpConnectionManager, req: RequestRecord, isEdge: boolean): void {
  const { headers } = req;
  headers.remove("x-envoy-internal");
  if (req.isInternal) {
    headers.set("x-envoy-internal", "true");
  } else if (isEdge) {
    // Envoy removes a list of names here; from outside, none with this prefix has a meaning (design §5, Edge).
    headers.removePrefix("x-envoy-");
  } else {
    for (const name of internalHeaders) headers.remove(name);
  }
  if (!hcm.config.useRemoteAddress) return;
  if (isEdge && hcm.config.xffTrustedHops === 0) for (const name of forwardedHeaders) headers.remove(name);
  if (hcm.config.appendXForwardedPort && !headers.has("x-forwarded-port")) {
    headers.set("x-forwarded-port", String(req.connection.localAddress.port));
  }
}

/** A new id at the edge (unless external ones are kept), or where there is none. */
function setRequestId(
  hcm: BoundHttpConnectionManager,
  req: RequestRecord,
  isEdge: boolean,
  random: RandomSource,
): void {
  const { generateRequestId, preserveExternalRequestId } = hcm.config;
  const present = req.headers.get("x-request-id");
  const isForced = isEdge && !preserveExternalRequestId;
  if (generateRequestId && (present === undefined || isForced)) {
    req.requestId = newRequestId(random);
    req.headers.set("x-request-id", req.requestId);
  } else {
    req.requestId = present ?? "";
  }
}
