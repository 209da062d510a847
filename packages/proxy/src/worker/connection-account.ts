import type { ResponseFlag } from "@heddle/core";
import type { ConnectionView } from "@heddle/engine";
import { type StreamSocket, formatAddress } from "@heddle/net";
import { emptyAccessLogRecord } from "@heddle/telemetry";
import type { BoundAccessLog } from "./access-logs.ts";
import type { WorkerLimit } from "./worker-load.ts";

/** One record for all connections of the worker: a format reads it at once and keeps nothing. */
const record = emptyAccessLogRecord();
let connectionCount = 0;

/** What the log says of one connection, from accept to close. */
export class ConnectionAccount {
  readonly id = ++connectionCount;
  readonly #socket: StreamSocket;
  readonly #startedAtMs = performance.now();
  readonly #startedAtWallMs = Date.now();
  view: ConnectionView | undefined;
  /** Why it was closed before its end. */
  details = "";
  /** As in `%RESPONSE_FLAGS%`. */
  flag: ResponseFlag | `${ResponseFlag},${ResponseFlag}` | "" = "";
  upstreamHost = "";
  upstreamCluster = "";
  transportFailure = "";
  /** The limit of its filter chain that it counts for. */
  limit: WorkerLimit | undefined;

  constructor(socket: StreamSocket) {
    this.#socket = socket;
  }

  write(logs: readonly BoundAccessLog[]): void {
    if (logs.length === 0) return;
    const { remoteAddress, directRemoteAddress: direct, localAddress, bytesRead, bytesWritten, tls } = this.#socket;
    record.startTimeMs = this.#startedAtWallMs;
    record.durationMs = Math.round(performance.now() - this.#startedAtMs);
    record.connectionTerminationDetails = this.details;
    record.responseFlags = this.flag;
    record.upstreamTransportFailureReason = this.transportFailure;
    record.bytesReceived = bytesRead;
    record.bytesSent = bytesWritten;
    record.upstreamHost = this.upstreamHost;
    record.upstreamCluster = this.upstreamCluster;
    record.downstreamLocalAddress = formatAddress(localAddress.host, localAddress.port);
    record.downstreamRemoteAddress = formatAddress(remoteAddress.host, remoteAddress.port);
    record.downstreamDirectRemoteAddress = formatAddress(direct.host, direct.port);
    record.requestedServerName = this.view?.sni ?? "";
    record.downstreamPeerUriSan = tls?.peer?.principal ?? "";
    record.downstreamPeerSubject = tls?.peer?.subject ?? "";
    record.downstreamLocalUriSan = tls?.localPrincipal ?? "";
    record.downstreamTlsVersion = tls?.version ?? "";
    record.downstreamTlsCipher = tls?.cipher ?? "";
    record.connectionId = this.id;
    for (const log of logs) log.write(record);
  }
}
