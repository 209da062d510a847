import type { AcceptedFields } from "../field-walker.ts";
import { enumerated, proven, through } from "./proofs.ts";

const file = "upstream/src/health/health-checks.test.ts ›";
const timesLoad =
  "engine/src/load/health-check.test.ts › a health check's times and thresholds arrive, and Envoy's defaults with them";
const checkersLoad =
  "engine/src/load/health-check.test.ts › what is asked and expected arrives, for HTTP, TCP and gRPC";
const thresholds = through(
  timesLoad,
  `${file} thresholds count in a row, in the intervals of the edge, and a status that is not expected counts at once`,
);
const rare = through(timesLoad, `${file} a cluster without traffic is checked more rarely`);
const jitter = through(timesLoad, `${file} jitter is added to the first check and to each interval`);
const timeout = through(
  timesLoad,
  `${file} an endpoint that keeps silent has failed when the timeout is over, one that refuses at once`,
);
const reuse = through(
  timesLoad,
  "upstream/src/health/health-checks.test.ts › three checks take one connection or three, as reuse_connection says, and none of them is the traffic's",
);
const logs = through(timesLoad, `${file} changes are logged, and with always_log every outcome`);
const alpn = through(
  timesLoad,
  "proxy/src/worker/health-checks.test.ts › checks use the cluster's TLS, with an ALPN of their own where one is given",
);
const request = through(checkersLoad, `${file} the request is what the check says, and so is the response that counts`);
const bodyLimit = through(
  checkersLoad,
  `${file} of a response's body no more is looked at than response_buffer_size says`,
);
const overHttp2 = through(checkersLoad, `${file} a check with codec_client_type HTTP2 speaks HTTP/2`);
const retriable = through(
  checkersLoad,
  `${file} thresholds count in a row, in the intervals of the edge, and a status that is not expected counts at once`,
);
const tcp = through(
  checkersLoad,
  `${file} a TCP check sends its bytes and waits for the expected ones, in any pieces and with others between`,
);
const grpc = through(checkersLoad, `${file} a gRPC check asks grpc.health.v1 of its service, and only SERVING is well`);
const altPort = through(
  timesLoad,
  `${file} an endpoint is checked at its own check port, else at alt_port, with its own host name`,
);

export const healthCheckFields: AcceptedFields = {
  "envoy.config.core.v3.HealthCheck": {
    ...proven(timeout, "timeout"),
    ...proven(
      thresholds,
      "interval",
      "unhealthy_interval",
      "unhealthy_edge_interval",
      "healthy_edge_interval",
      "unhealthy_threshold",
      "healthy_threshold",
    ),
    ...proven(rare, "no_traffic_interval", "no_traffic_healthy_interval"),
    ...proven(jitter, "initial_jitter", "interval_jitter", "interval_jitter_percent"),
    ...proven(altPort, "alt_port"),
    ...proven(reuse, "reuse_connection"),
    ...proven(logs, "always_log_health_check_failures", "always_log_health_check_success"),
    ...proven(alpn, "tls_options"),
    ...proven(request, "http_health_check"),
    ...proven(tcp, "tcp_health_check"),
    ...proven(grpc, "grpc_health_check"),
  },
  "envoy.config.core.v3.HealthCheck.TlsOptions": proven(alpn, "alpn_protocols"),
  "envoy.config.core.v3.HealthCheck.HttpHealthCheck": {
    ...proven(
      request,
      "host",
      "path",
      "send",
      "receive",
      "request_headers_to_add",
      "request_headers_to_remove",
      "expected_statuses",
      "service_name_matcher",
    ),
    ...enumerated(
      request,
      "method",
      "METHOD_UNSPECIFIED",
      "GET",
      "HEAD",
      "POST",
      "PUT",
      "DELETE",
      "OPTIONS",
      "TRACE",
      "PATCH",
    ),
    ...proven(bodyLimit, "response_buffer_size"),
    ...proven(retriable, "retriable_statuses"),
    ...enumerated(overHttp2, "codec_client_type", "HTTP1", "HTTP2"),
  },
  "envoy.config.core.v3.HealthCheck.Payload": proven(tcp, "text", "binary"),
  "envoy.config.core.v3.HealthCheck.TcpHealthCheck": proven(tcp, "send", "receive"),
  "envoy.config.core.v3.HealthCheck.GrpcHealthCheck": proven(grpc, "service_name", "authority", "initial_metadata"),
};
