import { deadline, type Deadlines } from "./deadlines.ts";
import type { HttpChain } from "./http-chain.ts";
import type { WorkerLoad } from "./worker-load.ts";

/** The action `reduce_timeouts`, for what a client connection that ends in HTTP can run out of beside its requests. */
export function reduceConnectionTimeouts(
  deadlines: Deadlines,
  { hcm, headTimeLimitMs }: HttpChain,
  load: WorkerLoad,
  nowMs: number,
): void {
  const { idleTimeoutMs, maxConnectionDurationMs, requestHeadersTimeoutMs } = hcm.config;
  deadlines.shorten(deadline.idle, nowMs, load.reductionMs("HTTP_DOWNSTREAM_CONNECTION_IDLE", idleTimeoutMs));
  deadlines.shorten(
    deadline.connectionDuration,
    nowMs,
    load.reductionMs("HTTP_DOWNSTREAM_CONNECTION_MAX", maxConnectionDurationMs),
  );
  // A head that has no time of its own has a stream's idle time.
  if (requestHeadersTimeoutMs > 0) return;
  deadlines.shorten(deadline.requestHead, nowMs, load.reductionMs("HTTP_DOWNSTREAM_STREAM_IDLE", headTimeLimitMs));
}
