import {
  CodecClientType,
  type Duration,
  type HealthCheck,
  type HealthCheck_GrpcHealthCheck,
  type HealthCheck_HttpHealthCheck,
  type HealthCheck_Payload,
  type HealthCheck_TcpHealthCheck,
  type HeaderValueOption,
  type Int64Range,
  RequestMethod,
} from "@heddle/xds/api";
import { compileHeaderFormat, formatProblem } from "../bind/format.ts";
import type { HeaderSetConfig } from "../config/header-mutation.ts";
import type {
  GrpcCheckConfig,
  HealthCheckConfig,
  HttpCheckConfig,
  StatusRange,
  TcpCheckConfig,
} from "../config/health-check.ts";
import { loadHeaderRemovals, loadHeaderSet } from "./header-mutation.ts";
import type { Loading, Path } from "./loading.ts";
import { loadHeaderValue, loadStringMatch } from "./string-match.ts";

/** A cluster's one health check; Envoy takes no second one either. */
export function loadHealthChecks(
  checks: readonly HealthCheck[],
  at: Path,
  loading: Loading,
): HealthCheckConfig | undefined {
  if (checks.length > 1) loading.problem(at, "several health checks are given", "give one");
  const [check] = checks;
  return check === undefined ? undefined : loadHealthCheck(check, at.index(0), loading);
}

function loadHealthCheck(check: HealthCheck, at: Path, loading: Loading): HealthCheckConfig {
  const positive = (value: Duration | undefined, name: string, fallback: number): number => {
    const ms = loading.duration(value, at.field(name), fallback);
    if (ms === 0) loading.problem(at.field(name), "the duration is zero or missing", "give a duration above zero");
    return ms;
  };
  const threshold = (value: number | undefined, name: string): number => {
    if (value === undefined) loading.problem(at.field(name), "the threshold is missing", "give a number above zero");
    // Envoy takes 0 for "at the first result", which 1 is.
    return Math.max(1, value ?? 1);
  };
  const intervalMs = positive(check.interval, "interval", 0);
  const unhealthyIntervalMs = positive(check.unhealthyInterval, "unhealthy_interval", intervalMs || 1);
  const noTrafficIntervalMs = positive(check.noTrafficInterval, "no_traffic_interval", 60_000);
  return {
    timeoutMs: positive(check.timeout, "timeout", 0),
    intervalMs,
    unhealthyIntervalMs,
    unhealthyEdgeIntervalMs: positive(check.unhealthyEdgeInterval, "unhealthy_edge_interval", unhealthyIntervalMs),
    healthyEdgeIntervalMs: positive(check.healthyEdgeInterval, "healthy_edge_interval", intervalMs || 1),
    noTrafficIntervalMs,
    noTrafficHealthyIntervalMs: positive(
      check.noTrafficHealthyInterval,
      "no_traffic_healthy_interval",
      noTrafficIntervalMs,
    ),
    initialJitterMs: loading.duration(check.initialJitter, at.field("initial_jitter"), 0),
    intervalJitterMs: loading.duration(check.intervalJitter, at.field("interval_jitter"), 0),
    intervalJitterPercent: loading.range(check.intervalJitterPercent, at.field("interval_jitter_percent"), 0, 1000),
    unhealthyThreshold: threshold(check.unhealthyThreshold, "unhealthy_threshold"),
    healthyThreshold: threshold(check.healthyThreshold, "healthy_threshold"),
    altPort: loading.range(check.altPort ?? 0, at.field("alt_port"), 0, 65_535),
    reuseConnection: check.reuseConnection ?? true,
    alpn: check.tlsOptions?.alpnProtocols ?? [],
    logsEveryFailure: check.alwaysLogHealthCheckFailures,
    logsEverySuccess: check.alwaysLogHealthCheckSuccess,
    checker: loadChecker(check.healthChecker, at, loading),
  };
}

function loadChecker(
  checker: HealthCheck["healthChecker"],
  at: Path,
  loading: Loading,
): HttpCheckConfig | TcpCheckConfig | GrpcCheckConfig {
  switch (checker.case) {
    case "httpHealthCheck":
      return loadHttp(checker.value, at.field("http_health_check"), loading);
    case "grpcHealthCheck":
      return loadGrpc(checker.value, at.field("grpc_health_check"), loading);
    case "tcpHealthCheck":
      return loadTcp(checker.value, at.field("tcp_health_check"), loading);
    default:
      if (checker.case === undefined)
        loading.problem(
          at,
          "what is checked is missing",
          "give http_health_check, tcp_health_check or grpc_health_check",
        );
      return { kind: "tcp", send: undefined, receive: [] };
  }
}

const methods: Readonly<Partial<Record<RequestMethod, string>>> = {
  [RequestMethod.METHOD_UNSPECIFIED]: "GET",
  [RequestMethod.GET]: "GET",
  [RequestMethod.HEAD]: "HEAD",
  [RequestMethod.POST]: "POST",
  [RequestMethod.PUT]: "PUT",
  [RequestMethod.DELETE]: "DELETE",
  [RequestMethod.OPTIONS]: "OPTIONS",
  [RequestMethod.TRACE]: "TRACE",
  [RequestMethod.PATCH]: "PATCH",
};

function loadHttp(check: HealthCheck_HttpHealthCheck, at: Path, loading: Loading): HttpCheckConfig {
  const method = methods[check.method] ?? "GET";
  const body = check.send === undefined ? undefined : loadPayload(check.send, at.field("send"), loading);
  if (check.method === RequestMethod.CONNECT)
    loading.problem(at.field("method"), "the value CONNECT is not supported", "use another method");
  if (body !== undefined && ["GET", "HEAD", "OPTIONS", "TRACE"].includes(method))
    loading.problem(at.field("send"), `${method} requests have no body`, "set `method: POST`, or another with a body");
  return {
    kind: "http",
    host: loadHeaderValue(check.host, at.field("host"), loading),
    path: loadHeaderValue(loading.required(check.path, at.field("path")), at.field("path"), loading),
    method,
    protocol: check.codecClientType === CodecClientType.HTTP2 ? "http2" : "http1",
    body,
    receive: check.receive.map((payload, index) => loadPayload(payload, at.field("receive").index(index), loading)),
    responseBufferBytes: Number(check.responseBufferSize ?? 1024n),
    headers: {
      remove: loadHeaderRemovals(check.requestHeadersToRemove, at.field("request_headers_to_remove"), loading),
      set: loadLiterals(check.requestHeadersToAdd, at.field("request_headers_to_add"), loading),
    },
    expectedStatuses:
      check.expectedStatuses.length === 0
        ? [{ start: 200, end: 201 }]
        : loadRanges(check.expectedStatuses, at.field("expected_statuses"), loading),
    retriableStatuses: loadRanges(check.retriableStatuses, at.field("retriable_statuses"), loading),
    serviceName:
      check.serviceNameMatcher === undefined
        ? undefined
        : loadStringMatch(check.serviceNameMatcher, at.field("service_name_matcher"), loading),
  };
}

function loadGrpc(check: HealthCheck_GrpcHealthCheck, at: Path, loading: Loading): GrpcCheckConfig {
  return {
    kind: "grpc",
    serviceName: check.serviceName,
    authority: loadHeaderValue(check.authority, at.field("authority"), loading),
    metadata: { remove: [], set: loadLiterals(check.initialMetadata, at.field("initial_metadata"), loading) },
  };
}

function loadTcp(check: HealthCheck_TcpHealthCheck, at: Path, loading: Loading): TcpCheckConfig {
  return {
    kind: "tcp",
    send: check.send === undefined ? undefined : loadPayload(check.send, at.field("send"), loading),
    receive: check.receive.map((payload, index) => loadPayload(payload, at.field("receive").index(index), loading)),
  };
}

/** `text` is hexadecimal, as Envoy has it. */
function loadPayload({ payload }: HealthCheck_Payload, at: Path, loading: Loading): Uint8Array {
  if (payload.case === "binary") return payload.value;
  const text = payload.case === "text" ? payload.value : "";
  if (!/^(?:[0-9a-fA-F]{2})+$/.test(text)) {
    loading.problem(at.field("text"), `"${text}" is not hexadecimal`, "write the bytes as pairs of hexadecimal digits");
    return new Uint8Array();
  }
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

function loadRanges(ranges: readonly Int64Range[], at: Path, loading: Loading): StatusRange[] {
  return ranges.map(({ start, end }, index) => {
    const range = { start: Number(start), end: Number(end) };
    if (!(range.start >= 100 && range.end <= 600 && range.start < range.end))
      loading.problem(
        at.index(index),
        `${range.start} up to ${range.end} are no statuses`,
        "give a start from 100 and an end up to 600; the end itself is left out",
      );
    return range;
  });
}

/** Values as they are sent: there is no request whose properties operators could name. */
function loadLiterals(options: readonly HeaderValueOption[], at: Path, loading: Loading): HeaderSetConfig[] {
  return options.map((option, index) => {
    const where = at.index(index);
    const set = loadHeaderSet(option, where, loading);
    if (formatProblem(set.value) !== undefined) return set;
    const { constant } = compileHeaderFormat(set.value);
    if (constant === undefined)
      loading.problem(
        where.field("header").field("value"),
        "a health check has no request for operators to name",
        "write the value itself",
      );
    return { ...set, value: constant ?? "" };
  });
}
