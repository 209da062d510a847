import type { GrpcTimeoutConfig, RouteActionConfig } from "../config/route.ts";
import type { BoundHttpConnectionManager } from "../bind/types.ts";
import { parseInteger } from "../bind/header-matcher.ts";
import { formatGrpcTimeout, parseGrpcTimeout } from "./grpc-timeout.ts";
import type { RequestRecord } from "./request-record.ts";

function takeMilliseconds(req: RequestRecord, name: string): number | undefined {
  const text = req.isInternal ? req.headers.get(name) : undefined;
  if (text === undefined) return undefined;
  req.headers.remove(name);
  const value = parseInteger(text);
  return value === undefined || value < 0 ? undefined : value;
}

/**
 * The timeouts in force (Envoy's finalTimeout): the route's, overridden by the headers of an internal caller (prepareRequest
 * has removed everybody else's). A per-try timeout that is not shorter than the whole says nothing.
 */
export function setTimeouts(hcm: BoundHttpConnectionManager, action: RouteActionConfig, req: RequestRecord): void {
  const { retry, grpcTimeout } = action;
  const ofCaller = takeMilliseconds(req, "x-envoy-upstream-rq-timeout-ms");
  req.timeoutMs = ofCaller ?? action.timeoutMs;
  req.perTryTimeoutMs = takeMilliseconds(req, "x-envoy-upstream-rq-per-try-timeout-ms") ?? retry?.perTryTimeoutMs ?? 0;
  req.perTryIdleTimeoutMs = retry?.perTryIdleTimeoutMs ?? 0;
  if (req.timeoutMs !== 0 && req.perTryTimeoutMs >= req.timeoutMs) req.perTryTimeoutMs = 0;
  req.idleTimeoutMs = action.idleTimeoutMs ?? hcm.config.streamIdleTimeoutMs;
  req.maxStreamDurationMs = action.maxStreamDurationMs ?? hcm.config.maxStreamDurationMs;
  if (grpcTimeout !== undefined) limitByGrpcTimeout(grpcTimeout, ofCaller !== undefined, req);
  req.timeoutStatus = req.isInternal && req.headers.remove("x-envoy-upstream-rq-timeout-alt-response") ? 204 : 504;
}

/**
 * The caller's own deadline, `grpc-timeout`, where the route honours it: bounded, less an offset. Envoy's
 * `ActiveStream::refreshDurationTimeout` (`grpc_timeout_header_max`), where nothing may be left and the request is out of time at once, and
 * `FilterUtility::finalTimeout` (`max_grpc_timeout`), where an offset that would leave nothing is not taken and no header means no limit but the bound.
 */
function limitByGrpcTimeout(config: GrpcTimeoutConfig, isOverridden: boolean, req: RequestRecord): void {
  const { limits, maxMs, offsetMs } = config;
  req.tellsGrpcTimeout = req.isGrpc;
  const asked = maxMs === undefined ? undefined : parseGrpcTimeout(req.headers.get("grpc-timeout"));
  if (limits === "stream") {
    if (asked === undefined || maxMs === undefined) return;
    const leftMs = (maxMs > 0 ? Math.min(asked, maxMs) : asked) - offsetMs;
    req.isOutOfTime = leftMs <= 0;
    req.maxStreamDurationMs = leftMs;
    return;
  }
  if (!req.isGrpc || isOverridden || maxMs === undefined) return;
  let leftMs = asked ?? 0;
  if (offsetMs < leftMs) leftMs -= offsetMs;
  req.timeoutMs = maxMs > 0 && (leftMs === 0 || leftMs > maxMs) ? maxMs : leftMs;
}

/**
 * Tells the upstream how much time an attempt has. `grpc-timeout`, where the route says how it is honoured, is the least of what is left of the stream's
 * duration, of the timeout, and of the attempt's own. Envoy leaves what has been spent on a stream out of it; here it is taken off, so that an
 * upstream never works for a caller whose deadline has passed.
 */
export function tellTimeouts(req: RequestRecord, elapsedMs: number): void {
  setExpectedTimeout(req, elapsedMs);
  if (!req.tellsGrpcTimeout) return;
  let leftMs = req.perTryTimeoutMs > 0 ? req.perTryTimeoutMs : Number.POSITIVE_INFINITY;
  if (req.timeoutMs > 0) leftMs = Math.min(leftMs, req.timeoutMs - elapsedMs);
  if (req.maxStreamDurationMs > 0) leftMs = Math.min(leftMs, req.maxStreamDurationMs - elapsedMs);
  // Our own timer is about to fire; 0 would be read as no time, or as no limit.
  if (leftMs !== Number.POSITIVE_INFINITY) req.headers.set("grpc-timeout", formatGrpcTimeout(Math.max(1, leftMs)));
}

/** `x-envoy-expected-rq-timeout-ms`: how long the upstream has for this attempt. */
function setExpectedTimeout(req: RequestRecord, elapsedMs: number): void {
  if (req.hcm?.suppressEnvoyHeaders === true) return;
  let expected = req.perTryTimeoutMs === 0 ? req.timeoutMs : req.perTryTimeoutMs;
  if (expected === 0) return;
  if (req.timeoutMs > 0) expected = elapsedMs >= req.timeoutMs ? 1 : Math.min(expected, req.timeoutMs - elapsedMs);
  req.headers.set("x-envoy-expected-rq-timeout-ms", String(Math.max(1, Math.floor(expected))));
}
