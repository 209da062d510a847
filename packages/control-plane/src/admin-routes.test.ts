import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { CLUSTER_TYPE } from "@heddle/xds/api";
import type {
  ErrorResponse,
  FindingRow,
  JoinTokenCreateResponse,
  ProxiesResponse,
  ProxyRow,
  ReadyResponse,
  ResourcesResponse,
  TrustBundleResponse,
} from "./admin-api/index.ts";
import { EventWaiter, freePort } from "@heddle/testkit";
import {
  connectTimeoutFile,
  identityOf,
  instances,
  meshFile,
  nested,
  policyFile,
  timeoutFile,
} from "./testing/mesh-files.ts";
import { TestControlPlane } from "./testing/test-control-plane.ts";

async function proxyRow(plane: TestControlPlane, id: string): Promise<ProxyRow> {
  const { json } = await plane.admin<ProxiesResponse>("GET", "/api/v1/proxies");
  return json.proxies.find((row) => row.id === id) ?? assert.fail(`no row for ${id}`);
}

/** Asks again until the answer fits: the ACK of a push is on its way when the proxy has taken it. */
async function untilRow(plane: TestControlPlane, id: string, fits: (row: ProxyRow) => boolean): Promise<ProxyRow> {
  for (let turn = 0; turn < 10_000; turn++) {
    const row = await proxyRow(plane, id);
    if (fits(row)) return row;
  }
  return assert.fail(`${id} never came to it: ${JSON.stringify(await proxyRow(plane, id))}`);
}

test("it is ready when files and instances have been read", async (t) => {
  const plane = await TestControlPlane.start(t);
  assert.deepEqual((await plane.admin<ReadyResponse>("GET", "/api/v1/ready")).json, { ready: true, waitingFor: [] });
  assert.deepEqual((await plane.admin("GET", "/api/v1/health")).json, { status: "ok" });
});

test("a proxy whose configuration does not compile is not synced, and the others get theirs", async (t) => {
  const plane = await TestControlPlane.start(t, { "reviews.yaml": timeoutFile("3s") });
  const [web, ratings] = [await plane.proxy("web-0"), await plane.proxy("ratings-0")];
  for (const id of ["web-0", "ratings-0"]) await untilRow(plane, id, ({ isSynced }) => isSynced);
  // Ports come from the registry, whose checksum says only that they are as they were written.
  const impossible = { "reviews.default": Number.NaN };
  await plane.register(
    instances.map((each) => (each.id === "web-0" ? { ...each, outboundPorts: impossible } : { ...each, ready: true })),
  );
  const broken = await untilRow(plane, "web-0", ({ isSynced }) => !isSynced);
  assert.notEqual(broken.problem, "");
  await plane.logger.until(/a proxy's configuration could not be compiled/);
  const fine = await untilRow(plane, "ratings-0", ({ isSynced }) => isSynced);
  assert.equal(fine.problem, "");
  assert.ok(web.names(CLUSTER_TYPE).length > 0 && ratings.names(CLUSTER_TYPE).length > 0, "both keep what they had");
  await plane.register(instances);
  assert.equal((await untilRow(plane, "web-0", ({ isSynced }) => isSynced)).problem, "");
});

test("a version that never compiled is given to nobody, also not to a proxy that connects then", async (t) => {
  const plane = await TestControlPlane.start(t, { "reviews.yaml": timeoutFile("3s") });
  await plane.register(nested(10_000));
  await plane.proxy("web-0");
  await untilRow(plane, "web-0", ({ isSynced }) => isSynced);
  await plane.register(nested(10_001));
  await plane.logger.until(/the configuration could not be compiled/);
  const late = await plane.proxy("ratings-0");
  await late.until("its configuration", (proxy) => proxy.names(CLUSTER_TYPE).length > 0);
  const row = await untilRow(plane, "ratings-0", ({ types }) => types.every(({ isSynced }) => isSynced));
  assert.equal(row.isSynced, false);
  assert.match(row.problem, /call stack/);
  await plane.register(instances);
  assert.equal((await untilRow(plane, "ratings-0", ({ isSynced }) => isSynced)).problem, "");
});

test("while it still reads it lives, is not ready, and says what it waits for", async (t) => {
  const plane = await TestControlPlane.create(t);
  const path = join(plane.stateDir, "instances.json");
  const content = await readFile(path);
  await rm(path);
  // Whoever reads this waits until somebody has written.
  execFileSync("mkfifo", [path]);
  const port = await freePort();
  const started = plane.start({ adminAddress: { host: "127.0.0.1", port } });
  const ask = async (call: string): Promise<[number, unknown]> => {
    const response = await fetch(`http://127.0.0.1:${port}/api/v1/${call}`);
    return [response.status, await response.json()];
  };
  while ((await ask("health").catch(() => [0]))[0] !== 200) await delay(10);
  const waiting = { ready: false, waitingFor: ["the list of instances"] };
  while (!isDeepStrictEqual((await ask("ready"))[1], waiting)) await delay(10);
  assert.equal((await ask("ready"))[0], 503);
  await writeFile(path, content);
  await started;
  assert.deepEqual(await ask("ready"), [200, { ready: true, waitingFor: [] }]);
});

test("resources lists what is in force, with the place of each, and findings what is wrong", async (t) => {
  const plane = await TestControlPlane.start(t, {
    "reviews.yaml": `# routes\n${timeoutFile("3s")}`,
    "policy.yaml": policyFile("ALOW"),
  });
  const { json } = await plane.admin<ResourcesResponse>("GET", "/api/v1/resources");
  assert.deepEqual(json.resources, [
    { kind: "LocalMesh", namespace: "default", name: "test", file: "mesh.yaml", line: 1, generation: 1 },
    { kind: "VirtualService", namespace: "default", name: "reviews", file: "reviews.yaml", line: 2, generation: 1 },
  ]);
  const findings = (await plane.admin<FindingRow[]>("GET", "/api/v1/findings")).json;
  assert.deepEqual(findings, json.findings);
  const [first] = findings.filter(({ severity }) => severity === "error");
  assert.deepEqual([first?.file, first?.line, first?.resource?.name], ["policy.yaml", 6, "ratings-callers"]);
  assert.match(first?.message ?? "", /ALOW/);
  assert.notEqual(first?.hint, "");
});

test("findings outlive a restart as long as the file is wrong, and go with the mistake", async (t) => {
  const plane = await TestControlPlane.start(t, { "reviews.yaml": timeoutFile("3s") });
  const codes = async (): Promise<string[]> =>
    (await plane.admin<FindingRow[]>("GET", "/api/v1/findings")).json.map(({ code }) => code).sort();
  assert.deepEqual(await codes(), []);
  await plane.write("reviews.yaml", timeoutFile("soon"));
  await plane.logger.until(/resource rejected/);
  const wrong = await codes();
  assert.ok(wrong.includes("HDL0201"));
  await plane.halt();
  await plane.start();
  assert.deepEqual(await codes(), wrong);
  const generation = async (): Promise<number | undefined> =>
    (await plane.admin<ResourcesResponse>("GET", "/api/v1/resources")).json.resources[1]?.generation;
  assert.equal(await generation(), 1);
  await plane.write("reviews.yaml", timeoutFile("4s"));
  await plane.logger.until(/~ VirtualService default\/reviews/);
  assert.deepEqual([await codes(), await generation()], [[], 2]);
});

test("proxies shows who is connected, and what each has acknowledged and refused", async (t) => {
  const plane = await TestControlPlane.start(t, { "reviews.yaml": timeoutFile("3s") });
  const { json } = await plane.admin<ProxiesResponse>("GET", "/api/v1/proxies");
  assert.deepEqual(
    json.proxies.map(({ id, identity, isConnected }) => [id, identity, isConnected]),
    instances.map(({ id, serviceAccount }) => [id, identityOf(serviceAccount), false]),
  );

  const before = Date.now();
  const web = await plane.proxy("web-0");
  const synced = await untilRow(plane, "web-0", ({ isSynced }) => isSynced);
  assert.ok(synced.isConnected && synced.connectedAtMs >= before);
  assert.deepEqual(
    synced.types.map(({ isSynced, lastError }) => [isSynced, lastError]),
    synced.types.map(() => [true, ""]),
  );
  assert.equal(synced.types.find(({ type }) => type === CLUSTER_TYPE)?.subscribed, "*");

  const picky = await plane.proxy("ratings-0", {
    refuse: (type, name) => (type === CLUSTER_TYPE && name.startsWith("outbound|9080") ? "too many ports" : undefined),
  });
  const refusing = await untilRow(plane, "ratings-0", ({ types }) => types.some(({ lastError }) => lastError !== ""));
  assert.equal(refusing.isSynced, false);
  assert.match(refusing.types.find(({ type }) => type === CLUSTER_TYPE)?.lastError ?? "", /too many ports/);

  await Promise.all([web.stop(), picky.stop()]);
  const gone = await untilRow(plane, "web-0", ({ isConnected }) => !isConnected);
  assert.deepEqual([gone.isSynced, gone.connectedAtMs, gone.types], [false, 0, []]);
});

test("a proxy is in sync again once it takes what it had refused", async (t) => {
  const plane = await TestControlPlane.start(t);
  let isPicky = false;
  await plane.proxy("web-0", {
    refuse: (type, name) =>
      isPicky && type === CLUSTER_TYPE && name.startsWith("outbound|7070") ? "too slow" : undefined,
  });
  await untilRow(plane, "web-0", ({ isSynced }) => isSynced);
  isPicky = true;
  await plane.write("rule.yaml", connectTimeoutFile("ratings", "7s"));
  await untilRow(plane, "web-0", ({ types }) => types.some(({ lastError }) => lastError !== ""));
  isPicky = false;
  await plane.write("rule.yaml", connectTimeoutFile("ratings", "6s"));
  const { types } = await untilRow(plane, "web-0", ({ isSynced }) => isSynced);
  assert.ok(types.every(({ isSynced, lastError }) => isSynced && lastError === ""));
});

test("the version grows with every change that is compiled, and with no other", async (t) => {
  const plane = await TestControlPlane.start(t);
  const version = async (): Promise<number> =>
    (await plane.admin<ProxiesResponse>("GET", "/api/v1/proxies")).json.configVersion;
  const before = await version();
  await plane.write("mesh.yaml", meshFile);
  await plane.write("reviews.yaml", timeoutFile("3s"));
  await plane.logger.until(/\+ VirtualService/);
  assert.equal(await version(), before + 1);
});

test("the trust bundle is the root that certificates chain to", async (t) => {
  const plane = await TestControlPlane.start(t);
  const { json } = await plane.admin<TrustBundleResponse>("GET", "/api/v1/trust-bundle");
  assert.equal(json.trustDomain, "cluster.local");
  assert.match(json.pem, /^-----BEGIN CERTIFICATE-----\n[^-]+-----END CERTIFICATE-----/);
});

test("a join token is told once, with its end", async (t) => {
  const plane = await TestControlPlane.start(t);
  const identity = identityOf("web");
  const before = plane.clock.wallMs();
  const { status, json } = await plane.admin<JoinTokenCreateResponse>("POST", "/api/v1/join-tokens", {
    identity,
    lifeMs: 5000,
  });
  assert.equal(status, 201);
  assert.equal(json.identity, identity);
  assert.match(json.token, /^heddle-join-[\w-]{43}$/);
  assert.ok(json.expiresAtMs >= before + 5000);
});

const badTokens: readonly [title: string, body: unknown, error: RegExp][] = [
  ["nothing", undefined, /identity must be spiffe:\/\/cluster\.local\/ns\//],
  ["a list", [], /identity must be/],
  ["null", null, /identity must be/],
  ["no SPIFFE id", { identity: "web" }, /identity must be/],
  ["an identity of another trust domain", { identity: "spiffe://other/ns/default/sa/web" }, /identity must be/],
  ["an identity of another form", { identity: "spiffe://cluster.local/web" }, /identity must be/],
  ["no uses", { identity: identityOf("web"), uses: 0 }, /uses must be a whole number from 1 to 1000/],
  ["half a use", { identity: identityOf("web"), uses: 1.5 }, /uses must be a whole number/],
  ["uses as text", { identity: identityOf("web"), uses: "2" }, /uses must be a whole number/],
  [
    "a life too short",
    { identity: identityOf("web"), lifeMs: 1 },
    /lifeMs must be a whole number from 1000 to 86400000/,
  ],
  ["a life too long", { identity: identityOf("web"), lifeMs: 86_400_001 }, /lifeMs must be a whole number/],
];
test("a join token for anything but a workload of this mesh is refused, and the answer says what is wanted", async (t) => {
  const plane = await TestControlPlane.start(t);
  for (const [title, body, error] of badTokens) {
    const { status, json } = await plane.admin<ErrorResponse>("POST", "/api/v1/join-tokens", body);
    assert.equal(status, 400, title);
    assert.match(json.error, error, title);
    assert.notEqual(json.hint, "", title);
  }
});

test("metrics have istiod's names and count what happened on the wire", async (t) => {
  const plane = await TestControlPlane.start(t, { "reviews.yaml": timeoutFile("3s") });
  const events = new EventWaiter();
  const web = await plane.proxy("web-0", {
    refuse: (type, name) => {
      events.notify();
      return type === CLUSTER_TYPE && name.startsWith("outbound|7070") ? "no" : undefined;
    },
  });
  await untilRow(
    plane,
    "web-0",
    ({ types }) =>
      types.length === 5 && types.every(({ ackedVersion, lastError }) => ackedVersion !== "" || lastError !== ""),
  );
  await plane.write("reviews.yaml", timeoutFile("soon"));
  await plane.logger.until(/resource rejected/);
  const { status, text } = await plane.admin("GET", "/metrics");
  assert.equal(status, 200);
  const value = (series: string): number =>
    Number(new RegExp(`^${series.replaceAll(/[{}"]/g, "\\$&")} (.+)$`, "m").exec(text)?.[1]);
  assert.equal(value("pilot_xds"), 1);
  for (const type of ["cds", "eds", "lds", "rds", "sds"])
    assert.ok(value(`pilot_xds_pushes{type="${type}"}`) >= 1, type);
  assert.equal(value('pilot_total_xds_rejects{type="cds"}'), 1);
  assert.equal(value('pilot_total_xds_rejects{type="lds"}'), 0);
  assert.equal(value("citadel_server_csr_count"), 1);
  assert.equal(value("citadel_server_success_cert_issuance_count"), 1);
  assert.equal(value("citadel_server_authentication_failure_count"), 0);
  assert.equal(value("galley_validation_passed"), 2);
  assert.match(text, /^galley_validation_failed\{reason="HDL\d{4}"\} 1$/m);
  await web.stop();
});
