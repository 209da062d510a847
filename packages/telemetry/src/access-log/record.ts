/** Reads a header by its lower-case name; several values joined. `undefined` when it is absent. */
export interface HeaderLookup {
  get(name: string): string | undefined;
}

/**
 * What is known of one finished request or connection. The proxy fills it; a format reads it. Numbers are -1 and
 * strings empty where there is nothing to say; both print as `-`.
 */
export interface AccessLogRecord {
  startTimeMs: number;
  durationMs: number;
  method: string;
  /** Path with query, as routed upstream. */
  path: string;
  scheme: string;
  authority: string;
  /** `HTTP/1.1`, `HTTP/2`; empty for a TCP connection. */
  protocol: string;
  requestHeaders: HeaderLookup;
  responseHeaders: HeaderLookup;
  responseTrailers: HeaderLookup;
  /** 0 when no response was made. */
  responseCode: number;
  responseCodeDetails: string;
  /** Of a gRPC call; -1: none. */
  grpcStatus: number;
  /** Envoy's short flags, comma-separated; empty for none. */
  responseFlags: string;
  connectionTerminationDetails: string;
  upstreamTransportFailureReason: string;
  bytesReceived: number;
  bytesSent: number;
  /** From the start to the last byte of the request read, first byte of the response read, last byte sent. */
  requestDurationMs: number;
  responseDurationMs: number;
  responseTxDurationMs: number;
  upstreamHost: string;
  upstreamCluster: string;
  upstreamLocalAddress: string;
  upstreamRequestAttemptCount: number;
  downstreamLocalAddress: string;
  downstreamRemoteAddress: string;
  /** The peer of the socket, before forwarding headers were read. */
  downstreamDirectRemoteAddress: string;
  requestedServerName: string;
  routeName: string;
  /** Identities from certificates; empty without mutual TLS. */
  downstreamPeerUriSan: string;
  downstreamLocalUriSan: string;
  downstreamPeerSubject: string;
  downstreamTlsVersion: string;
  downstreamTlsCipher: string;
  upstreamPeerUriSan: string;
  upstreamLocalUriSan: string;
  upstreamTlsVersion: string;
  connectionId: number;
  /** Unique in this process. */
  streamId: string;
  /** Resource that decided, `Kind namespace/name rule`, when the mesh made the answer itself. Ours: `%HEDDLE_DECIDED_BY%`. */
  decidedBy: string;
}

const nothing: HeaderLookup = { get: () => undefined };

/** A record that says nothing yet. */
export function emptyAccessLogRecord(): AccessLogRecord {
  return {
    startTimeMs: 0,
    durationMs: -1,
    method: "",
    path: "",
    scheme: "",
    authority: "",
    protocol: "",
    requestHeaders: nothing,
    responseHeaders: nothing,
    responseTrailers: nothing,
    responseCode: 0,
    responseCodeDetails: "",
    grpcStatus: -1,
    responseFlags: "",
    connectionTerminationDetails: "",
    upstreamTransportFailureReason: "",
    bytesReceived: 0,
    bytesSent: 0,
    requestDurationMs: -1,
    responseDurationMs: -1,
    responseTxDurationMs: -1,
    upstreamHost: "",
    upstreamCluster: "",
    upstreamLocalAddress: "",
    upstreamRequestAttemptCount: 0,
    downstreamLocalAddress: "",
    downstreamRemoteAddress: "",
    downstreamDirectRemoteAddress: "",
    requestedServerName: "",
    routeName: "",
    downstreamPeerUriSan: "",
    downstreamLocalUriSan: "",
    downstreamPeerSubject: "",
    downstreamTlsVersion: "",
    downstreamTlsCipher: "",
    upstreamPeerUriSan: "",
    upstreamLocalUriSan: "",
    upstreamTlsVersion: "",
    connectionId: 0,
    streamId: "",
    decidedBy: "",
  };
}
