import { finishRequest } from "@heddle/engine";
import { formatAddress } from "@heddle/net";
import { emptyAccessLogRecord, grpcStatusOf } from "@heddle/telemetry";
import type { Exchange } from "./exchange.ts";
import type { Outcome } from "./metrics.ts";
import { decidedByOf, detailsOf, protocolOf } from "./request-facts.ts";
import { trafficMetricsOf } from "./traffic-labels.ts";

/** One record for all requests of the worker: a format reads it at once and keeps nothing. */
const record = emptyAccessLogRecord();
let streamCount = 0;

/**
 * Ends a request, once: gives back what the engine counted, counts the outcome, and writes the log. Whatever happens to a
 * request happens before this.
 */
export function finish(x: Exchange, outcome: Outcome): void {
  if (!x.isActive) return;
  x.isActive = false;
  const { worker, chain, req, downstream } = x;
  downstream.deadlines.clearRequest();
  const grpcStatus = req.isGrpc ? grpcStatusOf(x.responseHeaders, x.responseTrailers, x.status) : -1;
  finishRequest(worker.live, req, { status: x.status, grpcStatus, code: x.code });
  worker.timers.leave();
  const durationMs = worker.timers.now() - x.startedAtMs;
  chain.stats.requestsActive.add(-1);
  if (x.isTunnel) chain.stats.upgradesActive.add(-1);
  chain.stats.countStatus(x.status);
  chain.stats.requestTimeMs.observe(durationMs);
  // After the chain's figures: who reads this memory from another thread and finds a request ended finds it gone from these too.
  worker.metrics.ledger.end(outcome);
  const flags = req.flags.length === 0 ? "" : req.flags.join(",");
  trafficMetricsOf(x)?.record(x.status, grpcStatus, flags, durationMs, x.body.receivedBytes, x.responseBytes);
  if (chain.accessLogs.length > 0) writeAccessLog(x, durationMs, grpcStatus, flags);
  if (worker.taps.openCount !== 0) worker.taps.onEnd(x, durationMs, grpcStatus);
  if (x.isRequestComplete || downstream.dropsRest()) downstream.onExchangeFinished();
}

function writeAccessLog(x: Exchange, durationMs: number, grpcStatus: number, flags: string): void {
  const { req, downstream, head } = x;
  const { view } = downstream;
  record.startTimeMs = x.startedAtWallMs;
  record.durationMs = Math.round(durationMs);
  record.method = req.method;
  record.path = req.path;
  record.scheme = req.scheme;
  record.authority = req.authority;
  record.protocol = protocolOf(downstream, head);
  record.requestHeaders = req.headers;
  record.responseHeaders = x.responseHeaders;
  record.responseTrailers = x.responseTrailers ?? noHeaders;
  record.responseCode = x.status;
  record.grpcStatus = grpcStatus;
  record.responseCodeDetails = detailsOf(x);
  record.responseFlags = flags;
  record.upstreamTransportFailureReason = x.transportFailure;
  record.bytesReceived = x.body.receivedBytes;
  record.bytesSent = x.responseBytes;
  record.requestDurationMs = x.requestEndedAtMs < 0 ? -1 : Math.round(x.requestEndedAtMs - x.startedAtMs);
  record.responseDurationMs = x.responseAtMs < 0 ? -1 : Math.round(x.responseAtMs - x.startedAtMs);
  record.responseTxDurationMs = x.responseAtMs < 0 ? -1 : Math.max(0, record.durationMs - record.responseDurationMs);
  record.upstreamHost = req.endpoint?.address ?? "";
  record.upstreamCluster = req.clusterName;
  const upstream = x.upstreamConnection;
  record.upstreamLocalAddress =
    upstream === undefined ? "" : formatAddress(upstream.localAddress.host, upstream.localAddress.port);
  record.upstreamRequestAttemptCount = req.attempt;
  record.downstreamLocalAddress = formatAddress(view.localAddress.host, view.localAddress.port);
  record.downstreamRemoteAddress = req.remoteHost === "" ? "" : formatAddress(req.remoteHost, req.remotePort);
  record.downstreamDirectRemoteAddress = formatAddress(view.directRemoteAddress.host, view.directRemoteAddress.port);
  record.requestedServerName = view.sni;
  record.routeName = req.route?.name ?? "";
  record.downstreamPeerUriSan = view.peer?.principal ?? "";
  record.downstreamPeerSubject = view.peer?.subject ?? "";
  record.downstreamLocalUriSan = view.localPrincipal;
  record.downstreamTlsVersion = downstream.tlsVersion;
  record.downstreamTlsCipher = downstream.tlsCipher;
  record.upstreamPeerUriSan = upstream?.peer?.principal ?? "";
  record.upstreamLocalUriSan = upstream?.session?.localPrincipal ?? "";
  record.upstreamTlsVersion = upstream?.tlsVersion ?? "";
  record.connectionId = downstream.connectionId;
  record.streamId = String(++streamCount);
  record.decidedBy = decidedByOf(x);
  for (const log of x.chain.accessLogs) log.write(record);
  record.requestHeaders = noHeaders;
  record.responseHeaders = noHeaders;
  record.responseTrailers = noHeaders;
}

const noHeaders = { get: () => undefined };
