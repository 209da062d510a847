import assert from "node:assert/strict";
import { connect } from "node:net";
import { createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { describe, it } from "node:test";
import { setImmediate as immediate } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import {
  CLUSTER_TYPE,
  ClusterLoadAssignmentSchema,
  ClusterSchema,
  ENDPOINT_TYPE,
  LISTENER_TYPE,
  ROUTE_TYPE,
  unpackAny,
} from "../api/index.ts";
import { AdsFixture } from "../testing/ads-fixture.ts";
import { ForeignClient } from "../testing/foreign-client.ts";
import { ManualTimers } from "../testing/manual-timers.ts";
import { cluster, endpoints, listener, route, snapshot } from "../testing/resources.ts";
import { keepAlive } from "./index.ts";
import { versionedResource } from "./snapshot.ts";

const status = { unauthenticated: 16, permissionDenied: 7, invalidArgument: 3, unavailable: 14 };

const one = snapshot("1", {
  clusters: [cluster("a")],
  endpoints: [endpoints("a")],
  listeners: [listener("in", "r")],
  routes: [route("r", "*")],
});

describe("a gRPC client that is not ours", () => {
  it("is served by delta, in order, and its acknowledgements are seen", async (t) => {
    const fixture = new AdsFixture();
    fixture.snapshots.set("p", one);
    await fixture.listen(t);
    const stream = new ForeignClient(t, fixture.address).delta();
    stream.send({ node: { id: "p" }, typeUrl: CLUSTER_TYPE });
    stream.send({ typeUrl: LISTENER_TYPE });
    stream.send({ typeUrl: ENDPOINT_TYPE, resourceNamesSubscribe: ["a"] });
    stream.send({ typeUrl: ROUTE_TYPE, resourceNamesSubscribe: ["r"] });
    for (const type of [CLUSTER_TYPE, ENDPOINT_TYPE, LISTENER_TYPE, ROUTE_TYPE]) {
      const response = await stream.next();
      assert.equal(response.typeUrl, type);
      assert.equal(response.systemVersionInfo, "1");
      assert.equal(response.controlPlane?.identifier, "control-plane-1");
      assert.equal(response.resources.length, 1);
      assert.equal(stream.unread, 0);
      stream.send({ typeUrl: type, responseNonce: response.nonce });
    }
    await fixture.synced("p", "1");
    stream.call.end();
    assert.equal(await stream.ended(), "ended");
    await fixture.changes.until("the stream to close", () => fixture.calls.includes("gone p"));
    assert.deepEqual(fixture.server.status(), []);
  });

  it("is served by state of the world, and what it refuses is shown with its reason", async (t) => {
    const fixture = new AdsFixture();
    fixture.snapshots.set("p", one);
    await fixture.listen(t);
    const stream = new ForeignClient(t, fixture.address).sotw();
    stream.send({ node: { id: "p" }, typeUrl: CLUSTER_TYPE });
    const first = await stream.next();
    assert.equal(first.versionInfo, "1");
    const [any] = first.resources;
    assert.ok(any !== undefined);
    assert.equal(unpackAny(any, ClusterSchema)?.name, "a");
    stream.send({
      typeUrl: CLUSTER_TYPE,
      responseNonce: first.nonce,
      errorDetail: { code: status.invalidArgument, message: "a: no such load balancer" },
    });
    await fixture.changes.until("the refusal", () => fixture.server.status()[0]?.types[0]?.state === "rejected");
    assert.equal(fixture.server.status()[0]?.types[0]?.lastNack?.message, "a: no such load balancer");
    fixture.push("p", snapshot("2", { clusters: [cluster("a", "fixed")] }));
    const second = await stream.next();
    stream.send({ typeUrl: CLUSTER_TYPE, versionInfo: "2", responseNonce: second.nonce });
    await fixture.synced("p", "2");
    assert.equal(fixture.server.status()[0]?.protocol, "sotw");
  });
});

describe("a node", () => {
  it("gets nothing but what its certificate's identity may have", async (t) => {
    const fixture = new AdsFixture({
      authorize: (peer, node) =>
        peer === node.id ? { ok: true, proxyId: node.id } : { ok: false, reason: `${peer} may not be ${node.id}` },
    });
    fixture.snapshots.set("reviews", one);
    await fixture.listen(t);
    const stranger = new ForeignClient(t, fixture.address, "ratings").delta();
    stranger.send({ node: { id: "reviews" }, typeUrl: CLUSTER_TYPE });
    const refusal = await stranger.ended();
    assert.ok(refusal !== "ended");
    assert.equal(refusal.code, status.permissionDenied);
    assert.match(refusal.details, /ratings may not be reviews/);
    assert.deepEqual(fixture.calls, [], "the provider never hears of it");
    const own = new ForeignClient(t, fixture.address, "reviews").delta();
    own.send({ node: { id: "reviews" }, typeUrl: CLUSTER_TYPE });
    assert.equal((await own.next()).resources[0]?.name, "a");
  });

  it("must say who it is, and stay the same", async (t) => {
    const fixture = new AdsFixture();
    fixture.snapshots.set("p", one);
    await fixture.listen(t);
    const client = new ForeignClient(t, fixture.address);
    const nameless = client.delta();
    nameless.send({ typeUrl: CLUSTER_TYPE });
    const first = await nameless.ended();
    assert.ok(first !== "ended");
    assert.equal(first.code, status.invalidArgument);
    const changing = client.delta();
    changing.send({ node: { id: "p" }, typeUrl: CLUSTER_TYPE });
    await changing.next();
    changing.send({ node: { id: "q" }, typeUrl: LISTENER_TYPE });
    const second = await changing.ended();
    assert.ok(second !== "ended");
    assert.equal(second.code, status.invalidArgument);
  });

  it("is cut off when its identity is withdrawn", async (t) => {
    const fixture = new AdsFixture();
    fixture.snapshots.set("p", one);
    await fixture.listen(t);
    const stream = new ForeignClient(t, fixture.address).delta();
    stream.send({ node: { id: "p" }, typeUrl: CLUSTER_TYPE });
    await stream.next();
    fixture.server.disconnect("p", "the certificate was revoked");
    const end = await stream.ended();
    assert.ok(end !== "ended");
    assert.equal(end.code, status.permissionDenied);
    assert.equal(end.details, "the certificate was revoked");
  });
});

describe("the server", () => {
  it("lets no slow proxy delay another, and owes the slow one only the newest state", async (t) => {
    const fixture = new AdsFixture();
    await fixture.listen(t);
    const slow = new ForeignClient(t, fixture.address).delta();
    const fast = new ForeignClient(t, fixture.address).delta();
    for (const [id, stream] of [
      ["slow", slow],
      ["fast", fast],
    ] as const) {
      fixture.snapshots.set(id, largeSnapshot(1));
      stream.send({ node: { id }, typeUrl: ENDPOINT_TYPE, resourceNamesSubscribe: ["a"] });
    }
    const firstOfSlow = await slow.next();
    slow.call.pause();
    slow.send({ typeUrl: ENDPOINT_TYPE, responseNonce: firstOfSlow.nonce });
    const last = 20;
    for (let version = 1; version <= last; version += 1) {
      if (version > 1) {
        fixture.push("slow", largeSnapshot(version));
        fixture.push("fast", largeSnapshot(version));
      }
      const response = await fast.next();
      assert.equal(response.systemVersionInfo, String(version));
      fast.send({ typeUrl: ENDPOINT_TYPE, responseNonce: response.nonce });
      await fixture.synced("fast", String(version));
    }
    slow.call.resume();
    const versions: string[] = [];
    while (versions.at(-1) !== String(last)) {
      const response = await slow.next();
      versions.push(response.systemVersionInfo);
      slow.send({ typeUrl: ENDPOINT_TYPE, responseNonce: response.nonce });
    }
    assert.ok(versions.length <= 2, `one response was under way, then the newest: ${versions.join(", ")}`);
  });

  it("gives nothing of a proxy that was disconnected to who comes while its stream cannot end", async (t) => {
    const fixture = new AdsFixture();
    fixture.snapshots.set("p", largeSnapshot(1));
    await fixture.listen(t);
    const open = { node: { id: "p" }, typeUrl: ENDPOINT_TYPE, resourceNamesSubscribe: ["a"] };
    const slow = new ForeignClient(t, fixture.address).delta();
    slow.send(open);
    const first = await slow.next();
    slow.call.pause();
    slow.send({ typeUrl: ENDPOINT_TYPE, responseNonce: first.nonce });
    // One response for the window, one that waits.
    await fixture.synced("p", "1");
    fixture.push("p", largeSnapshot(2));
    fixture.snapshots.delete("p");
    await immediate();
    fixture.server.disconnect("p", "it is somebody else's now");
    const other = new ForeignClient(t, fixture.address).delta();
    other.send(open);
    await fixture.changes.until("the other stream", () => fixture.calls.length > 1);
    fixture.push("p", largeSnapshot(3));
    assert.equal((await other.next()).systemVersionInfo, "3");
    assert.deepEqual(fixture.calls, ["node p", "node p"]);
  });

  it("ends its streams when it drains and refuses new ones", async (t) => {
    const fixture = new AdsFixture();
    fixture.snapshots.set("p", one);
    await fixture.listen(t);
    const client = new ForeignClient(t, fixture.address);
    const stream = client.delta();
    stream.send({ node: { id: "p" }, typeUrl: CLUSTER_TYPE });
    await stream.next();
    await fixture.server.drain();
    assert.equal(await stream.ended(), "ended");
    assert.deepEqual(fixture.calls, ["node p", "gone p"]);
    const late = client.delta();
    late.send({ node: { id: "p" }, typeUrl: CLUSTER_TYPE });
    const end = await late.ended();
    assert.ok(end !== "ended");
    assert.equal(end.code, status.unavailable);
  });

  it("forgets a proxy whose connection breaks", async (t) => {
    const fixture = new AdsFixture();
    fixture.snapshots.set("p", one);
    await fixture.listen(t);
    const stream = new ForeignClient(t, fixture.address).delta();
    stream.send({ node: { id: "p" }, typeUrl: CLUSTER_TYPE });
    await stream.next();
    fixture.breakConnections();
    await fixture.changes.until("the proxy to be gone", () => fixture.calls.includes("gone p"));
    assert.deepEqual(fixture.server.status(), []);
    assert.notEqual(await stream.ended(), "ended");
  });

  it("destroys a connection that does not answer a PING within 10 s", async (t) => {
    const timers = new ManualTimers();
    const server = createServer();
    const opened = new Promise<void>((resolve) => {
      server.on("session", (session) => {
        keepAlive(session, timers);
        resolve();
      });
    });
    await new Promise<void>((resolve) => {
      server.listen(0, "127.0.0.1", resolve);
    });
    t.after(() => server.close());
    const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
    t.after(() => socket.destroy());
    socket.resume();
    // The connection preface and an empty SETTINGS frame (RFC 9113 §3.4); what the server sends is never answered.
    socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", "latin1");
    const closed = new Promise((resolve) => {
      socket.once("close", resolve);
    });
    await opened;
    assert.equal(await timers.fire(), 30_000);
    assert.equal(await timers.fire(), 10_000);
    await closed;
  });
});

/** About a megabyte of endpoints: more than the windows of HTTP/2 hold. */
function largeSnapshot(version: number) {
  const assignment = create(ClusterLoadAssignmentSchema, {
    clusterName: "a",
    endpoints: Array.from({ length: 1000 }, (_, i) => ({
      locality: { region: `region-${version}-${i}-${"x".repeat(1000)}` },
    })),
  });
  return {
    version: String(version),
    resources: new Map([[ENDPOINT_TYPE, new Map([["a", versionedResource("a", assignment)]])]]),
  };
}
