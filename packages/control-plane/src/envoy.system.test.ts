// Two real Envoys as sidecars, driven by this control plane alone: one by delta ADS, one by the state of the world.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { WorkloadInstance } from "@heddle/compiler";
import { type EchoedRequest, freePort, startEchoServer } from "@heddle/testkit";
import type { ProxiesResponse } from "./admin-api/index.ts";
import { EnvoyProcess } from "./testing/envoy-process.ts";
import { instances } from "./testing/mesh-files.ts";
import { SecretServer } from "./testing/secret-server.ts";
import { TestControlPlane } from "./testing/test-control-plane.ts";

const routes = (version: string): string => `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: reviews }
spec:
  host: reviews
  subsets:
    - { name: v1, labels: { version: v1 } }
    - { name: v2, labels: { version: v2 } }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews }
spec:
  hosts: [reviews]
  http:
    - match: [{ headers: { x-version: { exact: v1 } } }]
      route: [{ destination: { host: reviews, subset: v1 } }]
    - match: [{ uri: { prefix: /old } }]
      rewrite: { uri: /new }
      route: [{ destination: { host: reviews, subset: ${version} } }]
    - route: [{ destination: { host: reviews, subset: ${version} } }]
`;

const policy = `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: reviews }
spec:
  selector: { matchLabels: { app: reviews } }
  action: DENY
  rules: [{ from: [{ source: { principals: [cluster.local/ns/default/sa/web] } }], to: [{ operation: { methods: [DELETE] } }] }]
`;

/** Asks until the answer fits; capped by the test's own time-out. */
async function until<T>(ask: () => Promise<T>, fits: (answer: T) => boolean): Promise<T> {
  for (;;) {
    const answer = await ask();
    if (fits(answer)) return answer;
    await delay(50);
  }
}

for (const [client, server] of [
  ["DELTA_GRPC", "GRPC"],
  ["GRPC", "DELTA_GRPC"],
] as const) {
  test(`two Envoys (${client} beside the client, ${server} beside the server) route, follow edits and deny over mutual TLS`, {
    timeout: 90_000,
  }, async (t) => {
    const open = new AsyncDisposableStack();
    t.after(() => open.disposeAsync());
    const [first, second] = [
      open.use(await startEchoServer({ name: "v1" })),
      open.use(await startEchoServer({ name: "v2" })),
    ];
    const plane = await TestControlPlane.create(t, { "routes.yaml": routes("v2") });
    const ports = new Map<string, WorkloadInstance>();
    for (const instance of instances) {
      const appPort = instance.id === "reviews-v1-0" ? first.port : instance.id === "reviews-v2-0" ? second.port : 1;
      const outboundPorts = { "reviews.default": await freePort() };
      ports.set(instance.id, { ...instance, inboundPort: await freePort(), appPort, outboundPorts });
    }
    await plane.register([...ports.values()]);
    await plane.start();
    const envoys = new Map<string, EnvoyProcess>();
    for (const [id, account, api] of [
      ["reviews-v1-0", "reviews", server],
      ["reviews-v2-0", "reviews", server],
      ["web-0", "web", client],
    ] as const) {
      const identity = await plane.join(account);
      const { rootPem, xdsAddress, folder } = plane;
      const secrets = open.use(await SecretServer.start(identity, rootPem));
      const own = { folder, instanceId: id, identity, rootPem, xdsAddress, api };
      const parts = { ...own, secretPort: secrets.port, adminPort: await freePort() };
      envoys.set(id, open.use(await EnvoyProcess.start(parts)));
    }
    const url = `http://127.0.0.1:${ports.get("web-0")?.outboundPorts["reviews.default"]}`;
    const ask = async (
      path: string,
      { method = "GET", headers = {} }: { method?: string; headers?: Readonly<Record<string, string>> } = {},
    ): Promise<{ status: number; echoed: EchoedRequest }> => {
      const response = await fetch(url + path, { method, headers });
      const text = await response.text();
      return { status: response.status, echoed: text.startsWith("{") ? JSON.parse(text) : { server: "", url: text } };
    };

    const { echoed } = await until(
      () => ask("/old"),
      ({ status }) => status === 200,
    );
    assert.deepEqual([echoed.server, echoed.url], ["v2", "/new"]);
    const xfcc = echoed.rawHeaders.find(([name]) => name.toLowerCase() === "x-forwarded-client-cert")?.[1] ?? "";
    assert.match(xfcc, /URI=spiffe:\/\/cluster\.local\/ns\/default\/sa\/web/, "mutual TLS between the two");
    assert.equal((await ask("/", { headers: { "x-version": "v1" } })).echoed.server, "v1");
    assert.equal((await ask("/", { method: "DELETE" })).status, 200);

    await plane.write("routes.yaml", routes("v1"));
    await until(
      () => ask("/"),
      (answer) => answer.echoed.server === "v1",
    );
    await plane.write("policy.yaml", policy);
    await until(
      () => ask("/", { method: "DELETE" }),
      ({ status }) => status === 403,
    );
    assert.equal((await ask("/")).status, 200);

    for (const [id, envoy] of envoys) {
      assert.doesNotMatch(await envoy.admin("/config_dump"), /"error_state"/, id);
      assert.doesNotMatch(await envoy.admin("/stats?filter=update_rejected"), /update_rejected: [1-9]/, id);
    }
    const { proxies } = (await plane.admin<ProxiesResponse>("GET", "/api/v1/proxies")).json;
    const connected = proxies.filter(({ id }) => envoys.has(id));
    assert.deepEqual(
      connected.map(({ isSynced, types }) => [isSynced, types.map(({ lastError }) => lastError).join("")]),
      connected.map(() => [true, ""]),
    );
    assert.equal(connected.length, 3);
  });
}
