import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLogger } from "@heddle/core";
import type { BoundCluster, ClusterConfig, EndpointsConfig } from "@heddle/engine";
import { applyDelta, emptySnapshot } from "@heddle/engine";
import { makeCluster, ManualTimers } from "../testing/fixture.ts";
import { DnsClusters } from "./dns-clusters.ts";

function named(hosts: string | readonly string[], changes: Partial<ClusterConfig>): ReadonlyMap<string, BoundCluster> {
  const { config } = makeCluster([80]);
  const { inlineEndpoints } = config;
  const [locality] = inlineEndpoints!.localities;
  const endpoints = [hosts].flat().map((host) => ({ ...locality!.endpoints[0]!, address: { host, port: 80 } }));
  const changed: ClusterConfig = {
    ...config,
    type: "strict_dns",
    inlineEndpoints: { ...inlineEndpoints!, localities: [{ ...locality!, endpoints }] },
    ...changes,
  };
  return applyDelta(emptySnapshot, { clusters: { set: [changed], remove: [] } }).clusters;
}

/** A resolver whose answers the test gives, and the endpoints that come of them. */
class Harness {
  readonly timers = new ManualTimers();
  readonly asked: string[] = [];
  readonly endpoints: EndpointsConfig[] = [];
  answer: readonly string[] | Error = [];
  /** In place of `answer`, for these names. */
  readonly answers = new Map<string, readonly string[] | Error>();
  ttlMs: number | undefined;
  readonly clusters = new DnsClusters({
    resolve: ({ host }) => {
      this.asked.push(host);
      const answer = this.answers.get(host) ?? this.answer;
      return answer instanceof Error
        ? Promise.reject(answer)
        : Promise.resolve({ addresses: answer, ttlMs: this.ttlMs });
    },
    timers: this.timers,
    random: () => 1,
    logger: silentLogger,
    onEndpoints: (endpoints) => this.endpoints.push(endpoints),
    onLookup: (cluster, outcome) => this.lookups.push(`${cluster} ${outcome}`),
  });
  readonly lookups: string[] = [];

  hosts(): string[] {
    return (this.endpoints.at(-1)?.localities ?? []).flatMap(({ endpoints }) =>
      endpoints.map(({ address }) => address.host),
    );
  }

  async settle(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test("a strict DNS name has an endpoint for each of its addresses, a logical one for the first", async () => {
  for (const [type, expected] of [
    ["strict_dns", ["10.0.0.1", "10.0.0.2"]],
    ["logical_dns", ["10.0.0.1"]],
  ] as const) {
    const harness = new Harness();
    harness.answer = ["10.0.0.1", "10.0.0.2"];
    harness.clusters.update(named("db.example", { type }));
    await harness.settle();
    assert.deepEqual(harness.hosts(), expected);
    assert.equal(harness.endpoints[0]?.localities[0]?.endpoints[0]?.hostname, "db.example");
    harness.clusters.stop();
  }
});

test("names are asked for again after the refresh rate, or after their time to live where that counts", async () => {
  for (const [respectTtl, waitMs] of [
    [false, 5000],
    [true, 1000],
  ] as const) {
    const harness = new Harness();
    harness.answer = ["10.0.0.1"];
    harness.ttlMs = 1000;
    const dns = {
      refreshMs: 5000,
      failureBaseMs: 100,
      failureMaxMs: 1000,
      respectTtl,
      family: "auto",
      resolver: { kind: "default" },
    } as const;
    harness.clusters.update(named("db.example", { dns }));
    await harness.settle();
    harness.timers.advance(waitMs - 100);
    assert.equal(harness.asked.length, 1);
    harness.timers.advance(200);
    assert.equal(harness.asked.length, 2);
    harness.clusters.stop();
  }
});

test("a failed look-up keeps the last answer and is tried again with back-off", async () => {
  const harness = new Harness();
  harness.answer = ["10.0.0.1"];
  const dns = {
    refreshMs: 1000,
    failureBaseMs: 200,
    failureMaxMs: 500,
    respectTtl: false,
    family: "auto",
    resolver: { kind: "default" },
  } as const;
  harness.clusters.update(named("db.example", { dns }));
  await harness.settle();
  harness.answer = new Error("SERVFAIL");
  harness.timers.advance(1050);
  await harness.settle();
  assert.deepEqual(harness.hosts(), ["10.0.0.1"]);
  for (const waitMs of [200, 400, 500, 500]) {
    const before = harness.asked.length;
    harness.timers.advance(waitMs - 50);
    assert.equal(harness.asked.length, before);
    harness.timers.advance(100);
    await harness.settle();
    assert.equal(harness.asked.length, before + 1);
  }
  harness.answer = ["10.0.0.9"];
  harness.timers.advance(600);
  await harness.settle();
  assert.deepEqual(harness.hosts(), ["10.0.0.9"]);
  harness.clusters.stop();
});

test("an address among the names is taken as it is", async () => {
  const harness = new Harness();
  harness.clusters.update(named("10.1.2.3", {}));
  await harness.settle();
  assert.deepEqual(harness.asked, []);
  assert.deepEqual(harness.hosts(), ["10.1.2.3"]);
  harness.clusters.stop();
});

test("an address among names that cannot be resolved is an endpoint all the same", async () => {
  const harness = new Harness();
  harness.answer = new Error("SERVFAIL");
  harness.clusters.update(named(["10.1.2.3", "db.example"], {}));
  await harness.settle();
  assert.deepEqual(harness.hosts(), ["10.1.2.3"]);
  harness.clusters.stop();
});

test("a cluster that changes keeps what its names were last resolved to until there are answers", async () => {
  const harness = new Harness();
  const { dns } = makeCluster([80]).config;
  harness.answers.set("a.example", ["10.0.0.1"]).set("b.example", ["10.0.0.2"]);
  harness.clusters.update(named(["a.example", "b.example"], { dns }));
  await harness.settle();
  harness.answers.set("a.example", ["10.0.0.9"]).set("b.example", new Error("SERVFAIL"));
  harness.clusters.update(named(["a.example", "b.example"], { dns: { ...dns, refreshMs: 7000 } }));
  assert.deepEqual(harness.hosts(), ["10.0.0.1", "10.0.0.2"]);
  await harness.settle();
  assert.deepEqual(harness.hosts(), ["10.0.0.9", "10.0.0.2"]);
  // Those that it had by another family, or from other servers, are none of these.
  harness.answer = new Error("SERVFAIL");
  harness.answers.clear();
  harness.clusters.update(named(["10.1.2.3", "a.example", "b.example"], { dns: { ...dns, family: "v6-only" } }));
  await harness.settle();
  assert.deepEqual(harness.hosts(), ["10.1.2.3"]);
  harness.clusters.stop();
});

test("a cluster that is gone is asked for no more", async () => {
  const harness = new Harness();
  harness.answer = ["10.0.0.1"];
  harness.clusters.update(named("db.example", {}));
  await harness.settle();
  harness.clusters.update(new Map());
  harness.timers.advance(60_000);
  assert.equal(harness.asked.length, 1);
});

test("a name without an address takes a strict cluster's endpoints away, and leaves a logical one its last", async () => {
  for (const [type, expected] of [
    ["strict_dns", []],
    ["logical_dns", ["10.0.0.1"]],
  ] as const) {
    const harness = new Harness();
    harness.answer = ["10.0.0.1"];
    harness.clusters.update(named("db.example", { type }));
    await harness.settle();
    harness.answer = [];
    harness.timers.advance(5050);
    await harness.settle();
    assert.deepEqual(harness.hosts(), expected);
    harness.answer = new Error("SERVFAIL");
    harness.timers.advance(5050);
    await harness.settle();
    assert.deepEqual(harness.lookups, ["test success", "test empty", "test failure"]);
    harness.clusters.stop();
  }
});

test("a time to live of zero does not have the name asked for without end", async () => {
  const harness = new Harness();
  harness.answer = ["10.0.0.1"];
  harness.ttlMs = 0;
  const { dns } = makeCluster([80]).config;
  harness.clusters.update(named("db.example", { dns: { ...dns, respectTtl: true } }));
  await harness.settle();
  harness.timers.advance(4900);
  assert.equal(harness.asked.length, 1);
  harness.timers.advance(200);
  assert.equal(harness.asked.length, 2);
  harness.clusters.stop();
});

test("an answer that is only turned around changes nothing", async () => {
  const harness = new Harness();
  for (const answer of [
    ["10.0.0.1", "10.0.0.2"],
    ["10.0.0.2", "10.0.0.1"],
    ["10.0.0.3", "10.0.0.2"],
  ]) {
    harness.answer = answer;
    if (harness.asked.length === 0) harness.clusters.update(named("db.example", {}));
    else harness.timers.advance(5050);
    await harness.settle();
  }
  assert.equal(harness.endpoints.length, 2);
  assert.deepEqual(harness.hosts(), ["10.0.0.2", "10.0.0.3"]);
  harness.clusters.stop();
});

test("a logical name is one endpoint whatever its address, and with ALL it is at each of them", async () => {
  for (const [family, additional] of [
    ["all", [{ host: "::1", port: 80 }]],
    ["v4-preferred", []],
  ] as const) {
    const harness = new Harness();
    harness.answer = ["10.0.0.1", "::1"];
    const { dns } = makeCluster([80]).config;
    harness.clusters.update(named("db.example", { type: "logical_dns", dns: { ...dns, family } }));
    await harness.settle();
    const [endpoint] = harness.endpoints[0]!.localities[0]!.endpoints;
    assert.equal(endpoint?.identity, "db.example:80");
    assert.deepEqual(endpoint?.additionalAddresses, additional);
    harness.clusters.stop();
  }
});
