import assert from "node:assert/strict";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parseBootstrap } from "@heddle/proxy";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { namespaceBootstrap } from "./namespaces/static-listeners.ts";
import type { ControlPlaneDoor, ProxyFilesPlace, ProxyIdentity } from "./proxy-files.ts";
import { proxyFiles, spiffeId, writeProxyFiles } from "./proxy-files.ts";
import { sharedBootstrap } from "./replica-place.ts";

const proxy: ProxyIdentity = {
  instanceId: "reviews-v1-0",
  workload: "reviews-v1",
  service: "reviews",
  namespace: "shop",
  serviceAccount: "bookinfo",
  version: "v1",
  labels: { app: "reviews", version: "v1" },
  trustDomain: "example.org",
  kind: "sidecar",
};

const control: ControlPlaneDoor = {
  xdsAddress: "127.0.0.1:15012",
  controlPlaneId: "spiffe://example.org/ns/root/sa/heddle-control-plane",
  token: "secret",
  trustBundlePem: "PEM\n",
};
const place: ProxyFilesPlace = { bootstrap: sharedBootstrap, proxyOwner: undefined };

test("the bootstrap is one that the proxy accepts, with Istio's node id and the control plane's identity pinned", async (context) => {
  const files = proxyFiles(temporaryFolder(context), proxy.instanceId);
  await writeProxyFiles(files, proxy, control, place);
  const { config, problems } = parseBootstrap(readFileSync(files.bootstrap, "utf8"));
  assert.deepEqual(problems, []);
  assert.equal(config?.node.id, "sidecar~127.0.0.1~reviews-v1-0.shop~shop.svc.cluster.local");
  assert.equal(config?.ads?.delta, true);
  assert.deepEqual(config?.ads?.cluster.inlineEndpoints?.localities[0]?.endpoints[0]?.address, {
    host: "127.0.0.1",
    port: 15_012,
  });
  assert.match(JSON.stringify(config?.ads?.cluster.transport.default), /heddle-control-plane/);
  assert.equal(spiffeId(proxy), "spiffe://example.org/ns/shop/sa/bookinfo");
});

test("token and bootstrap are for nobody else to read", async (context) => {
  const stateDir = temporaryFolder(context);
  const files = proxyFiles(stateDir, proxy.instanceId);
  await writeProxyFiles(files, proxy, control, place);
  assert.equal(files.folder, join(stateDir, "proxies", "reviews-v1-0"));
  assert.equal(statSync(files.folder).mode & 0o777, 0o700);
  for (const file of [files.bootstrap, files.token, files.trustBundle])
    assert.equal(statSync(file).mode & 0o777, 0o600, file);
});

test("the edge is a router", async (context) => {
  const files = proxyFiles(temporaryFolder(context), "edge");
  await writeProxyFiles(files, { ...proxy, instanceId: "edge", kind: "edge" }, control, place);
  assert.match(readFileSync(files.bootstrap, "utf8"), /"id": "router~127\.0\.0\.1~edge\.shop~/);
});

test("a proxy in a namespace has Istio's ports for readiness and metrics, and a door through which only one path of the application is seen", async (context) => {
  const files = proxyFiles(temporaryFolder(context), proxy.instanceId);
  const bootstrap = namespaceBootstrap({
    address: "198.18.0.2",
    hasIpv6: true,
    door: { host: "127.0.0.1", port: 41_000 },
    application: 9080,
    readinessPath: "/healthz?full=1",
  });
  await writeProxyFiles(files, proxy, control, { bootstrap, proxyOwner: undefined });
  const { config, problems } = parseBootstrap(readFileSync(files.bootstrap, "utf8"));
  assert.deepEqual(problems, []);
  assert.equal(config?.node.id, "sidecar~198.18.0.2~reviews-v1-0.shop~shop.svc.cluster.local");
  assert.deepEqual(config?.admin, { host: "127.0.0.1", port: 15_000 });
  assert.deepEqual(config?.resources.map(({ name }) => name).sort(), [
    "agent",
    "application",
    "door",
    "prometheus",
    "readiness",
  ]);
});
