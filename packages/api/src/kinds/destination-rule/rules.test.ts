import assert from "node:assert/strict";
import { test } from "node:test";
import { specFindings } from "../../testing/resources.ts";

const cases: readonly [string, string, readonly string[]][] = [
  [
    "any one block is enough for a port",
    "host: a\ntrafficPolicy:\n  portLevelSettings:\n  - { port: { number: 80 }, tls: { mode: DISABLE } }\n  - { port: { number: 81 }, connectionPool: { http: { maxRetries: 1 } } }\n  - { port: { number: 82 }, loadBalancer: { simple: RANDOM } }",
    [],
  ],
  ["a host alone is fine", "host: a", []],
  ["the host is required", "subsets: []", ["HDL0013:0"]],
  ["a wildcard host is fine", 'host: "*.default.svc.cluster.local"', []],
  ["a subset needs a name", "host: a\nsubsets: [{ labels: { version: v1 } }]", ["HDL0013:2"]],
  ["two subsets of one name are refused", "host: a\nsubsets:\n- name: v1\n- name: v1", ["HDL0023:4"]],
  ["an empty traffic policy is refused", "host: a\ntrafficPolicy: {}", ["HDL0020:2"]],
  ["an empty load balancer is refused", "host: a\ntrafficPolicy: { loadBalancer: {} }", ["HDL0020:2"]],
  [
    "PASSTHROUGH is not supported yet",
    "host: a\ntrafficPolicy: { loadBalancer: { simple: PASSTHROUGH } }",
    ["HDL0016:2"],
  ],
  ["an unknown balancer is refused", "host: a\ntrafficPolicy: { loadBalancer: { simple: FASTEST } }", ["HDL0015:2"]],
  [
    "consistent hashing is not supported yet",
    "host: a\ntrafficPolicy: { loadBalancer: { consistentHash: {} } }",
    ["HDL0012:2"],
  ],
  [
    "negative limits are refused",
    "host: a\ntrafficPolicy: { connectionPool: { tcp: { maxConnections: -1 } } }",
    ["HDL0014:2"],
  ],
  [
    "every limit of the pool passes",
    "host: a\ntrafficPolicy:\n  connectionPool:\n    tcp: { maxConnections: 1, connectTimeout: 1s, tcpKeepalive: { probes: 3, time: 1m, interval: 5s } }\n    http: { http1MaxPendingRequests: 1, http2MaxRequests: 2, maxRequestsPerConnection: 1, maxRetries: 0, idleTimeout: 5s, h2UpgradePolicy: DEFAULT }",
    [],
  ],
  ["tls without a mode is said to mean plaintext", "host: a\ntrafficPolicy:\n  tls: {}", ["HDL0033:3"]],
  [
    "DISABLE has no details",
    "host: a\ntrafficPolicy:\n  tls:\n    mode: DISABLE\n    sni: x\n    subjectAltNames: [y]\n    caCertificates: /ca\n    caCrl: /crl\n    clientCertificate: /c\n    privateKey: /k\n    insecureSkipVerify: true",
    [5, 6, 7, 8, 9, 10, 11].map((line) => `HDL0022:${line}`),
  ],
  [
    "a tls block without a mode has no details",
    "host: a\ntrafficPolicy:\n  tls: { caCrl: /a }",
    ["HDL0033:3", "HDL0022:3"],
  ],
  [
    "ISTIO_MUTUAL has no files, and always verifies",
    "host: a\ntrafficPolicy:\n  tls:\n    mode: ISTIO_MUTUAL\n    caCertificates: /ca\n    caCrl: /crl\n    clientCertificate: /c\n    privateKey: /k\n    insecureSkipVerify: false",
    [5, 6, 7, 8, 9].map((line) => `HDL0022:${line}`),
  ],
  [
    "ISTIO_MUTUAL takes a server name and identities",
    "host: a\ntrafficPolicy: { tls: { mode: ISTIO_MUTUAL, sni: x, subjectAltNames: [y] } }",
    [],
  ],
  ["SIMPLE needs nothing more", "host: a\ntrafficPolicy: { tls: { mode: SIMPLE } }", []],
  [
    "SIMPLE takes authorities, a revocation list, names and a server name",
    "host: a\ntrafficPolicy: { tls: { mode: SIMPLE, caCertificates: /ca, caCrl: /crl, sni: x, subjectAltNames: [x] } }",
    [],
  ],
  [
    "SIMPLE shows no certificate",
    "host: a\ntrafficPolicy:\n  tls:\n    mode: SIMPLE\n    clientCertificate: /c\n    privateKey: /k",
    ["HDL0022:5", "HDL0022:6"],
  ],
  [
    "MUTUAL takes a certificate, its key and all that SIMPLE takes",
    "host: a\ntrafficPolicy: { tls: { mode: MUTUAL, clientCertificate: /c, privateKey: /k, caCertificates: /ca, caCrl: /crl, sni: x, subjectAltNames: [x] } }",
    [],
  ],
  [
    "MUTUAL needs a certificate and its key",
    "host: a\ntrafficPolicy:\n  tls:\n    mode: MUTUAL",
    ["HDL0022:4", "HDL0022:4"],
  ],
  [
    "MUTUAL needs the key, too",
    "host: a\ntrafficPolicy:\n  tls: { clientCertificate: /c,\n    mode: MUTUAL }",
    ["HDL0022:4"],
  ],
  [
    "where nobody verifies, what would be verified has no effect",
    "host: a\ntrafficPolicy:\n  tls:\n    mode: SIMPLE\n    insecureSkipVerify: true\n    caCertificates: /ca\n    caCrl: /crl\n    subjectAltNames: [x]",
    ["HDL0032:6", "HDL0032:7", "HDL0032:8"],
  ],
  [
    "a relative path is refused",
    "host: a\ntrafficPolicy:\n  tls:\n    mode: SIMPLE\n    caCertificates: certs/ca.pem",
    ["HDL0017:5"],
  ],
  [
    "credentialName is not supported yet",
    "host: a\ntrafficPolicy:\n  tls: { mode: SIMPLE, credentialName: x }",
    ["HDL0012:3"],
  ],
  [
    "4.5: a port's policy must set something, since what it omits is reset",
    "host: a\ntrafficPolicy:\n  portLevelSettings:\n  - port: { number: 80 }",
    ["HDL0020:4"],
  ],
  [
    "a port's policy needs its port",
    "host: a\ntrafficPolicy:\n  portLevelSettings:\n  - loadBalancer: { simple: RANDOM }",
    ["HDL0013:4"],
  ],
  [
    "a port may be set once",
    "host: a\ntrafficPolicy:\n  portLevelSettings:\n  - { port: { number: 80 }, loadBalancer: { simple: RANDOM } }\n  - { port: { number: 80 }, loadBalancer: { simple: RANDOM } }",
    ["HDL0023:5"],
  ],
  [
    "a policy of a port has no ports of its own",
    "host: a\ntrafficPolicy:\n  portLevelSettings:\n  - { port: { number: 80 }, loadBalancer: { simple: RANDOM }, portLevelSettings: [] }",
    ["HDL0010:4"],
  ],
  [
    "outlier detection is not supported yet",
    "host: a\nsubsets: [{ name: v1, trafficPolicy: { outlierDetection: {} } }]",
    ["HDL0012:2"],
  ],
  ["workloadSelector is not supported yet", "host: a\nworkloadSelector: {}", ["HDL0012:2"]],
];

for (const [title, spec, expected] of cases) {
  test(title, () => {
    assert.deepEqual(specFindings("DestinationRule", spec), expected);
  });
}
