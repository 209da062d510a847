import { emptyList, type ResponseFlag } from "@heddle/core";
import type { Provenance } from "../config/address.ts";
import type { ConnectionView } from "../bind/connection.ts";
import { type MutableHeaders, noHeaders } from "../bind/headers.ts";
import type { Snapshot } from "../bind/snapshot.ts";
import type {
  BoundCluster,
  BoundEndpoint,
  BoundHttpConnectionManager,
  BoundRetryPolicy,
  BoundRoute,
  BoundRouteTable,
  BoundVirtualHost,
  BoundWeightedCluster,
  ShadowDecision,
} from "../bind/types.ts";
import type { ClusterState, EndpointState } from "./live-state.ts";

const noConnection: ConnectionView = Object.freeze({
  peer: undefined,
  localPrincipal: "",
  remoteAddress: { host: "", port: 0 },
  directRemoteAddress: { host: "", port: 0 },
  localAddress: { host: "", port: 0 },
  isTls: false,
  sni: "",
  applicationProtocols: [],
  transportProtocol: "raw_buffer",
  isDestinationRestored: false,
  proxyTlvs: [],
});

/**
 * One request as the engine reads and writes it; pooled by the proxy. `begin` starts it, `release` drops every reference
 * so that a pooled record keeps nothing alive; between them the proxy reads what it likes and writes only the first group.
 */
export class RequestRecord {
  // Given by the proxy; normalised and rewritten in place by the steps.
  method: string;
  /** Origin form with query. */
  path: string;
  authority: string;
  /** `http` or `https`; empty until prepareRequest when the request line had none. */
  scheme: string;
  headers: MutableHeaders;
  connection: ConnectionView;
  /** Protocol that the client wants to switch to, in lower case, or `connect` for CONNECT; empty: none. Set after `begin`. */
  upgrade: string;

  // Written by prepareRequest.
  hcm: BoundHttpConnectionManager | undefined;
  /** The client after trusted X-Forwarded-For hops: `remote_ip`, %DOWNSTREAM_REMOTE_ADDRESS%. Port 0 when from a header. */
  remoteHost: string;
  remotePort: number;
  requestId: string;
  /** Envoy's internal request: came from a trusted, internal address. */
  isInternal: boolean;
  isGrpc: boolean;
  /** Path and authority as received, before normalisation and rewrites. */
  originalPath: string;
  originalAuthority: string;

  // Written by decideRequest.
  snapshot: Snapshot | undefined;
  routeTable: BoundRouteTable | undefined;
  virtualHost: BoundVirtualHost | undefined;
  route: BoundRoute | undefined;
  /** The share of a weighted route that was drawn. */
  weighted: BoundWeightedCluster | undefined;
  cluster: BoundCluster | undefined;
  /** Name of the wanted cluster, also when it does not exist. */
  clusterName: string;
  /** Host that TLS connections for this request are for; undefined: the cluster takes none from requests. See `serverNameOf`. */
  serverName: string | undefined;
  /** Response flags so far, in order (`DI`, `UF`, `URX` …), each once. */
  readonly flags: ResponseFlag[];
  /** Response code details of the last decision; `via_upstream` when an upstream answered. */
  details: string;
  /** What decided, for logs and explain: the RBAC policy of a denial, else the route's resource. */
  decidedBy: Provenance | undefined;
  /** Shadow RBAC of every filter that has some, in order. */
  readonly shadows: ShadowDecision[];
  /** The last of `shadows`; empty: none. */
  shadowPolicy: string;
  shadowResult: "" | "allowed" | "denied";
  /** From the end of the request to the end of the response; 0: none. */
  timeoutMs: number;
  perTryTimeoutMs: number;
  perTryIdleTimeoutMs: number;
  idleTimeoutMs: number;
  maxStreamDurationMs: number;
  /** What the caller speaks when gRPC-Web is translated for it; its request and its answer may differ. */
  grpcWebRequest: "" | "binary" | "text";
  grpcWebResponse: "" | "binary" | "text";
  /** The caller's own deadline leaves no time at all. */
  isOutOfTime: boolean;

  /** The listener that CONNECT leads to; empty: an endpoint. */
  tunnelListener: string;

  // Written by chooseEndpoint and the steps after it.
  /** 0 before the first attempt, then 1, 2, … */
  attempt: number;
  endpoint: BoundEndpoint | undefined;
  /** Endpoints tried before, oldest first. */
  readonly previousEndpoints: BoundEndpoint[];
  /** Whether another attempt may still happen, so that the body must be kept. */
  canRetry: boolean;
  /** Whether response headers have gone to the caller. */
  isResponseStarted: boolean;

  // The engine's own.
  /** @internal index of the filter at which a delay stopped. */
  filterIndex: number;
  /** @internal monotonic ms of decideRequest. */
  decidedMs: number;
  /** @internal bits of `retryOn`. */
  retryConditions: number;
  /** @internal those of them that the caller asked for by header, which hold for every method. */
  retryConditionsByHeader: number;
  /** @internal */
  retriesRemaining: number;
  /** @internal */
  retryPolicy: BoundRetryPolicy | undefined;
  /** @internal from x-envoy-retriable-status-codes. */
  readonly retryStatusCodes: number[];
  /** @internal from x-envoy-retriable-header-names. */
  readonly retryHeaderNames: string[];
  /** @internal retries scheduled so far, for the back-off. */
  retriesDone: number;
  /** @internal status of a time-out (204 with x-envoy-upstream-rq-timeout-alt-response). */
  timeoutStatus: number;
  /** @internal each attempt says in `grpc-timeout` how much time is left. */
  tellsGrpcTimeout: boolean;
  /** @internal what is counted as active now. */
  countedCluster: ClusterState | undefined;
  /** @internal */
  countedEndpoint: EndpointState | undefined;
  /** @internal */
  holdsRetry: ClusterState | undefined;
  /** @internal */
  holdsFault: boolean;
  /** @internal */
  isFinished: boolean;

  constructor() {
    this.method = "";
    this.path = "";
    this.authority = "";
    this.scheme = "";
    this.headers = noHeaders;
    this.connection = noConnection;
    this.upgrade = "";
    this.hcm = undefined;
    this.remoteHost = "";
    this.remotePort = 0;
    this.requestId = "";
    this.isInternal = false;
    this.isGrpc = false;
    this.originalPath = "";
    this.originalAuthority = "";
    this.snapshot = undefined;
    this.routeTable = undefined;
    this.virtualHost = undefined;
    this.route = undefined;
    this.weighted = undefined;
    this.cluster = undefined;
    this.clusterName = "";
    this.serverName = undefined;
    this.flags = [];
    this.details = "";
    this.decidedBy = undefined;
    this.shadows = [];
    this.shadowPolicy = "";
    this.shadowResult = "";
    this.timeoutMs = 0;
    this.perTryTimeoutMs = 0;
    this.perTryIdleTimeoutMs = 0;
    this.idleTimeoutMs = 0;
    this.maxStreamDurationMs = 0;
    this.isOutOfTime = false;
    this.tunnelListener = "";
    this.grpcWebRequest = "";
    this.grpcWebResponse = "";
    this.attempt = 0;
    this.endpoint = undefined;
    this.previousEndpoints = [];
    this.canRetry = false;
    this.isResponseStarted = false;
    this.filterIndex = 0;
    this.decidedMs = 0;
    this.retryConditions = 0;
    this.retryConditionsByHeader = 0;
    this.retriesRemaining = 0;
    this.retryPolicy = undefined;
    this.retryStatusCodes = [];
    this.retryHeaderNames = [];
    this.retriesDone = 0;
    this.timeoutStatus = 0;
    this.tellsGrpcTimeout = false;
    this.countedCluster = undefined;
    this.countedEndpoint = undefined;
    this.holdsRetry = undefined;
    this.holdsFault = false;
    this.isFinished = true;
  }

  begin(
    method: string,
    path: string,
    authority: string,
    scheme: string,
    headers: MutableHeaders,
    connection: ConnectionView,
  ): void {
    this.release();
    this.method = method;
    this.path = path;
    this.authority = authority;
    this.scheme = scheme;
    this.headers = headers;
    this.connection = connection;
    this.originalPath = path;
    this.originalAuthority = authority;
    this.remoteHost = connection.remoteAddress.host;
    this.remotePort = connection.remoteAddress.port;
    this.isFinished = false;
  }

  /** Call `finishRequest` first: what is still counted would stay counted. */
  release(): void {
    this.headers = noHeaders;
    this.connection = noConnection;
    this.upgrade = "";
    this.hcm = undefined;
    this.requestId = "";
    this.isInternal = false;
    this.isGrpc = false;
    this.snapshot = undefined;
    this.routeTable = undefined;
    this.virtualHost = undefined;
    this.route = undefined;
    this.weighted = undefined;
    this.cluster = undefined;
    this.clusterName = "";
    this.serverName = undefined;
    emptyList(this.flags);
    this.details = "";
    this.decidedBy = undefined;
    emptyList(this.shadows);
    this.shadowPolicy = "";
    this.shadowResult = "";
    this.timeoutMs = 0;
    this.perTryTimeoutMs = 0;
    this.perTryIdleTimeoutMs = 0;
    this.idleTimeoutMs = 0;
    this.maxStreamDurationMs = 0;
    this.isOutOfTime = false;
    this.tunnelListener = "";
    this.grpcWebRequest = "";
    this.grpcWebResponse = "";
    this.attempt = 0;
    this.endpoint = undefined;
    emptyList(this.previousEndpoints);
    this.canRetry = false;
    this.isResponseStarted = false;
    this.filterIndex = 0;
    this.decidedMs = 0;
    this.retryConditions = 0;
    this.retryConditionsByHeader = 0;
    this.retriesRemaining = 0;
    this.retryPolicy = undefined;
    emptyList(this.retryStatusCodes);
    emptyList(this.retryHeaderNames);
    this.retriesDone = 0;
    this.timeoutStatus = 0;
    this.tellsGrpcTimeout = false;
    this.countedCluster = undefined;
    this.countedEndpoint = undefined;
    this.holdsRetry = undefined;
    this.holdsFault = false;
    this.isFinished = true;
  }

  addFlag(flag: ResponseFlag): void {
    if (!this.flags.includes(flag)) this.flags.push(flag);
  }
}
