import assert from "node:assert/strict";
import { test } from "node:test";
import { MetricReader } from "./metric-reader.ts";
import { MetricWriter } from "./metric-writer.ts";
import { formatPrometheus } from "./prometheus-text.ts";
import { StandardMetrics, unknownWorkload } from "./standard-metrics.ts";
import type { TrafficEnds, WorkloadLabels } from "./standard-metrics.ts";

const web: WorkloadLabels = {
  workload: "web",
  namespace: "default",
  canonicalService: "web",
  canonicalRevision: "v1",
  app: "web",
  version: "v1",
  cluster: "Kubernetes",
};
const ends: TrafficEnds = {
  source: web,
  sourcePrincipal: "spiffe://cluster.local/ns/default/sa/web",
  destination: { ...web, workload: "books", canonicalService: "books", app: "books" },
  destinationPrincipal: "spiffe://cluster.local/ns/default/sa/books",
  destinationService: "books.default.svc.cluster.local",
  destinationServiceName: "books",
  destinationServiceNamespace: "default",
  requestProtocol: "http",
  connectionSecurityPolicy: "mutual_tls",
};

function record(reporter: "source" | "destination", of: TrafficEnds, flags: string, grpcStatus = -1): string {
  const reader = new MetricReader();
  const metrics = new StandardMetrics(new MetricWriter({ announce: (series) => reader.add(series) }), reporter);
  metrics.bind(of).record(200, grpcStatus, flags, 3, 10, 20);
  metrics.bind({ ...of }).record(200, grpcStatus, flags, 3, 10, 20);
  return formatPrometheus(reader.read());
}

test("istio_requests_total has Istio's labels in Istio's order", () => {
  const line = record("destination", ends, "")
    .split("\n")
    .find((candidate) => candidate.startsWith("istio_requests_total"));
  assert.equal(
    line,
    'istio_requests_total{reporter="destination",source_workload="web",source_canonical_service="web",' +
      'source_canonical_revision="v1",source_workload_namespace="default",' +
      'source_principal="spiffe://cluster.local/ns/default/sa/web",source_app="web",source_version="v1",' +
      'source_cluster="Kubernetes",destination_workload="books",destination_workload_namespace="default",' +
      'destination_principal="spiffe://cluster.local/ns/default/sa/books",destination_app="books",' +
      'destination_version="v1",destination_service="books.default.svc.cluster.local",' +
      'destination_canonical_service="books",destination_canonical_revision="v1",destination_service_name="books",' +
      'destination_service_namespace="default",destination_cluster="Kubernetes",request_protocol="http",' +
      'response_code="200",response_flags="-",connection_security_policy="mutual_tls"} 2',
  );
});

test("what is not known prints as unknown", () => {
  const printed = record("source", { ...ends, destination: unknownWorkload, destinationPrincipal: "" }, "UH");
  assert.match(printed, /destination_workload="unknown"/);
  assert.match(printed, /destination_principal="unknown"/);
  assert.match(printed, /destination_canonical_revision="unknown"/);
  assert.match(printed, /response_flags="UH"/);
});

test("a known workload without a version has the revision latest", () => {
  assert.match(
    record("source", { ...ends, source: { ...web, canonicalRevision: "" } }, ""),
    /source_canonical_revision="latest"/,
  );
});

test("a gRPC call has the label of its status, and one that gRPC does not know makes no series of its own", () => {
  const grpc: TrafficEnds = { ...ends, requestProtocol: "grpc" };
  const label = (status: number, flags = ""): string =>
    /istio_requests_total.*(request_protocol="grpc",.*),connection/.exec(record("source", grpc, flags, status))?.[1] ??
    "";
  const labels = (status: number, flags: string): string =>
    `request_protocol="grpc",response_code="200",grpc_response_status="${status}",response_flags="${flags}"`;
  assert.equal(label(0), labels(0, "-"));
  assert.equal(label(14, "UF"), labels(14, "UF"));
  assert.equal(label(4711), labels(2, "-"));
});

test("one request is counted once in each of the four metrics", () => {
  const printed = record("source", ends, "");
  for (const name of ["istio_request_duration_milliseconds", "istio_request_bytes", "istio_response_bytes"]) {
    assert.match(printed, new RegExp(`^${name}_count\\{.*\\} 2$`, "m"));
  }
  assert.match(printed, /^istio_request_bytes_sum\{.*\} 20$/m);
  assert.match(printed, /^istio_response_bytes_sum\{.*\} 40$/m);
});
