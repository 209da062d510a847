import { formatGrpcStatus, type GrpcStatusFormat } from "../grpc-status.ts";
import type { AccessLogRecord, HeaderLookup } from "./record.ts";
import { compileTimeFormat, isoTime } from "./start-time.ts";

/** The value of one operator for a record; `undefined` prints as `-` in text and `null` in JSON. */
export type Operator = (record: AccessLogRecord) => string | number | undefined;

export type CompiledOperator = { readonly operator: Operator } | { readonly problem: string };

const text =
  (pick: (record: AccessLogRecord) => string): Operator =>
  (record) => {
    const value = pick(record);
    return value === "" ? undefined : value;
  };
const count =
  (pick: (record: AccessLogRecord) => number): Operator =>
  (record) => {
    const value = pick(record);
    return value < 0 ? undefined : Math.floor(value);
  };

function hostOf(address: string): string {
  const end = address.lastIndexOf(":");
  const host = end < 0 ? address : address.slice(0, end);
  return host.startsWith("[") && host.endsWith("]") ? host.slice(1, -1) : host;
}

function portOf(address: string): string {
  const end = address.lastIndexOf(":");
  return end < 0 ? "" : address.slice(end + 1);
}

/** Operators without an argument, by Envoy's names (Envoy documentation, "Access logging", command operators). */
export const plainOperators: Readonly<Record<string, { readonly read: Operator; readonly meaning: string }>> = {
  PROTOCOL: { read: text((r) => r.protocol), meaning: "`HTTP/1.0`, `HTTP/1.1` or `HTTP/2`; empty for TCP" },
  RESPONSE_CODE: { read: count((r) => r.responseCode), meaning: "Status of the response; 0 when there was none" },
  RESPONSE_CODE_DETAILS: {
    read: text((r) => r.responseCodeDetails.replaceAll(" ", "_")),
    meaning: "Who answered and why: `via_upstream`, or the details of an [error code](error-codes.md)",
  },
  GRPC_STATUS_NUMBER: { read: count((r) => r.grpcStatus), meaning: "Number of a gRPC call's status" },
  RESPONSE_FLAGS: {
    read: text((r) => r.responseFlags),
    meaning: "Envoy's flags of what went wrong, such as `UF` or `NR`",
  },
  CONNECTION_TERMINATION_DETAILS: {
    read: text((r) => r.connectionTerminationDetails),
    meaning: "For TCP: why the proxy ended the connection",
  },
  UPSTREAM_TRANSPORT_FAILURE_REASON: {
    read: text((r) => r.upstreamTransportFailureReason.replaceAll(" ", "_")),
    meaning: "What the transport to the upstream said when it failed",
  },
  BYTES_RECEIVED: {
    read: count((r) => r.bytesReceived),
    meaning: "Bytes of the request's body; for TCP, of the connection",
  },
  BYTES_SENT: { read: count((r) => r.bytesSent), meaning: "Bytes of the response's body; for TCP, of the connection" },
  DURATION: {
    read: count((r) => r.durationMs),
    meaning: "Milliseconds from the begin of the request to the last byte of the response",
  },
  REQUEST_DURATION: {
    read: count((r) => r.requestDurationMs),
    meaning: "Milliseconds until the last byte of the request had come",
  },
  RESPONSE_DURATION: {
    read: count((r) => r.responseDurationMs),
    meaning: "Milliseconds until the first byte of the upstream's response",
  },
  RESPONSE_TX_DURATION: {
    read: count((r) => r.responseTxDurationMs),
    meaning: "Milliseconds from the first byte of the upstream's response to the last byte sent",
  },
  UPSTREAM_HOST: { read: text((r) => r.upstreamHost), meaning: "Address and port of the endpoint" },
  UPSTREAM_REMOTE_ADDRESS: { read: text((r) => r.upstreamHost), meaning: "As `UPSTREAM_HOST`" },
  UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT: {
    read: text((r) => hostOf(r.upstreamHost)),
    meaning: "Address of the endpoint",
  },
  UPSTREAM_REMOTE_PORT: { read: text((r) => portOf(r.upstreamHost)), meaning: "Port of the endpoint" },
  UPSTREAM_CLUSTER: { read: text((r) => r.upstreamCluster), meaning: "Cluster that the request went to" },
  UPSTREAM_CLUSTER_RAW: { read: text((r) => r.upstreamCluster), meaning: "As `UPSTREAM_CLUSTER`" },
  UPSTREAM_LOCAL_ADDRESS: {
    read: text((r) => r.upstreamLocalAddress),
    meaning: "Own address and port of the connection to the endpoint",
  },
  UPSTREAM_REQUEST_ATTEMPT_COUNT: {
    read: count((r) => r.upstreamRequestAttemptCount),
    meaning: "How often the request was sent; more than 1 after retries",
  },
  DOWNSTREAM_LOCAL_ADDRESS: {
    read: text((r) => r.downstreamLocalAddress),
    meaning: "Address and port that the client connected to",
  },
  DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT: {
    read: text((r) => hostOf(r.downstreamLocalAddress)),
    meaning: "Address that the client connected to",
  },
  DOWNSTREAM_LOCAL_PORT: {
    read: text((r) => portOf(r.downstreamLocalAddress)),
    meaning: "Port that the client connected to",
  },
  DOWNSTREAM_REMOTE_ADDRESS: {
    read: text((r) => r.downstreamRemoteAddress),
    meaning: "Address and port of the client, behind trusted hops that of `X-Forwarded-For`",
  },
  DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT: {
    read: text((r) => hostOf(r.downstreamRemoteAddress)),
    meaning: "Address of the client, as above",
  },
  DOWNSTREAM_REMOTE_PORT: {
    read: text((r) => portOf(r.downstreamRemoteAddress)),
    meaning: "Port of the client, as above",
  },
  DOWNSTREAM_DIRECT_REMOTE_ADDRESS: {
    read: text((r) => r.downstreamDirectRemoteAddress),
    meaning: "Address and port of the peer of the connection",
  },
  DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT: {
    read: text((r) => hostOf(r.downstreamDirectRemoteAddress)),
    meaning: "Address of the peer of the connection",
  },
  DOWNSTREAM_PEER_URI_SAN: {
    read: text((r) => r.downstreamPeerUriSan),
    meaning: "Identity of the client: the URI in its certificate",
  },
  DOWNSTREAM_LOCAL_URI_SAN: {
    read: text((r) => r.downstreamLocalUriSan),
    meaning: "Identity that the proxy showed to the client",
  },
  DOWNSTREAM_PEER_SUBJECT: {
    read: text((r) => r.downstreamPeerSubject),
    meaning: "Subject of the client's certificate",
  },
  DOWNSTREAM_TLS_VERSION: { read: text((r) => r.downstreamTlsVersion), meaning: "Version of TLS with the client" },
  DOWNSTREAM_TLS_CIPHER: { read: text((r) => r.downstreamTlsCipher), meaning: "Cipher of TLS with the client" },
  UPSTREAM_PEER_URI_SAN: {
    read: text((r) => r.upstreamPeerUriSan),
    meaning: "Identity of the endpoint: the URI in its certificate",
  },
  UPSTREAM_LOCAL_URI_SAN: {
    read: text((r) => r.upstreamLocalUriSan),
    meaning: "Identity that the proxy showed to the endpoint",
  },
  UPSTREAM_TLS_VERSION: { read: text((r) => r.upstreamTlsVersion), meaning: "Version of TLS with the endpoint" },
  REQUESTED_SERVER_NAME: {
    read: text((r) => r.requestedServerName),
    meaning: "Server name (SNI) that the client asked for",
  },
  ROUTE_NAME: { read: text((r) => r.routeName), meaning: "Name of the route" },
  VIRTUAL_CLUSTER_NAME: {
    // Envoy sets it for virtual hosts that have virtual clusters ("other" where none matches) and leaves it unset without: `-`, null.
    read: () => undefined,
    meaning: "Never known, as in Envoy where a virtual host has no virtual clusters; they are not supported",
  },
  CONNECTION_ID: { read: count((r) => r.connectionId), meaning: "Number of the client's connection in this worker" },
  STREAM_ID: { read: text((r) => r.streamId), meaning: "Number of the request in this worker" },
  HEDDLE_DECIDED_BY: {
    read: text((r) => r.decidedBy),
    meaning:
      "Heddle's own: the resource that decided when the proxy answered itself, `<kind> <namespace>/<name> <rule>`",
  },
};

/** Operators of Envoy that mean something here, and are not printed yet. */
const notYet: ReadonlySet<string> = new Set([
  "BYTES_RETRANSMITTED",
  "COMMON_DURATION",
  "CUSTOM_FLAGS",
  "DOWNSTREAM_PEER_CERT",
  "DOWNSTREAM_PEER_FINGERPRINT_256",
  "DOWNSTREAM_PEER_ISSUER",
  "DOWNSTREAM_PEER_SERIAL",
  "DYNAMIC_METADATA",
  "EMIT_TIME",
  "ENVIRONMENT",
  "FILTER_STATE",
  "HOSTNAME",
  "METADATA",
  "REQUEST_HEADERS_BYTES",
  "REQUEST_TX_DURATION",
  "RESPONSE_FLAGS_LONG",
  "RESPONSE_HEADERS_BYTES",
  "ROUNDTRIP_DURATION",
  "TRACE_ID",
  "UPSTREAM_CLUSTER_METADATA",
  "UPSTREAM_HOST_NAME",
  "UPSTREAM_METADATA",
  "UPSTREAM_PEER_SUBJECT",
  "UPSTREAM_TLS_CIPHER",
]);

/** `:method` and its kin, which are fields of the record and no headers here. */
const pseudo: Readonly<Record<string, (record: AccessLogRecord) => string>> = {
  ":method": (r) => r.method,
  ":path": (r) => r.path,
  ":authority": (r) => r.authority,
  ":scheme": (r) => r.scheme,
  ":status": (r) => (r.responseCode > 0 ? String(r.responseCode) : ""),
};

const headerSources: Readonly<Record<string, (record: AccessLogRecord) => HeaderLookup>> = {
  REQ: (r) => r.requestHeaders,
  RESP: (r) => r.responseHeaders,
  TRAILER: (r) => r.responseTrailers,
};

function readHeader(source: (record: AccessLogRecord) => HeaderLookup, name: string): Operator {
  const special = pseudo[name];
  if (special !== undefined) return text(special);
  return (record) => source(record).get(name);
}

/** `REQ(MAIN?ALTERNATIVE)`, as Envoy reads it: the alternative when the first header is absent. */
function compileHeader(name: string, argument: string): CompiledOperator {
  const [main = "", alternative, ...rest] = argument.toLowerCase().split("?");
  if (main === "" || rest.length > 0)
    return { problem: `%${name}(${argument})% needs one header name, or two with "?" between` };
  const source = headerSources[name]!;
  const first = readHeader(source, main);
  if (alternative === undefined) return { operator: first };
  const second = readHeader(source, alternative);
  return { operator: (record) => first(record) ?? second(record) };
}

function isGrpcStatusFormat(text: string): text is GrpcStatusFormat {
  return text === "CAMEL_STRING" || text === "SNAKE_STRING" || text === "NUMBER";
}

function truncate(operator: Operator, length: number): Operator {
  return (record) => {
    const value = operator(record);
    return typeof value === "string" ? value.slice(0, length) : value;
  };
}

/**
 * Compiles one operator: its name, the text between parentheses (`undefined` without them) and the number after a
 * colon. A name that Envoy does not know, or that we do not have, is a problem and never printed as it stands.
 */
export function compileOperator(
  name: string,
  argument: string | undefined,
  length: number | undefined,
): CompiledOperator {
  const compiled = compileUntruncated(name, argument);
  if (length === undefined || "problem" in compiled) return compiled;
  return { operator: truncate(compiled.operator, length) };
}

function knownOperators(): string {
  return ["START_TIME", "GRPC_STATUS", ...Object.keys(headerSources), ...Object.keys(plainOperators)].sort().join(", ");
}

function compileUntruncated(name: string, argument: string | undefined): CompiledOperator {
  if (name === "START_TIME") {
    if (argument === undefined || argument === "") return { operator: (record) => isoTime(record.startTimeMs) };
    const compiled = compileTimeFormat(argument);
    if ("unsupported" in compiled)
      return { problem: `%START_TIME(${argument})%: the conversion ${compiled.unsupported} is not supported` };
    return { operator: (record) => compiled.format(record.startTimeMs) };
  }
  if (name === "GRPC_STATUS") {
    if (argument === undefined || argument === "" || isGrpcStatusFormat(argument)) {
      const format = argument === undefined || argument === "" ? "CAMEL_STRING" : argument;
      return { operator: ({ grpcStatus }) => (grpcStatus < 0 ? undefined : formatGrpcStatus(grpcStatus, format)) };
    }
    return { problem: `%GRPC_STATUS(${argument})% knows CAMEL_STRING, SNAKE_STRING and NUMBER` };
  }
  if (Object.hasOwn(headerSources, name)) {
    return argument === undefined
      ? { problem: `%${name}% needs a header name in parentheses` }
      : compileHeader(name, argument);
  }
  if (notYet.has(name)) return { problem: `%${name}% is not supported yet` };
  if (!Object.hasOwn(plainOperators, name))
    return { problem: `%${name}% is not a command operator that Heddle knows; it knows ${knownOperators()}` };
  if (argument !== undefined) return { problem: `%${name}% takes no argument` };
  return { operator: plainOperators[name]!.read };
}
