import type { BoundFilterChain, BoundHttpConnectionManager, BoundListener, PeerMetadata } from "@heddle/engine";
import {
  defaultHttp1Limits,
  defaultHttp2Limits,
  type HeaderNames,
  type Http1Limits,
  type Http2Limits,
  properCaseWords,
} from "@heddle/http";
import { nameKeepingOf } from "@heddle/upstream";
import { type StandardMetrics, unknownWorkload, type WorkloadLabels } from "@heddle/telemetry";
import type { AccessLogs, BoundAccessLog } from "./access-logs.ts";
import type { HttpStats, WorkerMetrics } from "./metrics.ts";
import { encodePeerMetadata, labelsOf } from "./peer-metadata.ts";

/**
 * What the requests of one filter chain share, bound when configuration changes and never per request: statistics, logs and
 * the filters that the engine does not decide about.
 */
export class HttpChain {
  readonly hcm: BoundHttpConnectionManager;
  readonly direction: "inbound" | "outbound" | "unspecified";
  readonly bufferBytes: number;
  readonly limits: Http1Limits;
  readonly http2Limits: Http2Limits;
  /** How names of responses are written that were not kept as they came. */
  readonly names: HeaderNames | undefined;
  /**
   * From the first byte of a head to its last. A head that never ends must not be held for ever where no time was set for it: then it is a stream on which
   * nothing moves.
   */
  readonly headTimeLimitMs: number;
  readonly stats: HttpStats;
  readonly accessLogs: readonly BoundAccessLog[];
  /** `baggage` members to send with every request; undefined: none. */
  readonly announcement: string | undefined;
  readonly readsPeerMetadata: boolean;
  /** Istio's metrics, once for each reporter that is configured. */
  readonly standardMetrics: StandardMetrics | undefined;
  readonly reporter: "source" | "destination";
  readonly local: WorkloadLabels;
  readonly localPrincipal: string;

  constructor(listener: BoundListener, hcm: BoundHttpConnectionManager, metrics: WorkerMetrics, logs: AccessLogs) {
    this.hcm = hcm;
    this.direction = listener.config.direction;
    this.bufferBytes = listener.config.perConnectionBufferBytes;
    this.limits = limitsOf(hcm);
    this.http2Limits = http2LimitsOf(hcm);
    this.names = hcm.config.http1.headerKeyFormat === "proper-words" ? properCaseWords : undefined;
    const { requestHeadersTimeoutMs, streamIdleTimeoutMs } = hcm.config;
    this.headTimeLimitMs = requestHeadersTimeoutMs > 0 ? requestHeadersTimeoutMs : streamIdleTimeoutMs;
    this.stats = metrics.http(hcm.config.statPrefix);
    this.accessLogs = logs.bind(hcm.config.accessLogs);
    let local: PeerMetadata | undefined;
    let announcement: string | undefined;
    let readsPeerMetadata = false;
    let reporter: "source" | "destination" | undefined;
    for (const filter of hcm.config.filters) {
      if (filter.disabled) continue;
      if (filter.kind === "standard-metrics") reporter = filter.reporter;
      if (filter.kind !== "peer-metadata") continue;
      local = filter.local ?? local;
      if (filter.direction === "inbound") readsPeerMetadata = true;
      else announcement = filter.local === undefined ? "" : encodePeerMetadata(filter.local);
    }
    this.announcement = announcement;
    this.readsPeerMetadata = readsPeerMetadata;
    this.reporter = reporter ?? "source";
    this.standardMetrics = reporter === undefined ? undefined : metrics.standard(reporter);
    this.local = local === undefined ? unknownWorkload : labelsOf(local);
    this.localPrincipal = local?.principal ?? "";
  }
}

/** The bound chains of the current and of older configurations that connections still use. */
export class HttpChains {
  readonly #chains = new WeakMap<BoundFilterChain, HttpChain>();
  readonly #metrics: WorkerMetrics;
  readonly #logs: AccessLogs;

  constructor(metrics: WorkerMetrics, logs: AccessLogs) {
    this.#metrics = metrics;
    this.#logs = logs;
  }

  /** undefined: the chain does not end in HTTP. */
  of(listener: BoundListener, chain: BoundFilterChain): HttpChain | undefined {
    if (chain.http === undefined) return undefined;
    let bound = this.#chains.get(chain);
    if (bound === undefined)
      this.#chains.set(chain, (bound = new HttpChain(listener, chain.http, this.#metrics, this.#logs)));
    return bound;
  }
}

/** The decoder's limits as the connection manager sets them. */
function limitsOf(hcm: BoundHttpConnectionManager): Http1Limits {
  const { maxHeadBytes, maxHeaders, http1 } = hcm.config;
  return {
    maxHeadBytes,
    maxHeaders,
    maxChunkExtensionBytes: defaultHttp1Limits.maxChunkExtensionBytes,
    maxTrailersBytes: maxHeadBytes,
    acceptHttp10: http1.acceptHttp10,
    enableTrailers: http1.enableTrailers,
    nameKeeping: nameKeepingOf(http1.headerKeyFormat),
  };
}

function http2LimitsOf(hcm: BoundHttpConnectionManager): Http2Limits {
  const { maxHeadBytes, maxHeaders, http2 } = hcm.config;
  return {
    ...defaultHttp2Limits,
    ...http2,
    enableConnectProtocol: http2.allowConnect,
    maxHeaderListBytes: maxHeadBytes,
    maxHeaders,
    maxHeaderBlockBytes: Math.max(defaultHttp2Limits.maxHeaderBlockBytes, maxHeadBytes),
  };
}
