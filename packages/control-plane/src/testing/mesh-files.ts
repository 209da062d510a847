import type { WorkloadInstance } from "@heddle/compiler";

export const trustDomain = "cluster.local";

/** What `heddle up` would be given: a caller, a service with two versions, another service, and an edge. */
export const meshFile = `apiVersion: heddle.dev/v1alpha1
kind: LocalMesh
metadata: { name: test }
spec:
  edge: { service: web }
  workloads:
    - { name: web, service: web, version: v1, command: [web], port: 8080 }
    - { name: reviews-v1, service: reviews, version: v1, command: [reviews], port: 9080 }
    - { name: reviews-v2, service: reviews, version: v2, command: [reviews], port: 9080 }
    - { name: ratings, service: ratings, version: v1, command: [ratings], port: 7070 }
`;

function sidecar(number: number, service: string, version: string, servicePort: number): WorkloadInstance {
  const workload = service === "reviews" ? `reviews-${version}` : service;
  return {
    id: `${workload}-0`,
    workload,
    service,
    namespace: "default",
    serviceAccount: service,
    labels: { app: service, version },
    version,
    protocol: "http",
    servicePort,
    address: "127.0.0.1",
    inboundPort: 30_000 + number,
    appPort: 40_000 + number,
    outboundPorts: { "web.default": 20_000, "reviews.default": 20_001, "ratings.default": 20_002 },
    ready: true,
    kind: "sidecar",
  };
}

/** The replicas of `meshFile`, all ready. */
export const instances: readonly WorkloadInstance[] = [
  sidecar(0, "web", "v1", 8080),
  sidecar(1, "reviews", "v1", 9080),
  sidecar(2, "reviews", "v2", 9080),
  sidecar(3, "ratings", "v1", 7070),
];

/**
 * `instances` as only a registry that somebody has tampered with holds them: one that follows another can only be told apart deep
 * within, and comparing 10,000 with 10,001 is more than a stack holds, so that it does not compile.
 */
export function nested(depth: number): readonly WorkloadInstance[] {
  const outboundPorts = JSON.parse(`{"nobody.default":${"[".repeat(depth)}${"]".repeat(depth)}}`);
  return instances.map((each) => (each.id === "reviews-v1-0" ? { ...each, outboundPorts } : each));
}

export function identityOf(serviceAccount: string): string {
  return `spiffe://${trustDomain}/ns/default/sa/${serviceAccount}`;
}

export function nodeIdOf(instanceId: string): string {
  return `sidecar~127.0.0.1~${instanceId}.default~default.svc.cluster.local`;
}

/** Requests to reviews time out after so long: a change that every caller's routes show. */
export function timeoutFile(timeout: string): string {
  return `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews }
spec:
  hosts: [reviews]
  http:
    - timeout: ${timeout}
      route: [{ destination: { host: reviews } }]
`;
}

/** Lets only web reach ratings. `action` is where a test makes the mistake. */
export function policyFile(action = "ALLOW"): string {
  return `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: ratings-callers }
spec:
  selector: { matchLabels: { app: ratings } }
  action: ${action}
  rules:
    - from: [{ source: { principals: ["${trustDomain}/ns/default/sa/web"] } }]
`;
}

/** Connections to a service must stand after so long: a change of its clusters alone. */
export function connectTimeoutFile(service: string, timeout: string): string {
  return `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: ${service} }
spec:
  host: ${service}
  trafficPolicy: { connectionPool: { tcp: { connectTimeout: ${timeout} } } }
`;
}
