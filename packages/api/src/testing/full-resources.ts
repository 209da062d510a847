import { documentOf } from "./resources.ts";

/** One resource of every kind that uses most of what the kind has; the start of random edits. */
export const fullResources: readonly string[] = [
  documentOf(
    "LocalMesh",
    `trustDomain: cluster.local
edge: { service: web }
workloads:
  - { name: web, service: web, command: [node, web.js], port: 8080, calls: [reviews] }
  - name: reviews-v1
    service: reviews
    version: v1
    command: [node, reviews.js]
    port: 9080
    env: { DEBUG: "1" }
    readiness: { httpGet: { path: /ready }, timeout: 5s }`,
    "{ name: mesh }",
  ),
  documentOf(
    "VirtualService",
    `hosts: [reviews]
http:
  - name: test
    match:
      - uri: { prefix: /reviews }
        headers: { x-user: { exact: alice }, x-any: {} }
        queryParams: { page: { regex: "[0-9]+" } }
        sourceLabels: { app: web }
        port: 9080
    rewrite: { uriRegexRewrite: { match: "^/a/(.*)", rewrite: '/b/\\1' } }
    route:
      - destination: { host: reviews, subset: v1, port: { number: 9080 } }
        weight: 90
        headers: { request: { set: { x-version: v1 }, remove: [x-secret] } }
      - destination: { host: reviews }
        weight: 10
    timeout: 2s
    retries: { attempts: 2, perTryTimeout: 500ms, retryOn: "connect-failure,503" }
    mirror: { host: web }
    mirrorPercentage: { value: 12.5 }
  - match: [{ uri: { exact: /old } }]
    redirect: { uri: /new, redirectCode: 308 }
  - match: [{ method: { exact: DELETE } }]
    directResponse: { status: 405, body: { string: gone } }
  - fault: { delay: { fixedDelay: 1s, percentage: { value: 5 } }, abort: { httpStatus: 503 } }
    route: [{ destination: { host: reviews } }]`,
    "{ name: reviews, labels: { team: a } }",
  ),
  documentOf(
    "DestinationRule",
    `host: reviews
trafficPolicy:
  loadBalancer: { simple: ROUND_ROBIN }
  tls: { mode: ISTIO_MUTUAL }
  portLevelSettings:
    - port: { number: 9080 }
      connectionPool: { tcp: { maxConnections: 5 } }
subsets:
  - name: v1
    labels: { version: v1 }
    trafficPolicy:
      connectionPool: { http: { http1MaxPendingRequests: 1, idleTimeout: 5s } }
      tls: { mode: MUTUAL, sni: a.example, caCertificates: /certs/ca.pem, clientCertificate: /certs/a.pem, privateKey: /certs/a.key }`,
    "{ name: reviews }",
  ),
  documentOf(
    "PeerAuthentication",
    "selector: { matchLabels: { app: reviews } }\nmtls: { mode: STRICT }\nportLevelMtls: { 9080: { mode: PERMISSIVE } }",
    "{ name: reviews }",
  ),
  documentOf(
    "AuthorizationPolicy",
    `selector:
  matchLabels: { app: reviews }
action: ALLOW
rules:
  - from:
      - source: { principals: [cluster.local/ns/default/sa/web], notIpBlocks: [10.0.0.0/8] }
    to:
      - operation: { methods: [GET], paths: ["/reviews/{*}"], ports: ["9080"] }
    when:
      - { key: "request.headers[x-user]", values: [alice] }`,
    "{ name: readers, annotations: { note: a } }",
  ),
];
