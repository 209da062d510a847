import type { RouteActionConfig } from "../config/route.ts";
import type { BoundHttpConnectionManager } from "../bind/types.ts";
import { parseInteger } from "../bind/header-matcher.ts";
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
  const { retry } = action;
  req.timeoutMs = takeMilliseconds(req, "x-envoy-upstream-rq-timeout-ms") ?? action.timeoutMs;
  req.perTryTimeoutMs = takeMilliseconds(req, "x-envoy-upstream-rq-per-try-timeout-ms") ?? retry?.perTryTimeoutMs ?? 0;
  req.perTryIdleTimeoutMs = retry?.perTryIdleTimeoutMs ?? 0;
  if (req.timeoutMs !== 0 && req.perTryTimeoutMs >= req.timeoutMs) req.perTryTimeoutMs = 0;
  req.idleTimeoutMs = action.idleTimeoutMs ?? hcm.config.streamIdleTimeoutMs;
  req.maxStreamDurationMs = action.maxStreamDurationMs ?? hcm.config.maxStreamDurationMs;
  req.timeoutStatus = req.isInternal && req.headers.remove("x-envoy-upstream-rq-timeout-alt-response") ? 204 : 504;
}

/** `x-envoy-expected-rq-timeout-ms`: how long the upstream has for this attempt. */
export function setExpectedTimeout(req: RequestRecord, elapsedMs: number): void {
  if (req.hcm?.suppressEnvoyHeaders === true) return;
  let expected = req.perTryTimeoutMs === 0 ? req.timeoutMs : req.perTryTimeoutMs;
  if (expected === 0) return;
  if (req.timeoutMs > 0) expected = elapsedMs >= req.timeoutMs ? 1 : Math.min(expected, req.timeoutMs - elapsedMs);
  req.headers.set("x-envoy-expected-rq-timeout-ms", String(Math.max(1, Math.floor(expected))));
}
