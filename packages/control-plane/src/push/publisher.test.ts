import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { test } from "node:test";
import type { Listener } from "@heddle/xds/api";
import {
  CLUSTER_TYPE,
  create,
  DeltaDiscoveryRequestSchema,
  ENDPOINT_TYPE,
  HttpConnectionManagerSchema,
  HttpRbacSchema,
  LISTENER_TYPE,
  RBAC_Action,
  ROUTE_TYPE,
  SECRET_TYPE,
  toBinary,
  unpackAny,
} from "@heddle/xds/api";
import type { ProxiesResponse } from "../admin-api/index.ts";
import { instances, meshFile, nested, nodeIdOf, policyFile, timeoutFile } from "../testing/mesh-files.ts";
import { TestControlPlane } from "../testing/test-control-plane.ts";
import type { TestProxy } from "../testing/test-proxy.ts";
import { tlsOptions } from "../testing/test-workload.ts";

const reviews = "outbound|9080||reviews.default.svc.cluster.local";
const ratings = "outbound|7070||ratings.default.svc.cluster.local";

function hasAll(proxy: TestProxy): boolean {
  return [CLUSTER_TYPE, ENDPOINT_TYPE, LISTENER_TYPE, ROUTE_TYPE, SECRET_TYPE].every(
    (type) => proxy.names(type).length > 0,
  );
}

function hasTimeout(seconds: number): (proxy: TestProxy) => boolean {
  return (proxy) => proxy.text(ROUTE_TYPE).includes(`"seconds":"${seconds}"`);
}

/** Ports of the endpoints that a proxy has for a cluster. */
function ports(proxy: TestProxy, cluster: string): string[] {
  const assignment = proxy.resources.get(ENDPOINT_TYPE)?.get(cluster);
  return [...JSON.stringify(assignment ?? {}, plain).matchAll(/"portValue","value":(\d+)/g)].map(
    ([, port]) => port ?? "",
  );
}

function plain(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? value.toString() : value;
}

for (const delta of [true, false]) {
  test(`a proxy gets its own configuration and the trust anchors, ${delta ? "delta" : "state of the world"}`, async (t) => {
    const plane = await TestControlPlane.start(t);
    const proxy = await plane.proxy("web-0", { delta });
    await proxy.until("everything", hasAll);
    const own = proxy.text(LISTENER_TYPE);
    assert.match(own, /"virtualInbound"/);
    assert.match(own, /"value":30000/, "its own inbound port");
    assert.doesNotMatch(own, /"value":3000[123]/, "nobody else's");
    assert.deepEqual(ports(proxy, reviews), ["30001", "30002"]);
    assert.deepEqual(proxy.names(SECRET_TYPE), ["ROOTCA"]);
    assert.ok(proxy.text(SECRET_TYPE).includes(plane.rootPem.split("\n")[1] ?? ""));
    assert.equal(proxy.state.identifier, "heddle-control-plane cluster.local");
  });
}

test("Heddle's proxy and Envoy are each spoken to in their own dialect", async (t) => {
  const plane = await TestControlPlane.start(t);
  const heddle = await plane.proxy("web-0", { userAgent: "heddle" });
  const envoy = await plane.proxy("ratings-0", { userAgent: "envoy" });
  await heddle.until("listeners", (proxy) => proxy.names(LISTENER_TYPE).length > 0);
  await envoy.until("listeners", (proxy) => proxy.names(LISTENER_TYPE).length > 0);
  assert.match(heddle.text(LISTENER_TYPE), /heddle\.v1\./);
  assert.doesNotMatch(envoy.text(LISTENER_TYPE), /heddle\.v1\./);
});

test("a proxy that does not name min_concurrent_requests is not told to have HTTP ride in carriers", async (t) => {
  const plane = await TestControlPlane.start(t);
  const named = ["heddle.v1.TunnelOptions", "heddle.v1.TunnelOptions.min_concurrent_requests"];
  for (const [capabilities, isTold] of [
    [named, true],
    [named.slice(0, 1), false],
    [undefined, false],
  ] as const) {
    const proxy = await plane.proxy("web-0", capabilities === undefined ? {} : { capabilities });
    await proxy.until("clusters", ({ resources }) => (resources.get(CLUSTER_TYPE)?.size ?? 0) > 0);
    assert.equal(proxy.text(CLUSTER_TYPE).includes("heddle.v1.TunnelOptions"), isTold, String(capabilities));
    await proxy.stop();
  }
});

test("a certificate opens no other workload's configuration", async (t) => {
  const plane = await TestControlPlane.start(t);
  const proxy = await plane.proxy("ratings-0", { identity: await plane.join("web") });
  await proxy.until("the refusal", ({ state }) => state.lastError !== undefined);
  assert.match(
    proxy.state.lastError ?? "",
    /PermissionDenied: .*it is the configuration of spiffe:.*sa\/ratings, and the certificate says spiffe:.*sa\/web/,
  );
  assert.equal(proxy.resources.size, 0);
});

test("without a certificate there is no configuration", async (t) => {
  const plane = await TestControlPlane.start(t);
  const proxy = await plane.proxy("web-0", { identity: undefined });
  await proxy.until("the refusal", ({ state }) => state.lastError !== undefined);
  assert.match(proxy.state.lastError ?? "", /PermissionDenied: .*it brought no certificate; get one with a join token/);
  assert.equal(proxy.resources.size, 0);
});

test("an expired certificate opens nothing, and the proxy is told that it has expired", async (t) => {
  const plane = await TestControlPlane.start(t);
  const identity = await plane.join("web");
  plane.clock.shiftMs = 86_401_000;
  const proxy = await plane.proxy("web-0", { identity });
  await proxy.until("the refusal", ({ state }) => state.lastError !== undefined);
  assert.match(proxy.state.lastError ?? "", /PermissionDenied: .*its certificate is refused: .* expired at/);
});

test("a stream ends with the certificate that opened it", async (t) => {
  const plane = await TestControlPlane.start(t);
  // Certificates count in whole seconds: this one ends between one and two seconds from now.
  const proxy = await plane.proxy("web-0", { identity: await plane.join("web", 2) });
  await proxy.until("its configuration", hasAll);
  await proxy.until("the end of the stream", ({ state }) => state.lastError !== undefined);
  assert.match(
    proxy.state.lastError ?? "",
    /the certificate with which the stream was opened expired at .*: connect again/,
  );
  assert.ok(hasAll(proxy), "what it has stays");
});

test("a changed file reaches every proxy that it concerns", async (t) => {
  const plane = await TestControlPlane.start(t, { "reviews.yaml": timeoutFile("3s") });
  const [web, caller] = [await plane.proxy("web-0"), await plane.proxy("ratings-0", { userAgent: "envoy" })];
  await web.until("3 s", hasTimeout(3));
  await caller.until("3 s", hasTimeout(3));
  await plane.overwrite("reviews.yaml", timeoutFile("4s"));
  await web.until("4 s", hasTimeout(4));
  await caller.until("4 s", hasTimeout(4));
});

test("endpoints follow readiness and the coming and going of replicas", async (t) => {
  const plane = await TestControlPlane.start(t);
  await plane.register(instances.map((instance) => ({ ...instance, ready: instance.id !== "reviews-v2-0" })));
  const web = await plane.proxy("web-0");
  await web.until("one endpoint", (proxy) => ports(proxy, reviews).join() === "30001");
  await plane.register(instances);
  await web.until("two endpoints", (proxy) => ports(proxy, reviews).join() === "30001,30002");
  await plane.register(instances.filter(({ id }) => id !== "reviews-v1-0"));
  await web.until("the other endpoint", (proxy) => ports(proxy, reviews).join() === "30002");
});

test("a replica that has left the registry keeps what it has, and may not come back", async (t) => {
  const plane = await TestControlPlane.start(t, { "reviews.yaml": timeoutFile("3s") });
  const identity = await plane.join("reviews");
  const [web, leaving] = [await plane.proxy("web-0"), await plane.proxy("reviews-v1-0", { identity })];
  await leaving.until("3 s", hasTimeout(3));
  await web.until("both endpoints", (proxy) => ports(proxy, reviews).join() === "30001,30002");
  await plane.register(instances.filter(({ id }) => id !== "reviews-v1-0"));
  await web.until("one endpoint", (proxy) => ports(proxy, reviews).join() === "30002");
  const newcomer = await plane.proxy("reviews-v1-0", { identity });
  await newcomer.until("the refusal", ({ state }) => state.lastError !== undefined);
  assert.match(newcomer.state.lastError ?? "", /no instance reviews-v1-0 is registered in this mesh/);
  // Were it sent anything while it was away, it would have had to take it before what comes now.
  await plane.register(instances);
  await plane.write("reviews.yaml", timeoutFile("4s"));
  await leaving.until("4 s", hasTimeout(4));
  assert.deepEqual(leaving.removed, []);
});

test("a proxy whose instance belongs to another service account now is cut off", async (t) => {
  const plane = await TestControlPlane.start(t);
  const proxy = await plane.proxy("ratings-0");
  await proxy.until("its configuration", hasAll);
  await plane.register(
    instances.map((instance) => (instance.id === "ratings-0" ? { ...instance, serviceAccount: "other" } : instance)),
  );
  await proxy.until("the refusal", ({ state }) => state.lastError !== undefined);
  assert.match(proxy.state.lastError ?? "", /ratings-0 is spiffe:.*sa\/other now|configuration of spiffe:.*sa\/other/);
});

test("an instance that changes hands in a version that does not compile is told nothing of its former owner's", async (t) => {
  const plane = await TestControlPlane.start(t);
  const handedOver = (list: typeof instances): typeof instances =>
    list.map((each) => (each.id === "web-0" ? { ...each, serviceAccount: "other", outboundPorts: {} } : each));
  await plane.register(nested(10_000));
  const former = await plane.proxy("web-0");
  await former.until("its configuration", hasAll);
  await plane.register(handedOver(nested(10_001)));
  await former.until("the end of the stream", ({ state }) => state.lastError !== undefined);
  assert.match(former.state.lastError ?? "", /web-0 is spiffe:.*sa\/other now|configuration of spiffe:.*sa\/other/);
  await plane.logger.until(/the configuration could not be compiled/);
  await former.stop();
  const told: string[] = [];
  const refuse = (_type: string, name: string): undefined => void told.push(name);
  const next = await plane.proxy("web-0", { identity: await plane.join("other"), refuse });
  await plane.logger.until(/xds stream opened.*"stream":2/);
  // Were it sent anything while it was its former owner's, it would have had to take it before what comes now.
  await plane.register(handedOver(instances));
  await next.until("its configuration", (proxy) => proxy.names(LISTENER_TYPE).length > 0);
  assert.equal(told.includes(reviews), false);
});

test("a proxy that answers nothing delays no other", async (t) => {
  const plane = await TestControlPlane.start(t, { "reviews.yaml": timeoutFile("3s") });
  const never = Promise.withResolvers<void>();
  t.after(() => never.resolve());
  const stuck = await plane.proxy("ratings-0", { hold: () => never.promise });
  await stuck.until("the connection", ({ state }) => state.phase === "connected");
  const web = await plane.proxy("web-0");
  await web.until("3 s", hasTimeout(3));
  await plane.write("reviews.yaml", timeoutFile("4s"));
  await web.until("4 s", hasTimeout(4));
  assert.equal(stuck.resources.size, 0);
  never.resolve();
  await stuck.until("the newest state", hasTimeout(4));
});

test("a proxy that reads nothing delays no other, and neither the end of the control plane", async (t) => {
  const plane = await TestControlPlane.start(t, { "reviews.yaml": timeoutFile("3s") });
  const identity = await plane.join("ratings");
  // No window: the server may not send it a single byte of a response.
  const session = connectHttp2(`https://${plane.xdsAddress}`, {
    ...tlsOptions(plane.rootPem, identity),
    settings: { initialWindowSize: 0 },
  });
  t.after(() => session.destroy());
  session.on("error", () => {
    // The control plane's end cuts it off.
  });
  const stream = session.request({
    ":method": "POST",
    ":path": "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources",
    "content-type": "application/grpc",
    te: "trailers",
  });
  stream.on("error", () => {
    // As above.
  });
  const first = { typeUrl: CLUSTER_TYPE, node: { id: nodeIdOf("ratings-0") } };
  const message = toBinary(DeltaDiscoveryRequestSchema, create(DeltaDiscoveryRequestSchema, first));
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  stream.write(Buffer.concat([prefix, message]));
  await plane.logger.until(/xds stream opened.*ratings-0/);

  const web = await plane.proxy("web-0");
  await web.until("3 s", hasTimeout(3));
  await plane.write("reviews.yaml", timeoutFile("4s"));
  await web.until("4 s", hasTimeout(4));
  const closed = once(stream, "close");
  await plane.halt();
  await closed;
});

test("a proxy that vanishes while it is sent something is forgotten", async (t) => {
  const plane = await TestControlPlane.start(t);
  const proxy = await plane.proxy("ratings-0");
  await proxy.until("its configuration", hasAll);
  await proxy.stop();
  await plane.logger.until(/xds stream closed.*ratings-0/);
  const { json } = await plane.admin<ProxiesResponse>("GET", "/api/v1/proxies");
  assert.ok(json.proxies.every(({ isConnected }) => !isConnected));
});

test("a proxy that refuses one cluster gets everything else, and its refusal is seen", async (t) => {
  const plane = await TestControlPlane.start(t, { "reviews.yaml": timeoutFile("3s") });
  const proxy = await plane.proxy("web-0", {
    refuse: (_type, name) => (name === ratings ? "this proxy knows no ratings" : undefined),
  });
  await proxy.until("routes", hasTimeout(3));
  await plane.write("reviews.yaml", timeoutFile("4s"));
  await proxy.until("changed routes", hasTimeout(4));
  const line = await plane.logger.until(/xds update refused/);
  assert.match(JSON.stringify(line), /web-0.*this proxy knows no ratings/);
});

test("a security policy that is broken at first sight denies what it selects, only there, until it is put right", async (t) => {
  const plane = await TestControlPlane.start(t);
  const [web, selected] = [await plane.proxy("web-0"), await plane.proxy("ratings-0")];
  await web.until("its configuration", hasAll);
  await selected.until("its configuration", hasAll);
  assert.deepEqual(rulesOf(selected), []);
  const before = web.text(LISTENER_TYPE);

  await plane.write("policy.yaml", policyFile("ALOW"));
  await selected.until("a policy", (proxy) => rulesOf(proxy).length > 0);
  for (const { action, permissions, principals } of rulesOf(selected)) {
    assert.deepEqual([action, permissions, principals], [RBAC_Action.DENY, ["any"], ["any"]]);
  }
  const line = await plane.logger.until(/HDL0202/);
  assert.match(JSON.stringify(line), /policy\.yaml:1.*every request to workloads with app: ratings/);

  await plane.write("policy.yaml", policyFile("ALLOW"));
  await selected.until("the policy as it is meant", (proxy) =>
    rulesOf(proxy).every(({ action }) => action === RBAC_Action.ALLOW),
  );
  await plane.write("policy.yaml", policyFile("ALOW"));
  await plane.logger.until(/HDL0201/);
  assert.ok(
    rulesOf(selected).every(({ action }) => action === RBAC_Action.ALLOW),
    "the accepted version stays in force",
  );

  await plane.remove("policy.yaml");
  await selected.until("no policy", (proxy) => rulesOf(proxy).length === 0);
  assert.equal(web.text(LISTENER_TYPE), before);
});

interface Rule {
  readonly action: RBAC_Action;
  readonly permissions: readonly (string | undefined)[];
  readonly principals: readonly (string | undefined)[];
}

/** The enforced rules of every HTTP filter chain by which requests reach a workload, with the kinds of their conditions. */
function rulesOf(proxy: TestProxy): Rule[] {
  const inbound = proxy.resources.get(LISTENER_TYPE)?.get("virtualInbound") as Listener;
  return inbound.filterChains.flatMap(({ filters }) =>
    filters.flatMap(({ configType }) => {
      const manager =
        configType.case === "typedConfig" ? unpackAny(configType.value, HttpConnectionManagerSchema) : undefined;
      return (manager?.httpFilters ?? []).flatMap((filter) => {
        const { configType: inner } = filter;
        const rbac = inner.case === "typedConfig" ? unpackAny(inner.value, HttpRbacSchema) : undefined;
        return Object.values(rbac?.rules?.policies ?? {}).map(({ permissions, principals }) => ({
          action: rbac?.rules?.action ?? RBAC_Action.LOG,
          permissions: permissions.map(({ rule }) => rule.case),
          principals: principals.map(({ identifier }) => identifier.case),
        }));
      });
    }),
  );
}

test("many writes in a row are taken in a few steps, and the last one arrives", async (t) => {
  const plane = await TestControlPlane.start(t, { "reviews.yaml": timeoutFile("1s") });
  const web = await plane.proxy("web-0");
  await web.until("1 s", hasTimeout(1));
  const before = await version(plane);
  const writes = 200;
  for (let count = 1; count <= writes; count++) await plane.overwrite("reviews.yaml", timeoutFile(`${1000 + count}s`));
  await web.until("the last one", hasTimeout(1000 + writes));
  const compiled = (await version(plane)) - before;
  assert.ok(compiled >= 1 && compiled < writes / 4, `${compiled} compiles for ${writes} writes`);
});

test("a resource that only moved in its file is not told as changed, and one that is deleted not as mended", async (t) => {
  const plane = await TestControlPlane.start(t, { "reviews.yaml": timeoutFile("3s") });
  await plane.logger.until(/configuration accepted/);
  await plane.write("reviews.yaml", `# a comment\n${timeoutFile("soon")}`);
  await plane.logger.until(/resource rejected/);
  await plane.write("reviews.yaml", `# a comment\n${timeoutFile("3s")}`);
  await plane.logger.until(/resource mended/);
  await plane.write("reviews.yaml", timeoutFile("soon"));
  await plane.logger.until(/resource rejected.*reviews\.yaml:7/);
  await plane.remove("reviews.yaml");
  await plane.logger.until(/"- VirtualService default\/reviews"/);
  const told = plane.logger.lines.map(({ message }) => message);
  assert.equal(told.filter((message) => message === "configuration accepted").length, 2, told.join("\n"));
  assert.equal(told.filter((message) => message === "resource mended").length, 1, told.join("\n"));
});

test("each edit that is refused says what stays in force, also after another that was", async (t) => {
  const plane = await TestControlPlane.start(t, { "reviews.yaml": timeoutFile("3s") });
  await plane.logger.until(/configuration accepted/);
  await plane.write("reviews.yaml", timeoutFile("soon"));
  await plane.logger.until(/HDL0201/);
  await plane.write("reviews.yaml", `${timeoutFile("3s")}: ]\n`);
  await plane.logger.until(/resource rejected.*HDL0001/);
  const codes = plane.logger.lines.flatMap(({ fields }) => (fields["code"] === undefined ? [] : [fields["code"]]));
  assert.deepEqual(codes.slice(-2), ["HDL0001", "HDL0201"]);
});

test("what a rejected edit leaves alone is not pushed again", async (t) => {
  const plane = await TestControlPlane.start(t, { "reviews.yaml": timeoutFile("3s") });
  const web = await plane.proxy("web-0");
  await web.until("3 s", hasTimeout(3));
  const pushes = (): number[] => web.state.types.map(({ updateAttempt }) => updateAttempt);
  await plane.logger.until(/configuration accepted/);
  const before = pushes();
  await plane.write("reviews.yaml", timeoutFile("soon"));
  const line = await plane.logger.until(/resource rejected/);
  assert.match(JSON.stringify(line), /reviews\.yaml:7.*timeout/);
  await plane.write("mesh.yaml", `# a comment\n${meshFile}`);
  await plane.write(
    "other.yaml",
    timeoutFile("5s").replace("name: reviews", "name: ratings").replaceAll("reviews", "ratings"),
  );
  await web.until("the other change", hasTimeout(5));
  assert.ok(hasTimeout(3)(web), "the accepted version stays in force");
  const changed = pushes().filter((count, index) => count !== before[index]);
  assert.equal(changed.length, 1, "routes alone");
});

async function version(plane: TestControlPlane): Promise<number> {
  return (await plane.admin<{ configVersion: number }>("GET", "/api/v1/proxies")).json.configVersion;
}
