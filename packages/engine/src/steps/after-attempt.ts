import { type ErrorCode, errorEntry, type RandomSource } from "@heddle/core";
import type { MutableHeaders } from "../bind/headers.ts";
import { releaseAttempt } from "./accounting.ts";
import type { UpstreamTlsConfig } from "../config/tls.ts";
import type { Action } from "./action.ts";
import type { DecisionTrace } from "./decision-trace.ts";
import type { LiveState } from "./live-state.ts";
import type { AttemptFailure } from "./outcome.ts";
import type { RequestRecord } from "./request-record.ts";
import { finishResponseHead } from "./response-headers.ts";
import {
  isConnectFailure,
  isFailureRetriable,
  isResponseRetriable,
  isTimeoutRetriable,
  releaseRetry,
  scheduleRetry,
} from "./retry.ts";

/**
 * What an inbound proxy says of a request that its application did not answer; believed only over mutual TLS.
 * - `1`: the application never saw it, so that any method may be sent elsewhere.
 * - `lost`: the connection to the application was lost before it answered; to us that is a reset of our own connection.
 */
export const unprocessedHeader = "heddle-unprocessed";

/** Values of {@link unprocessedHeader}. */
export const unprocessed = { never: "1", lost: "lost" } as const;

const lostBehindPeer: AttemptFailure = {
  code: "upstream_reset",
  // Whether the application did its work is not known.
  bytesWritten: 1,
  reusedConnection: false,
  responseStarted: false,
  isCountedElsewhere: false,
  transportFailure: "",
};

/** What a failure is called once the response has begun. */
const midResponse: Partial<Record<ErrorCode, ErrorCode>> = {
  upstream_reset: "upstream_reset_mid_response",
  upstream_remote_reset: "upstream_reset_mid_response",
  upstream_protocol_error: "upstream_protocol_error_mid_response",
};

/**
 * Whether the endpoint shows an identity of the mesh to one of ours, so that what it says of itself is believed. TLS without a certificate of one's own is not of
 * the mesh, nor is one with a certificate from a file (a DestinationRule's MUTUAL) to a server that is no SPIFFE identity.
 */
function isOfMesh(tls: UpstreamTlsConfig | undefined): boolean {
  const { certificate, validation } = tls?.common ?? {};
  if (certificate === undefined) return false;
  if (certificate.source !== "inline") return true;
  const names = validation?.matchSubjectAltNames ?? [];
  return names.some(({ type, match }) => type === "uri" && match.kind === "exact" && match.value.startsWith("spiffe:"));
}

/** A failed attempt. It is no longer active. `retry`, `respond`, or `reset` when the response had begun. */
export function afterFailure(
  live: LiveState,
  req: RequestRecord,
  failure: AttemptFailure,
  random: RandomSource,
  out: Action,
  trace?: DecisionTrace,
): void {
  countFailure(live, req, failure);
  releaseAttempt(req);
  if (req.isResponseStarted || failure.responseStarted) {
    resetResponse(req, midResponse[failure.code] ?? failure.code, out);
    return;
  }
  if (isFailureRetriable(req, failure) && scheduleRetry(live, req, random, out, trace)) return;
  releaseRetry(req);
  respondWithFailure(req, failure, out);
}

/** Of a connection that several requests waited for, only one counts the failure. */
function countFailure(live: LiveState, req: RequestRecord, failure: AttemptFailure): void {
  const { countedEndpoint: endpoint, cluster } = req;
  if (endpoint === undefined || cluster === undefined) return;
  // A request that this proxy cannot write is nothing that the endpoint did, nor is a limit of ours.
  const isOurs = failure.code === "overflow" || errorEntry(failure.code).source === "internal";
  if (isOurs || failure.isCountedElsewhere) return;
  endpoint.errors++;
  if (isConnectFailure(failure.code)) endpoint.connectFailures++;
  if (failure.code === "upstream_connect_timeout") live.cluster(cluster).connectTimeouts++;
  if (isProtocolError(failure.code)) live.cluster(cluster).protocolErrors++;
}

function isProtocolError(code: ErrorCode): boolean {
  return code === "upstream_protocol_error" || code === "upstream_protocol_error_mid_response";
}

function resetResponse(req: RequestRecord, code: ErrorCode, out: Action): void {
  releaseRetry(req);
  const entry = errorEntry(code);
  out.reset("reset");
  out.code = code;
  out.details = entry.details;
  out.flag = entry.flag;
  if (entry.flag !== "") req.addFlag(entry.flag);
  req.details = entry.details;
}

/** Envoy's body and details, with what is known of the transport and whether this was a retry. */
function respondWithFailure(req: RequestRecord, failure: AttemptFailure, out: Action): void {
  out.respond(req, failure.code);
  if (req.attempt > 1) out.body = out.body.replace(". reset reason:", ". retried and the latest reset reason:");
  if (failure.transportFailure === "") return;
  if (!out.body.includes("transport failure reason:"))
    out.body += `, transport failure reason: ${failure.transportFailure}`;
  if (out.details.endsWith("}") && !out.details.includes("|")) {
    out.withDetails(req, `${out.details.slice(0, -1)}|${failure.transportFailure.replaceAll(/\s/g, "_")}}`);
  }
}

/**
 * An upstream's response head (not 1xx). `retry`: cancel the exchange and try again; `proceed`: pass it on, `headers` are
 * ready for the caller. `upstreamServiceTimeMs` is from the end of the request to this head.
 */
export function afterResponseHead(
  live: LiveState,
  req: RequestRecord,
  status: number,
  headers: MutableHeaders,
  upstreamServiceTimeMs: number,
  random: RandomSource,
  out: Action,
  trace?: DecisionTrace,
): void {
  const word = isOfMesh(req.endpoint?.tls) ? headers.get(unprocessedHeader) : undefined;
  headers.remove(unprocessedHeader);
  const isUnprocessed = word === unprocessed.never;
  const isLost = word === unprocessed.lost && isFailureRetriable(req, lostBehindPeer);
  const mayRetry = isUnprocessed ? req.retryConditions !== 0 : isLost || isResponseRetriable(req, status, headers);
  if (mayRetry) {
    const endpoint = req.countedEndpoint;
    if (scheduleRetry(live, req, random, out, trace)) {
      if (endpoint !== undefined) {
        endpoint.errors++;
        if (isUnprocessed) endpoint.connectFailures++;
      }
      releaseAttempt(req);
      return;
    }
  }
  releaseRetry(req);
  req.canRetry = false;
  req.isResponseStarted = true;
  req.details = "via_upstream";
  finishResponseHead(req, headers, upstreamServiceTimeMs);
  out.reset("proceed");
}

/** A timer of the request fired. `retry` (per try only), `respond` with 504, or `reset` when the response had begun. */
export function afterTimeout(
  live: LiveState,
  req: RequestRecord,
  which: "request" | "per-try" | "per-try-idle",
  random: RandomSource,
  out: Action,
  trace?: DecisionTrace,
): void {
  const code: ErrorCode = which === "request" ? "request_timeout" : "per_try_timeout";
  if (req.countedEndpoint !== undefined) {
    req.countedEndpoint.timeouts++;
    req.countedEndpoint.errors++;
  }
  releaseAttempt(req);
  if (req.isResponseStarted) {
    resetResponse(req, code, out);
    return;
  }
  if (which !== "request" && isTimeoutRetriable(req) && scheduleRetry(live, req, random, out, trace)) return;
  releaseRetry(req);
  out.respond(req, code);
  if (req.timeoutStatus !== 0) out.status = req.timeoutStatus;
  if (which === "per-try-idle") out.withDetails(req, "upstream_per_try_idle_timeout");
}
