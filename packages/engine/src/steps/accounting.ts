import { errorEntry } from "@heddle/core";
import type { LiveState } from "./live-state.ts";
import type { RequestOutcome } from "./outcome.ts";
import type { RequestRecord } from "./request-record.ts";
import { releaseRetry } from "./retry.ts";

/** Ends the attempt that is counted as active, if one is. */
export function releaseAttempt(req: RequestRecord): void {
  if (req.countedCluster !== undefined) {
    req.countedCluster.use("activeRequests", -1);
    req.countedCluster = undefined;
  }
  if (req.countedEndpoint !== undefined) {
    req.countedEndpoint.activeRequests--;
    req.countedEndpoint = undefined;
  }
}

/**
 * Statuses that count like a 5xx: those whose HTTP status is one (Envoy, `Grpc::Utility::grpcToHttpStatus`): UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED,
 * INTERNAL, UNAVAILABLE, DATA_LOSS, and what gRPC does not know.
 */
function isServerFailure(grpcStatus: number): boolean {
  return grpcStatus > 16 || [2, 4, 12, 13, 14, 15].includes(grpcStatus);
}

/**
 * What the client or this proxy ended is nothing that the endpoint did, unless its answer had begun; of a gRPC call its trailers would have told
 * (Envoy, `Router::Filter`).
 */
function countForEndpoint(req: RequestRecord, { code, status, grpcStatus = -1 }: RequestOutcome): void {
  const { countedEndpoint: endpoint } = req;
  if (endpoint === undefined) return;
  const isCancelled = code !== "" && errorEntry(code).source !== "upstream";
  if (isCancelled && (!req.isResponseStarted || req.isGrpc)) return;
  if (status < 500 && !isServerFailure(grpcStatus) && (code === "" || isCancelled)) endpoint.successes++;
  else endpoint.errors++;
}

/**
 * Ends the accounting of a request, whatever stage it reached; the proxy calls it exactly once per request, and a second
 * call does nothing.
 */
export function finishRequest(live: LiveState, req: RequestRecord, outcome: RequestOutcome): void {
  req.isFinished = true;
  countForEndpoint(req, outcome);
  releaseAttempt(req);
  releaseRetry(req);
  if (req.holdsFault) {
    req.holdsFault = false;
    live.activeFaults--;
  }
}
