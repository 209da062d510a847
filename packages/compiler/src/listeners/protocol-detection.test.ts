// Ports of which nobody says what they carry: which chain takes a connection, and what holds there.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { CarriedProtocol } from "@heddle/api";
import { authorizeConnection, type BoundFilterChain, type ConnectionView, matchFilterChain } from "@heddle/engine";
import { clientTlsOf, reviewsHost, TestMesh } from "../testing/test-mesh.ts";
import { connectionOf, peerOf, Traffic } from "../testing/traffic.ts";

const undeclared = {
  change: (instance: TestMesh["instances"][number]) => ({ ...instance, protocol: "auto" as const }),
};
const mode = (name: string): string => `
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default, namespace: istio-system }
spec: { mtls: { mode: ${name} } }
---
`;
const policy = (action: string, operation: string): string => `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: p, namespace: default }
spec: { action: ${action}, rules: [{ to: [{ operation: ${operation} }] }] }
---
`;

const http: Partial<ConnectionView> = { applicationProtocols: ["http/1.1"] };
const silent: Partial<ConnectionView> = {};
const tls = (...applicationProtocols: string[]): Partial<ConnectionView> => ({
  isTls: true,
  peer: peerOf({ namespace: "default", serviceAccount: "web" }),
  applicationProtocols,
});

function chainFor(resources: string, seen: Partial<ConnectionView>): BoundFilterChain | undefined {
  const listener = new Traffic(new TestMesh(resources, undeclared))
    .snapshot("reviews-v1-0")
    .listeners.get("virtualInbound");
  assert.ok(listener);
  return matchFilterChain(listener, connectionOf(seen));
}

for (const [name, what, seen, expected, terminal] of [
  ["PERMISSIVE", "plaintext HTTP", http, "plaintext-http", "http"],
  ["PERMISSIVE", "HTTP/2 in plaintext", { applicationProtocols: ["h2c"] }, "plaintext", "tcp"],
  ["PERMISSIVE", "silence", silent, "plaintext", "tcp"],
  ["PERMISSIVE", "what a proxy of the mesh found to be HTTP", tls("istio-http/1.1"), "mutual-tls-http", "http"],
  [
    "PERMISSIVE",
    "what a proxy of the mesh found to be opaque",
    tls("istio-peer-exchange", "istio"),
    "mutual-tls",
    "tcp",
  ],
  ["PERMISSIVE", "the application's own TLS", tls("h2", "http/1.1"), "opaque-tls", "tcp"],
  ["STRICT", "what a proxy of the mesh found to be HTTP", tls("istio-http/1.1"), "mutual-tls-http", "http"],
  ["STRICT", "mutual TLS that says nothing of what it carries", tls(), "mutual-tls", "tcp"],
  ["STRICT", "plaintext HTTP", http, undefined, undefined],
  ["DISABLE", "plaintext HTTP", http, "plaintext-http", "http"],
  ["DISABLE", "silence", silent, "plaintext", "tcp"],
] as const) {
  const outcome = expected === undefined ? "is closed" : `is served by ${expected}`;
  test(`4.3 under ${name} ${what} on an undeclared port ${outcome}`, () => {
    const chain = chainFor(mode(name), seen);
    assert.equal(chain?.name, expected);
    assert.equal(chain?.config.terminal.kind, terminal);
  });
}

for (const [action, operation] of [
  ["DENY", "{ paths: [/admin] }"],
  ["ALLOW", "{ methods: [GET] }"],
] as const) {
  test(`who waits until it is taken for opaque does not get by a rule that will ${action} HTTP`, () => {
    for (const [name, seen] of [
      ["PERMISSIVE", silent],
      ["DISABLE", silent],
      ["STRICT", tls("istio")],
      ["STRICT", tls()],
      ["PERMISSIVE", tls("h2")],
    ] as const) {
      const chain = chainFor(mode(name) + policy(action, operation), seen);
      assert.ok(chain);
      assert.equal(authorizeConnection(chain, connectionOf(seen)).allowed, false, name);
    }
  });
}

test("4.7 an undeclared port waits a tenth of a second for the first bytes, a declared one does not look", () => {
  for (const name of ["PERMISSIVE", "DISABLE"]) {
    const { listenerFilters, listenerFiltersTimeout, continueOnListenerFiltersTimeout } = new TestMesh(
      mode(name),
      undeclared,
    ).inbound("reviews-v1-0");
    assert.equal(listenerFilters.at(-1)?.name, "envoy.filters.listener.http_inspector");
    assert.deepEqual([listenerFiltersTimeout?.seconds, listenerFiltersTimeout?.nanos], [0n, 100_000_000]);
    assert.equal(continueOnListenerFiltersTimeout, true);
  }
  for (const protocol of ["http", "tcp"] as const) {
    const declared = { change: (instance: TestMesh["instances"][number]) => ({ ...instance, protocol }) };
    const { listenerFilters } = new TestMesh(mode("PERMISSIVE"), declared).inbound("reviews-v1-0");
    // TLS inspection always runs under PERMISSIVE (design §5).
    assert.deepEqual(
      listenerFilters.map(({ name }) => name),
      ["envoy.filters.listener.tls_inspector"],
    );
  }
});

/** Which ports of an intercepted workload each inspector looks at: its service's, one that `portLevelMtls` names, another, the proxy's own. */
function inspected(
  protocol: CarriedProtocol,
  service: string,
  single: string,
  others: string,
): Record<string, boolean[]> {
  const resources = `
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: own, namespace: default }
spec:
  selector: { matchLabels: { app: reviews } }
  mtls: { mode: ${others} }
  portLevelMtls: { "9080": { mode: ${service} }, "9999": { mode: ${single} } }
`;
  const mesh = new TestMesh(resources, {
    mode: "namespaces",
    change: (instance) => ({ ...instance, protocol }),
  });
  const listener = new Traffic(mesh).snapshot("reviews-v1-0").listeners.get("virtualInbound");
  assert.ok(listener);
  return Object.fromEntries(
    listener.filters
      .filter(({ kind }) => kind !== "original_dst")
      .map(({ kind, isDisabledOn }) => [kind, [9080, 9999, 1234, 15_006].map((port) => isDisabledOn?.(port) !== true)]),
  );
}

test("each inspector looks only where chains ask for what it finds, so that a server may speak first on the other ports", () => {
  assert.deepEqual(inspected("tcp", "DISABLE", "DISABLE", "DISABLE"), {});
  assert.deepEqual(inspected("tcp", "DISABLE", "STRICT", "STRICT"), { tls_inspector: [false, true, true, false] });
  assert.deepEqual(inspected("tcp", "PERMISSIVE", "DISABLE", "STRICT"), { tls_inspector: [true, false, true, false] });
  assert.deepEqual(inspected("tcp", "STRICT", "DISABLE", "DISABLE"), { tls_inspector: [true, false, false, false] });
  assert.deepEqual(inspected("tcp", "STRICT", "PERMISSIVE", "DISABLE"), { tls_inspector: [true, true, false, false] });
  assert.deepEqual(inspected("auto", "DISABLE", "STRICT", "PERMISSIVE"), {
    tls_inspector: [false, true, true, false],
    http_inspector: [true, false, false, false],
  });
  assert.deepEqual(inspected("auto", "STRICT", "STRICT", "STRICT"), { tls_inspector: [true, true, true, false] });
});

test("4.7 a caller's proxy looks, too, and its handshake says what it found", () => {
  const mesh = new TestMesh("", undeclared);
  const port = mesh.instance("web-0").outboundPorts["reviews.default"];
  const [listener] = new Traffic(mesh)
    .snapshot("web-0")
    .listeners.values()
    .filter(({ config }) => config.addresses[0]?.port === port);
  assert.ok(listener);
  const chosen = (seen: Partial<ConnectionView>) => matchFilterChain(listener, connectionOf(seen))?.config.terminal;
  assert.equal(chosen(http)?.kind, "http");
  const opaque = chosen(silent);
  assert.ok(opaque?.kind === "tcp");
  assert.deepEqual(opaque.tcp.clusters, [{ name: `outbound-tcp|9080||${reviewsHost}`, weight: 1 }]);
  const offered = (cluster: string) =>
    clientTlsOf(
      mesh.cluster("web-0", cluster).transportSocketMatches.find(({ name }) => name === "tlsMode-istio")
        ?.transportSocket,
    )?.commonTlsContext?.alpnProtocols;
  assert.deepEqual(offered(`outbound|9080||${reviewsHost}`), ["istio-http/1.1"]);
  assert.deepEqual(offered(`outbound-tcp|9080||${reviewsHost}`), ["istio-peer-exchange", "istio"]);
});
