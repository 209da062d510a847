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
const plain: Readonly<Record<string, Operator>> = {
  PROTOCOL: text((r) => r.protocol),
  RESPONSE_CODE: count((r) => r.responseCode),
  RESPONSE_CODE_DETAILS: text((r) => r.responseCodeDetails.replaceAll(" ", "_")),
  RESPONSE_FLAGS: text((r) => r.responseFlags),
  CONNECTION_TERMINATION_DETAILS: text((r) => r.connectionTerminationDetails),
  UPSTREAM_TRANSPORT_FAILURE_REASON: text((r) => r.upstreamTransportFailureReason.replaceAll(" ", "_")),
  BYTES_RECEIVED: count((r) => r.bytesReceived),
  BYTES_SENT: count((r) => r.bytesSent),
  DURATION: count((r) => r.durationMs),
  REQUEST_DURATION: count((r) => r.requestDurationMs),
  RESPONSE_DURATION: count((r) => r.responseDurationMs),
  RESPONSE_TX_DURATION: count((r) => r.responseTxDurationMs),
  REQUEST_HEADERS_BYTES: count((r) => r.requestHeaderBytes),
  RESPONSE_HEADERS_BYTES: count((r) => r.responseHeaderBytes),
  UPSTREAM_HOST: text((r) => r.upstreamHost),
  UPSTREAM_REMOTE_ADDRESS: text((r) => r.upstreamHost),
  UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT: text((r) => hostOf(r.upstreamHost)),
  UPSTREAM_REMOTE_PORT: text((r) => portOf(r.upstreamHost)),
  UPSTREAM_CLUSTER: text((r) => r.upstreamCluster),
  UPSTREAM_CLUSTER_RAW: text((r) => r.upstreamCluster),
  UPSTREAM_LOCAL_ADDRESS: text((r) => r.upstreamLocalAddress),
  UPSTREAM_REQUEST_ATTEMPT_COUNT: count((r) => r.upstreamRequestAttemptCount),
  DOWNSTREAM_LOCAL_ADDRESS: text((r) => r.downstreamLocalAddress),
  DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT: text((r) => hostOf(r.downstreamLocalAddress)),
  DOWNSTREAM_LOCAL_PORT: text((r) => portOf(r.downstreamLocalAddress)),
  DOWNSTREAM_REMOTE_ADDRESS: text((r) => r.downstreamRemoteAddress),
  DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT: text((r) => hostOf(r.downstreamRemoteAddress)),
  DOWNSTREAM_REMOTE_PORT: text((r) => portOf(r.downstreamRemoteAddress)),
  DOWNSTREAM_DIRECT_REMOTE_ADDRESS: text((r) => r.downstreamDirectRemoteAddress),
  DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT: text((r) => hostOf(r.downstreamDirectRemoteAddress)),
  DOWNSTREAM_PEER_URI_SAN: text((r) => r.downstreamPeerUriSan),
  DOWNSTREAM_LOCAL_URI_SAN: text((r) => r.downstreamLocalUriSan),
  DOWNSTREAM_PEER_SUBJECT: text((r) => r.downstreamPeerSubject),
  DOWNSTREAM_TLS_VERSION: text((r) => r.downstreamTlsVersion),
  DOWNSTREAM_TLS_CIPHER: text((r) => r.downstreamTlsCipher),
  UPSTREAM_PEER_URI_SAN: text((r) => r.upstreamPeerUriSan),
  UPSTREAM_LOCAL_URI_SAN: text((r) => r.upstreamLocalUriSan),
  UPSTREAM_TLS_VERSION: text((r) => r.upstreamTlsVersion),
  REQUESTED_SERVER_NAME: text((r) => r.requestedServerName),
  ROUTE_NAME: text((r) => r.routeName),
  VIRTUAL_CLUSTER_NAME: text((r) => r.virtualClusterName),
  CONNECTION_ID: count((r) => r.connectionId),
  STREAM_ID: text((r) => r.streamId),
  HEDDLE_DECIDED_BY: text((r) => r.decidedBy),
};

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

function compileUntruncated(name: string, argument: string | undefined): CompiledOperator {
  if (name === "START_TIME") {
    if (argument === undefined || argument === "") return { operator: (record) => isoTime(record.startTimeMs) };
    const compiled = compileTimeFormat(argument);
    if ("unsupported" in compiled)
      return { problem: `%START_TIME(${argument})%: the conversion ${compiled.unsupported} is not supported` };
    return { operator: (record) => compiled.format(record.startTimeMs) };
  }
  if (Object.hasOwn(headerSources, name)) {
    return argument === undefined
      ? { problem: `%${name}% needs a header name in parentheses` }
      : compileHeader(name, argument);
  }
  if (!Object.hasOwn(plain, name)) return { problem: `%${name}% is not a command operator that Heddle knows` };
  if (argument !== undefined) return { problem: `%${name}% takes no argument` };
  return { operator: plain[name]! };
}
