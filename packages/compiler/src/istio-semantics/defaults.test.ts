// istio.md 4.6: what holds when nobody says anything, and what the settings that change it become.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Cluster_LbPolicy, type RetryPolicy } from "@heddle/xds/api";
import { actionOf, connectionManagerOf, httpOptionsOf, reviewsHost, TestMesh } from "../testing/test-mesh.ts";

const reviewsCluster = `outbound|9080||${reviewsHost}`;
const istioRetryOn = "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes";
const unlimited = 0xffff_ffff;

function retriesOf(retries: string | undefined, dialect: "heddle" | "envoy" = "envoy"): RetryPolicy | undefined {
  const resources =
    retries === undefined
      ? ""
      : `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews }
spec:
  hosts: [reviews]
  http: [{ route: [{ destination: { host: reviews } }], retries: ${retries} }]
`;
  return actionOf(new TestMesh(resources, { dialect }).routes("web-0", reviewsHost)[0]).retryPolicy;
}

function predicates(policy: RetryPolicy | undefined): string[] {
  return (policy?.retryOptionsPredicates ?? []).map(({ name }) => name);
}

test("4.6 default retries: 2 on Istio's list, no status codes, previous hosts avoided, 5 selections, 25 ms", () => {
  const policy = retriesOf(undefined);
  assert.equal(policy?.retryOn, istioRetryOn);
  assert.equal(policy.numRetries, 2);
  assert.deepEqual(policy.retriableStatusCodes, []);
  assert.deepEqual(
    policy.retryHostPredicate.map(({ name }) => name),
    ["envoy.retry_host_predicates.previous_hosts"],
  );
  assert.equal(policy.hostSelectionRetryMaxAttempts, 5n);
  assert.equal(policy.retryBackOff?.baseInterval?.nanos, 25_000_000);
  assert.deepEqual(predicates(policy), []);
});

test("4.6 default retries among our own proxies: resets, too, but whatever may have been carried out only for idempotent requests", () => {
  const policy = retriesOf(undefined, "heddle");
  assert.equal(policy?.retryOn, `${istioRetryOn},reset`);
  assert.deepEqual(predicates(policy), ["heddle.idempotent_request"]);
});

test("4.6 retries without retryOn keep the default conditions, in both dialects", () => {
  assert.equal(retriesOf("{ attempts: 5 }")?.retryOn, istioRetryOn);
  assert.equal(retriesOf("{ attempts: 5 }")?.numRetries, 5);
  assert.equal(retriesOf("{ attempts: 5 }", "heddle")?.retryOn, `${istioRetryOn},reset`);
  assert.deepEqual(predicates(retriesOf("{ attempts: 5 }", "heddle")), ["heddle.idempotent_request"]);
});

test("4.6 the user's own retryOn is taken as it is, for every method", () => {
  for (const dialect of ["heddle", "envoy"] as const) {
    const policy = retriesOf("{ attempts: 3, retryOn: '5xx,reset' }", dialect);
    assert.equal(policy?.retryOn, "5xx,reset");
    assert.deepEqual(predicates(policy), []);
  }
});

test("4.6 attempts: 0 switches retries off", () => {
  assert.equal(retriesOf("{ attempts: 0 }"), undefined);
  assert.equal(retriesOf("{ attempts: 0 }", "heddle"), undefined);
});

test("4.6 retries without attempts are none", () => {
  assert.equal(retriesOf("{}"), undefined);
});

test("4.6 numbers in retryOn are status codes", () => {
  const policy = retriesOf("{ attempts: 2, retryOn: 'connect-failure,503,504' }");
  assert.equal(policy?.retryOn, "connect-failure,retriable-status-codes");
  assert.deepEqual(policy.retriableStatusCodes, [503, 504]);
  const said = retriesOf("{ attempts: 2, retryOn: '503,retriable-status-codes' }");
  assert.equal(said?.retryOn, "retriable-status-codes");
});

test("4.6 perTryTimeout, backoff and retryIgnorePreviousHosts are the user's", () => {
  const policy = retriesOf("{ attempts: 2, perTryTimeout: 1.5s, backoff: 100ms, retryIgnorePreviousHosts: false }");
  assert.deepEqual([policy?.perTryTimeout?.seconds, policy?.perTryTimeout?.nanos], [1n, 500_000_000]);
  assert.equal(policy?.retryBackOff?.baseInterval?.nanos, 100_000_000);
  assert.equal(policy?.retryBackOff?.maxInterval?.seconds, 1n);
  assert.deepEqual(policy?.retryHostPredicate, []);
});

test("4.6 inbound: 2 retries of what never left the proxy", () => {
  const chain = new TestMesh("").inbound("reviews-v1-0").filterChains[0];
  assert.ok(chain);
  const { routeSpecifier } = connectionManagerOf(chain);
  assert.ok(routeSpecifier.case === "routeConfig");
  const action = actionOf(routeSpecifier.value.virtualHosts[0]?.routes[0]);
  assert.equal(action.retryPolicy?.retryOn, "reset-before-request");
  assert.equal(action.retryPolicy?.numRetries, 2);
  assert.deepEqual([action.timeout?.seconds, action.timeout?.nanos], [0n, 0]);
  assert.deepEqual([action.maxGrpcTimeout?.seconds, action.maxGrpcTimeout?.nanos], [0n, 0]);
});

test("4.6 balancing is LEAST_REQUEST of two", () => {
  const cluster = new TestMesh("").cluster("web-0", reviewsCluster);
  assert.equal(cluster.lbPolicy, Cluster_LbPolicy.LEAST_REQUEST);
  assert.ok(cluster.lbConfig.case === "leastRequestLbConfig");
  assert.equal(cluster.lbConfig.value.choiceCount, 2);
});

test("4.6 circuit limits are all 2^32-1, connections wait 10 s and idle for an hour", () => {
  const cluster = new TestMesh("").cluster("web-0", reviewsCluster);
  const [limits] = cluster.circuitBreakers?.thresholds ?? [];
  assert.deepEqual(
    [limits?.maxConnections, limits?.maxPendingRequests, limits?.maxRequests, limits?.maxRetries],
    [unlimited, unlimited, unlimited, unlimited],
  );
  assert.equal(cluster.connectTimeout?.seconds, 10n);
  assert.equal(httpOptionsOf(cluster)?.commonHttpProtocolOptions?.idleTimeout?.seconds, 3600n);
  assert.equal(httpOptionsOf(cluster)?.commonHttpProtocolOptions?.maxRequestsPerConnection, undefined);
  assert.equal(cluster.upstreamConnectionOptions, undefined);
});

function pool(connectionPool: string) {
  return new TestMesh(`
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: reviews }
spec: { host: reviews, trafficPolicy: { connectionPool: ${connectionPool} } }
`).cluster("web-0", reviewsCluster);
}

test("4.6 each setting of the connection pool replaces one default", () => {
  const cluster = pool(
    "{ tcp: { maxConnections: 1, connectTimeout: 2s, tcpKeepalive: { probes: 3, time: 4s, interval: 5s } }, http: { http1MaxPendingRequests: 6, http2MaxRequests: 7, maxRequestsPerConnection: 8, maxRetries: 9, idleTimeout: 10s } }",
  );
  const [limits] = cluster.circuitBreakers?.thresholds ?? [];
  assert.deepEqual(
    [limits?.maxConnections, limits?.maxPendingRequests, limits?.maxRequests, limits?.maxRetries],
    [1, 6, 7, 9],
  );
  assert.equal(cluster.connectTimeout?.seconds, 2n);
  const keepalive = cluster.upstreamConnectionOptions?.tcpKeepalive;
  assert.deepEqual([keepalive?.keepaliveProbes, keepalive?.keepaliveTime, keepalive?.keepaliveInterval], [3, 4, 5]);
  const http = httpOptionsOf(cluster)?.commonHttpProtocolOptions;
  assert.deepEqual([http?.maxRequestsPerConnection, http?.idleTimeout?.seconds], [8, 10n]);
});

test("4.6 a 0 in the connection pool is no limit of 0, but the default", () => {
  const cluster = pool(
    "{ tcp: { maxConnections: 0 }, http: { http1MaxPendingRequests: 0, http2MaxRequests: 0, maxRequestsPerConnection: 0, maxRetries: 0 } }",
  );
  const [limits] = cluster.circuitBreakers?.thresholds ?? [];
  assert.deepEqual(
    [limits?.maxConnections, limits?.maxPendingRequests, limits?.maxRequests, limits?.maxRetries],
    [unlimited, unlimited, unlimited, unlimited],
  );
  assert.equal(httpOptionsOf(cluster)?.commonHttpProtocolOptions?.maxRequestsPerConnection, undefined);
});

test("4.6 a keep-alive of less than a second is one second, and what it leaves out is the operating system's", () => {
  const keepalive = pool("{ tcp: { tcpKeepalive: { time: 100ms } } }").upstreamConnectionOptions?.tcpKeepalive;
  assert.deepEqual(
    [keepalive?.keepaliveTime, keepalive?.keepaliveInterval, keepalive?.keepaliveProbes],
    [1, undefined, undefined],
  );
});

test("4.6 an opaque port has no settings of HTTP", () => {
  for (const dialect of ["heddle", "envoy"] as const) {
    const mesh = new TestMesh("", { dialect, change: (instance) => ({ ...instance, protocol: "tcp" }) });
    assert.equal(httpOptionsOf(mesh.cluster("web-0", reviewsCluster)), undefined);
    assert.equal(httpOptionsOf(mesh.cluster("reviews-v1-0", "inbound|9080||")), undefined);
  }
});

test("4.6 towards the application beside the proxy the same limits hold", () => {
  const cluster = new TestMesh("").cluster("reviews-v1-0", "inbound|9080||");
  const [limits] = cluster.circuitBreakers?.thresholds ?? [];
  assert.deepEqual(
    [limits?.maxConnections, limits?.maxPendingRequests, limits?.maxRequests, limits?.maxRetries],
    [unlimited, unlimited, unlimited, unlimited],
  );
  assert.equal(cluster.connectTimeout?.seconds, 10n);
  assert.equal(httpOptionsOf(cluster)?.commonHttpProtocolOptions?.idleTimeout?.seconds, 3600n);
});

test("4.6 every endpoint that is announced is ready, and none is nobody: panic is switched off", () => {
  const mesh = new TestMesh("", { change: (instance) => ({ ...instance, ready: instance.id !== "reviews-v1-0" }) });
  assert.deepEqual(mesh.endpointPorts("web-0", reviewsCluster), [30_002]);
  assert.equal(mesh.cluster("web-0", reviewsCluster).commonLbConfig?.healthyPanicThreshold?.value, 0);
  const none = new TestMesh("", { change: (instance) => ({ ...instance, ready: false }) });
  assert.deepEqual(none.assignment("web-0", reviewsCluster).endpoints, []);
});
