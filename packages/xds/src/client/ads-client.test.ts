import assert from "node:assert/strict";
import { once } from "node:events";
import { constants, createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import { describe, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import { silentLogger } from "@heddle/core";
import type { ResourceType } from "../api/index.ts";
import { CLUSTER_TYPE, ENDPOINT_TYPE, LISTENER_TYPE, ROUTE_TYPE, SECRET_TYPE, SecretSchema } from "../api/index.ts";
import { versionedResource } from "../server/index.ts";
import { AdsFixture, clock } from "../testing/ads-fixture.ts";
import { EventWaiter } from "@heddle/testkit";
import { ManualTimers } from "../testing/manual-timers.ts";
import { cluster, endpoints, listener, route, snapshot } from "../testing/resources.ts";
import type { AdsClientOptions } from "./ads-client.ts";
import { AdsClient } from "./ads-client.ts";
import { GrpcConnection } from "./grpc-connection.ts";
import type { ReceivedResource, Rejection, ResourceUpdate } from "./update.ts";

/** A consumer that keeps what it is given, as a proxy does, and refuses what the test says. */
class Consumer {
  readonly updates: string[] = [];
  readonly inForce = new Map<ResourceType, Map<string, ReceivedResource>>();
  readonly changes = new EventWaiter();
  refuse: (resource: ReceivedResource) => string | undefined = () => undefined;

  readonly onUpdate = async (update: ResourceUpdate): Promise<{ rejected: Rejection[] }> => {
    const type = update.type as ResourceType;
    const resources = this.inForce.get(type) ?? new Map<string, ReceivedResource>();
    this.inForce.set(type, resources);
    const rejected: Rejection[] = [];
    for (const resource of update.added) {
      const error = this.refuse(resource);
      if (error === undefined) resources.set(resource.name, resource);
      else rejected.push({ name: resource.name, error });
    }
    for (const name of update.removed) resources.delete(name);
    const names = [...update.added.map(({ name }) => `+${name}`), ...update.removed.map((name) => `-${name}`)];
    if (names.length > 0) this.updates.push([short(type), ...names].join(" "));
    this.changes.notify();
    return { rejected };
  };

  /** Resolves when everything of the snapshot `full` is in force. */
  async complete(): Promise<void> {
    const types = [CLUSTER_TYPE, ENDPOINT_TYPE, LISTENER_TYPE, ROUTE_TYPE, SECRET_TYPE] as const;
    await this.until(
      "the full snapshot",
      () => types.map((type) => this.names(type).join()).join(" ") === "a,b a,b in r ROOTCA",
    );
  }

  async until(what: string, condition: () => boolean): Promise<void> {
    await this.changes.until(what, condition);
  }

  names(type: ResourceType): string[] {
    return [...(this.inForce.get(type)?.keys() ?? [])].toSorted();
  }
}

function short(type: string): string {
  return type.slice(type.lastIndexOf(".") + 1);
}

interface Setup {
  readonly fixture: AdsFixture;
  readonly consumer: Consumer;
  readonly client: AdsClient;
  readonly timers: ManualTimers;
}

async function start(t: TestContext, options: Partial<AdsClientOptions> = {}): Promise<Setup> {
  const fixture = new AdsFixture();
  fixture.snapshots.set("p", full);
  await fixture.listen(t);
  const consumer = new Consumer();
  const timers = new ManualTimers();
  const client = newClient(fixture, consumer, timers, options);
  t.after(() => client.stop());
  client.start();
  return { fixture, consumer, client, timers };
}

function newClient(
  fixture: AdsFixture,
  consumer: Consumer,
  timers: ManualTimers,
  options: Partial<AdsClientOptions> = {},
): AdsClient {
  const client = new AdsClient({
    node: { id: "p", userAgentName: "heddle" },
    delta: true,
    dial: (signal) =>
      GrpcConnection.dial({ url: fixture.url, connectTimeoutMs: 5000, timers: { setTimeout, clearTimeout } }, signal),
    onUpdate: consumer.onUpdate,
    onStateChange: consumer.changes.notify,
    clock,
    random: () => 0.5,
    timers,
    logger: silentLogger,
    ...options,
  });
  client.setSubscription(CLUSTER_TYPE, "*");
  client.setSubscription(LISTENER_TYPE, "*");
  return client;
}

const withoutSecrets = snapshot("1", {
  clusters: [cluster("a"), cluster("b")],
  endpoints: [endpoints("a"), endpoints("b"), endpoints("unrelated")],
  listeners: [listener("in", "r", "ROOTCA")],
  routes: [route("r", "*"), route("unrelated", "*")],
});
const rootCa = versionedResource("ROOTCA", create(SecretSchema, { name: "ROOTCA" }));
const full = {
  version: "1",
  resources: new Map([...withoutSecrets.resources, [SECRET_TYPE, new Map([["ROOTCA", rootCa]])]]),
};

for (const delta of [true, false]) {
  describe(`the client, ${delta ? "delta" : "state of the world"}`, () => {
    it("asks for what accepted resources refer to, and for nothing else", async (t) => {
      const { fixture, consumer, client } = await start(t, { delta });
      await consumer.complete();
      await fixture.synced("p", "1");
      const order = consumer.updates.map((update) => update.split(" ")[0]);
      assert.ok(order.indexOf("ClusterLoadAssignment") < order.indexOf("Listener"), order.join(", "));
      const { state } = client;
      assert.equal(state.connectedState, 1);
      assert.equal(state.identifier, "control-plane-1");
      assert.equal(state.types.find((type) => type.type === CLUSTER_TYPE)?.updateSuccess, 1);
      assert.equal(state.types.find((type) => type.type === ENDPOINT_TYPE)?.subscribed, 2);
    });

    it("follows changes and removals, and drops what nothing refers to any more", async (t) => {
      const { fixture, consumer, client } = await start(t, { delta });
      await consumer.complete();
      fixture.push(
        "p",
        snapshot("2", {
          clusters: [cluster("b"), cluster("c")],
          endpoints: [endpoints("b"), endpoints("c")],
          listeners: [listener("in", "r2")],
          routes: [route("r2", "*")],
        }),
      );
      await consumer.until("the second snapshot", () => consumer.names(CLUSTER_TYPE).join() === "b,c");
      await fixture.synced("p", "2");
      assert.ok(consumer.names(ENDPOINT_TYPE).includes("c"));
      assert.ok(consumer.names(ROUTE_TYPE).includes("r2"));
      const counts = client.state.types.map((type) => [short(type.type), type.subscribed]);
      assert.deepEqual(Object.fromEntries(counts), {
        Secret: 0,
        Cluster: "*",
        ClusterLoadAssignment: 2,
        Listener: "*",
        RouteConfiguration: 1,
      });
    });

    it("keeps the valid resources of a batch and names the others in its NACK", async (t) => {
      const { fixture, consumer, client } = await start(t, { delta });
      await consumer.complete();
      consumer.refuse = (resource) => (resource.name === "bad" ? "clusters[0].lb_policy: not supported" : undefined);
      const next = {
        clusters: [cluster("a"), cluster("b"), cluster("bad"), cluster("good")],
        listeners: [listener("in", "r", "ROOTCA")],
      };
      fixture.push("p", snapshot("2", next));
      await fixture.changes.until("the refusal", () => {
        const type = fixture.server.status()[0]?.types.find((status) => status.type === CLUSTER_TYPE);
        return type?.lastNack?.message === "bad: clusters[0].lb_policy: not supported";
      });
      assert.deepEqual(consumer.names(CLUSTER_TYPE), ["a", "b", "good"]);
      const state = client.state.types.find((type) => type.type === CLUSTER_TYPE);
      assert.equal(state?.updateRejected, 1);
      assert.equal(state?.version, "1");
      assert.match(state?.rejection ?? "", /^bad: /);
      const wanted = client.state.types.find((type) => type.type === ENDPOINT_TYPE);
      assert.equal(wanted?.subscribed, 3, "what was refused is not followed");
    });

    it("goes on with what it has while the control plane is away, and hears of changes afterwards", async (t) => {
      const { fixture, consumer, client, timers } = await start(t, { delta });
      await consumer.complete();
      await fixture.synced("p", "1");
      const before = consumer.updates.length;
      fixture.breakConnections();
      assert.equal(await timers.fire(), 250, "half of the first bound, as the random number is 0.5");
      await consumer.changes.until("a second stream", () => client.state.streamsOpened === 2);
      await fixture.synced("p", "1");
      assert.deepEqual(consumer.names(CLUSTER_TYPE), ["a", "b"]);
      if (delta) assert.equal(consumer.updates.length, before, "nothing is sent that the client has");
      fixture.push("p", snapshot("2", { clusters: [cluster("a"), cluster("b"), cluster("c")] }));
      await consumer.changes.until("cluster c", () => consumer.names(CLUSTER_TYPE).includes("c"));
      assert.equal(client.state.streamsFailed, 1);
    });
  });
}

describe("the client", () => {
  it("waits longer after each failure, up to the limit, and short again after an answer", async (t) => {
    const fixture = new AdsFixture();
    const consumer = new Consumer();
    const timers = new ManualTimers();
    let isReachable = false;
    const client = newClient(fixture, consumer, timers, {
      random: () => 1,
      backoff: { baseMs: 100, maxMs: 1000 },
      dial: async (signal) => {
        if (!isReachable) throw new Error("connection refused");
        return GrpcConnection.dial(
          { url: fixture.url, connectTimeoutMs: 5000, timers: { setTimeout, clearTimeout } },
          signal,
        );
      },
    });
    t.after(() => client.stop());
    client.start();
    const delays: number[] = [];
    for (let i = 0; i < 6; i += 1) delays.push(await timers.fire());
    assert.deepEqual(delays, [100, 200, 400, 800, 1000, 1000]);
    assert.equal(client.state.connectedState, 0);
    assert.match(client.state.lastError ?? "", /connection refused/);
    isReachable = true;
    fixture.snapshots.set("p", full);
    await fixture.listen(t);
    await timers.fire();
    await fixture.synced("p", "1");
    isReachable = false;
    fixture.breakConnections();
    assert.equal(await timers.fire(), 100);
  });

  it("starts with resources of an earlier run and does not fetch them again", async (t) => {
    const first = await start(t);
    await first.consumer.complete();
    await first.client.stop();
    await first.fixture.changes.until("the first client to be gone", () => first.fixture.calls.includes("gone p"));
    const accepted = new Map([...first.consumer.inForce].map(([type, map]) => [type, [...map.values()]] as const));
    const consumer = new Consumer();
    const client = newClient(first.fixture, consumer, new ManualTimers(), { accepted });
    t.after(() => client.stop());
    client.start();
    await first.fixture.synced("p", "1");
    first.fixture.push("p", {
      version: "2",
      resources: new Map([
        ...full.resources,
        [ENDPOINT_TYPE, new Map([...(full.resources.get(ENDPOINT_TYPE) ?? []), ["a", changedEndpoints]])],
      ]),
    });
    await consumer.until("the change", () => consumer.updates.length > 0);
    await first.fixture.synced("p", "2");
    assert.deepEqual(consumer.updates, ["ClusterLoadAssignment +a"]);
  });

  it("refuses a whole update when its consumer fails, and stays connected", async (t) => {
    const { fixture, consumer, client } = await start(t);
    await fixture.synced("p", "1");
    consumer.refuse = () => {
      throw new Error("worker 0 does not answer");
    };
    fixture.push("p", snapshot("2", { clusters: [cluster("a", "x"), cluster("b")] }));
    await fixture.changes.until("the refusal", () =>
      fixture.server.status().some((status) => status.types.some((type) => type.lastNack !== undefined)),
    );
    const nacks = fixture.server.status().flatMap((status) => status.types.map((type) => type.lastNack?.message));
    assert.ok(nacks.includes("a: the update failed: worker 0 does not answer"), nacks.join());
    assert.equal(client.state.connectedState, 1);
  });

  it("shows why it was refused, and tries again", async (t) => {
    const fixture = new AdsFixture({ authorize: () => ({ ok: false, reason: "this certificate is not p's" }) });
    await fixture.listen(t);
    const timers = new ManualTimers();
    const client = newClient(fixture, new Consumer(), timers);
    t.after(() => client.stop());
    client.start();
    assert.equal(await timers.fire(), 250);
    assert.equal(await timers.fire(), 500, "the refusal keeps the delays growing");
    assert.match(client.state.lastError ?? "", /^PermissionDenied: this certificate is not p's/);
  });

  it("stops at once, also while it waits", async (t) => {
    const { fixture, client } = await start(t);
    await fixture.synced("p", "1");
    await client.stop();
    assert.equal(client.state.phase, "stopped");
    await fixture.changes.until("the server to see it", () => fixture.calls.includes("gone p"));
    const consumer = new Consumer();
    const timers = new ManualTimers();
    const waiting = newClient(fixture, consumer, timers, {
      dial: () => Promise.reject(new Error("no route to host")),
    });
    waiting.start();
    await consumer.until("the pause after a failure", () => waiting.state.phase === "backing-off");
    await waiting.stop();
    assert.equal(waiting.state.phase, "stopped");
    assert.deepEqual(timers.delays, []);
  });

  it("says of a server that is killed that the connection was lost, and of no code that it did not send itself", async (t) => {
    const server = createServer().listen(0, "127.0.0.1");
    server.on("stream", (stream) => {
      stream.on("error", () => undefined);
      stream.close(constants.NGHTTP2_CANCEL);
    });
    t.after(() => server.close());
    await once(server, "listening");
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const timers = new ManualTimers();
    const client = newClient(new AdsFixture(), new Consumer(), timers, {
      dial: (signal) =>
        GrpcConnection.dial({ url, connectTimeoutMs: 5000, timers: { setTimeout, clearTimeout } }, signal),
    });
    t.after(() => client.stop());
    client.start();
    await timers.fire();
    assert.equal(client.state.lastError, "the connection to the server was lost");
  });

  it("decides before start whether all of a type are wanted", async (t) => {
    const { client } = await start(t);
    assert.throws(() => client.setSubscription(ENDPOINT_TYPE, "*"), /before start/);
    client.setSubscription(SECRET_TYPE, ["extra"]);
  });

  it("reconnects when the control plane drains", async (t) => {
    const { fixture, client, timers, consumer } = await start(t);
    await fixture.synced("p", "1");
    await fixture.server.drain();
    await timers.fire();
    assert.match(client.state.lastError ?? "", /the server ended the stream/);
    assert.deepEqual(consumer.names(CLUSTER_TYPE), ["a", "b"]);
  });
});

const changedEndpoints = versionedResource("a", endpoints("a", 8080));
