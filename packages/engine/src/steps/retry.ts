import { type ErrorCode, errorEntry, type RandomSource } from "@heddle/core";
import type { MutableHeaders } from "../bind/headers.ts";
import type { BoundHeaderMatch } from "../bind/header-matcher.ts";
import { grpcConditions, parseRetryOn, retryOn } from "../bind/retry-policy.ts";
import type { BoundRetryPolicy } from "../bind/retry-policy.ts";
import { YES } from "../bind/verdict.ts";
import type { Action } from "./action.ts";
import type { DecisionTrace } from "./decision-trace.ts";
import type { LiveState } from "./live-state.ts";
import type { AttemptFailure } from "./outcome.ts";
import type { RequestRecord } from "./request-record.ts";

/** RFC 9110 §9.2.2. */
const idempotentMethods: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"]);

const requestHeaders = [
  "x-envoy-retry-on",
  "x-envoy-retry-grpc-on",
  "x-envoy-max-retries",
  "x-envoy-hedge-on-per-try-timeout",
  "x-envoy-retriable-header-names",
  "x-envoy-retriable-status-codes",
] as const;

/** Failures in which no connection was made. */
const connectFailures: ReadonlySet<ErrorCode> = new Set([
  "upstream_connect_failed",
  "upstream_connect_timeout",
  "upstream_tls_failed",
  "upstream_peer_rejected",
  "dns_failed",
] satisfies ErrorCode[]);

export function isConnectFailure(code: ErrorCode): boolean {
  return connectFailures.has(code);
}

/** A CONNECT that has not been accepted has carried nothing yet: it may be made again whoever refused or lost it (design §5, Retries). */
function isIdempotent(req: RequestRecord): boolean {
  return req.upgrade === "connect" || idempotentMethods.has(req.method) || req.headers.has("idempotency-key");
}

/** What may be retried, from the route's policy and the caller's headers, which are consumed (Envoy's RetryStateImpl). */
export function beginRetries(policy: BoundRetryPolicy | undefined, req: RequestRecord): void {
  const byHeader = req.isInternal ? takeConditions(req) : 0;
  const conditions = (policy?.conditions ?? 0) | byHeader;
  req.retryPolicy = policy;
  // A policy may be limited to requests with certain headers; the limit holds for conditions from headers, too.
  const limits = policy?.retriableRequestHeaders ?? [];
  if (conditions !== 0 && (limits.length === 0 || limits.some((match) => match.verdict(req) === YES))) {
    req.retryConditions = conditions;
    req.retryConditionsByHeader = byHeader;
    req.retriesRemaining = retriesAllowed(policy, req);
  }
  if (req.isInternal) for (const name of requestHeaders) req.headers.remove(name);
  req.canRetry = req.retryConditions !== 0 && req.retriesRemaining > 0;
}

/** What an internal caller asks for; prepareRequest has removed such headers from everybody else's requests. */
function takeConditions(req: RequestRecord): number {
  const { headers } = req;
  for (const code of (headers.get("x-envoy-retriable-status-codes") ?? "").split(",")) {
    if (/^\s*[0-9]{3}\s*$/.test(code)) req.retryStatusCodes.push(Number(code));
  }
  for (const name of (headers.get("x-envoy-retriable-header-names") ?? "").split(",")) {
    if (name.trim() !== "") req.retryHeaderNames.push(name.trim().toLowerCase());
  }
  return (
    parseRetryOn(headers.get("x-envoy-retry-on") ?? "", false) |
    parseRetryOn(headers.get("x-envoy-retry-grpc-on") ?? "", true)
  );
}

/** The header's number wins; without a policy Envoy retries once. */
function retriesAllowed(policy: BoundRetryPolicy | undefined, req: RequestRecord): number {
  const text = req.isInternal ? req.headers.get("x-envoy-max-retries")?.trim() : undefined;
  if (text !== undefined && /^[0-9]{1,9}$/.test(text)) return Number(text);
  return policy?.config.numRetries ?? 1;
}

/** The conditions that hold for this request: under `IdempotentRequest` the policy's own are for idempotent requests. */
function conditionsFor(req: RequestRecord): number {
  if (req.retryPolicy?.config.onlyIdempotent !== true || isIdempotent(req)) return req.retryConditions;
  return req.retryConditionsByHeader;
}

/**
 * Whether a failure before the response may be retried. Always: no byte of the request was written, or the upstream said
 * that it never began (design §5, Retries). A connection that closed when it was reused may have been idle too long, so
 * an idempotent request is sent again (RFC 9112 §9.3.1). The rest needs a condition.
 */
export function isFailureRetriable(req: RequestRecord, failure: AttemptFailure): boolean {
  if (req.retryConditions === 0 || failure.code === "overflow" || failure.responseStarted) return false;
  const { retry, source } = errorEntry(failure.code);
  // It would be the same elsewhere.
  if (source === "internal") return false;
  if (failure.bytesWritten === 0 || retry === "always" || req.upgrade === "connect") return true;
  if (retry === "reused" && failure.reusedConnection && isIdempotent(req)) return true;
  const conditions = conditionsFor(req);
  if ((conditions & (retryOn.reset | retryOn["5xx"] | retryOn["gateway-error"])) !== 0) return true;
  return (conditions & retryOn["connect-failure"]) !== 0 && isConnectFailure(failure.code);
}

/** A per-try timeout resets the attempt, so it is retried like a reset. */
export function isTimeoutRetriable(req: RequestRecord): boolean {
  return (conditionsFor(req) & (retryOn.reset | retryOn["5xx"] | retryOn["gateway-error"])) !== 0;
}

/** Whether a response may be thrown away and the request sent again. */
export function isResponseRetriable(req: RequestRecord, status: number, headers: MutableHeaders): boolean {
  // Rate-limited upstreams are not asked again (`envoy-ratelimited` is not supported).
  if (req.retryConditions === 0 || headers.has("x-envoy-ratelimited")) return false;
  const conditions = conditionsFor(req);
  if (conditions === 0) return false;
  if ((conditions & retryOn["5xx"]) !== 0 && status >= 500 && status < 600) return true;
  if ((conditions & retryOn["gateway-error"]) !== 0 && status >= 502 && status <= 504) return true;
  // Whoever was asked for a tunnel could not make one.
  if (req.upgrade === "connect" && (conditions & retryOn["connect-failure"]) !== 0 && status >= 502 && status <= 504)
    return true;
  if ((conditions & retryOn["retriable-4xx"]) !== 0 && status === 409) return true;
  if ((conditions & retryOn["retriable-status-codes"]) !== 0 && isRetriableStatus(req, status)) return true;
  if ((conditions & retryOn["retriable-headers"]) !== 0 && hasRetriableHeader(req, headers)) return true;
  const grpcStatus = req.isGrpc ? headers.get("grpc-status") : undefined;
  return (
    grpcStatus !== undefined && grpcConditions.some(([bit, value]) => (conditions & bit) !== 0 && value === grpcStatus)
  );
}

function isRetriableStatus(req: RequestRecord, status: number): boolean {
  return (
    req.retryStatusCodes.includes(status) || req.retryPolicy?.config.retriableStatusCodes.includes(status) === true
  );
}

function hasRetriableHeader(req: RequestRecord, headers: MutableHeaders): boolean {
  if (req.retryHeaderNames.some((name) => headers.has(name))) return true;
  const matches: readonly BoundHeaderMatch[] = req.retryPolicy?.retriableHeaders ?? [];
  return matches.some((match) => match.verdictOf(headers.get(match.name)) === YES);
}

/** Gives back the place among active retries. */
export function releaseRetry(req: RequestRecord): void {
  if (req.holdsRetry === undefined) return;
  req.holdsRetry.use("activeRetries", -1);
  req.holdsRetry = undefined;
}

/**
 * Uses up one retry. False: none is left (flag URX) or too many are in progress in the cluster (flag UO). The delay is
 * fully jittered: random below the base, doubling up to the maximum.
 */
export function scheduleRetry(
  live: LiveState,
  req: RequestRecord,
  random: RandomSource,
  out: Action,
  trace?: DecisionTrace,
): boolean {
  releaseRetry(req);
  const { cluster } = req;
  if (cluster === undefined) return false;
  const state = live.cluster(cluster);
  if (req.retriesRemaining === 0) {
    state.retryLimitExceeded++;
    req.addFlag("URX");
    return false;
  }
  req.retriesRemaining--;
  if (state.inUse("activeRetries") >= cluster.config.limits.maxRetries) {
    state.retryOverflows++;
    req.addFlag("UO");
    return false;
  }
  state.use("activeRetries", 1);
  state.retries++;
  req.holdsRetry = state;
  const base = req.retryPolicy?.config.backOffBaseMs ?? 25;
  const max = req.retryPolicy?.config.backOffMaxMs ?? base * 10;
  const interval = Math.min(max, base * 2 ** req.retriesDone);
  req.retriesDone++;
  req.canRetry = req.retriesRemaining > 0;
  out.reset("retry");
  out.delayMs = Math.floor(random() * interval);
  trace?.add({
    kind: "retry",
    name: `retry ${req.retriesDone}`,
    matched: true,
    why: `after ${out.delayMs} ms; ${req.retriesRemaining} left`,
    provenance: req.route?.provenance,
  });
  return true;
}
