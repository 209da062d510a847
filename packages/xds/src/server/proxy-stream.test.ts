import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Message, MessageInitShape } from "@bufbuild/protobuf";
import { create } from "@bufbuild/protobuf";
import type { DeltaDiscoveryResponse, DiscoveryResponse } from "../api/index.ts";
import {
  CLUSTER_TYPE,
  DeltaDiscoveryRequestSchema,
  DiscoveryRequestSchema,
  ENDPOINT_TYPE,
  LISTENER_TYPE,
  NodeSchema,
  ROUTE_TYPE,
  SECRET_TYPE,
  unpackAny,
} from "../api/index.ts";
import { cluster, endpoints, listener, route, snapshot } from "../testing/resources.ts";
import { delta } from "./delta.ts";
import type { Protocol } from "./protocol.ts";
import { ProxyStream } from "./proxy-stream.ts";
import { sotw } from "./sotw.ts";

const node = create(NodeSchema, { id: "node" });

function newStream<Request extends Message, Response extends Message>(protocol: Protocol<Request, Response>) {
  let wallMs = 1000;
  return new ProxyStream({
    streamId: 1,
    proxyId: "proxy",
    node,
    protocol,
    identifier: "test",
    clock: { wallMs: () => wallMs++, monotonicMs: () => 0 },
    onNack: () => {},
    onStatusChange: () => {},
  });
}

/** A delta client that remembers the last nonce of each type and says in short what it got. */
function deltaClient() {
  const stream = newStream(delta);
  const nonces = new Map<string, string>();
  const send = (init: MessageInitShape<typeof DeltaDiscoveryRequestSchema>): void =>
    stream.receive(create(DeltaDiscoveryRequestSchema, init));
  return {
    stream,
    send,
    subscribe: (typeUrl: string, ...names: string[]): void => send({ typeUrl, resourceNamesSubscribe: names }),
    next(): { type: string; added: string[]; removed: string[] } | undefined {
      const response: DeltaDiscoveryResponse | undefined = stream.next();
      if (response === undefined) return undefined;
      nonces.set(response.typeUrl, response.nonce);
      const added = response.resources.map((resource) => resource.name);
      return { type: response.typeUrl, added, removed: response.removedResources };
    },
    ack: (typeUrl: string): void => send({ typeUrl, responseNonce: nonces.get(typeUrl) ?? "" }),
    nack: (typeUrl: string, message: string): void =>
      send({ typeUrl, responseNonce: nonces.get(typeUrl) ?? "", errorDetail: { code: 3, message } }),
  };
}

function sotwClient() {
  const stream = newStream(sotw);
  const nonces = new Map<string, string>();
  const send = (init: MessageInitShape<typeof DiscoveryRequestSchema>): void =>
    stream.receive(create(DiscoveryRequestSchema, init));
  return {
    stream,
    send,
    nonceOf: (type: string): string => nonces.get(type) ?? "",
    next(): { type: string; names: string[] } | undefined {
      const response: DiscoveryResponse | undefined = stream.next();
      if (response === undefined) return undefined;
      nonces.set(response.typeUrl, response.nonce);
      const messages = response.resources.map(
        (any) => unpackAny(any) as Message & { name?: string; clusterName?: string },
      );
      return { type: response.typeUrl, names: messages.map((message) => message.clusterName ?? message.name ?? "") };
    },
    ack: (typeUrl: string, ...resourceNames: string[]): void =>
      send({ typeUrl, resourceNames, responseNonce: nonces.get(typeUrl) ?? "" }),
    nack: (typeUrl: string, message = "no"): void =>
      send({ typeUrl, responseNonce: nonces.get(typeUrl) ?? "", errorDetail: { code: 3, message } }),
  };
}

const one = snapshot("1", {
  clusters: [cluster("a")],
  endpoints: [endpoints("a")],
  listeners: [listener("in", "r")],
  routes: [route("r", "*")],
});

/** A client that has everything of snapshot one. */
function syncedDeltaClient() {
  const client = deltaClient();
  client.stream.setSnapshot(one);
  client.subscribe(CLUSTER_TYPE);
  client.subscribe(LISTENER_TYPE);
  client.subscribe(ENDPOINT_TYPE, "a");
  client.subscribe(ROUTE_TYPE, "r");
  for (const type of [CLUSTER_TYPE, ENDPOINT_TYPE, LISTENER_TYPE, ROUTE_TYPE]) {
    assert.equal(client.next()?.type, type);
    client.ack(type);
  }
  assert.equal(client.next(), undefined);
  return client;
}

describe("the order of a push", () => {
  it("sends each type after the ACK of the one before: clusters, endpoints, listeners, routes", () => {
    const client = deltaClient();
    client.stream.setSnapshot(one);
    client.subscribe(LISTENER_TYPE);
    client.subscribe(CLUSTER_TYPE);
    client.subscribe(ROUTE_TYPE, "r");
    client.subscribe(ENDPOINT_TYPE, "a");
    for (const type of [CLUSTER_TYPE, ENDPOINT_TYPE, LISTENER_TYPE, ROUTE_TYPE]) {
      assert.equal(client.next()?.type, type);
      assert.equal(client.next(), undefined, `nothing follows ${type} before its ACK`);
      client.ack(type);
    }
    assert.equal(client.next(), undefined);
    assert.equal(client.stream.status().syncedVersion, "1");
  });

  it("sends secrets beside clusters", () => {
    const client = deltaClient();
    client.stream.setSnapshot(one);
    client.subscribe(CLUSTER_TYPE);
    client.subscribe(SECRET_TYPE, "ROOTCA");
    client.subscribe(LISTENER_TYPE);
    const first = new Set([client.next()?.type, client.next()?.type]);
    assert.deepEqual(first, new Set([CLUSTER_TYPE, SECRET_TYPE]));
    assert.equal(client.next(), undefined);
    client.ack(CLUSTER_TYPE);
    assert.equal(client.next(), undefined, "the secret is not answered yet");
    client.ack(SECRET_TYPE);
    assert.equal(client.next()?.type, LISTENER_TYPE);
  });

  it("removes after the routes are ACKed, what refers before what is referred to", () => {
    const client = syncedDeltaClient();
    client.stream.setSnapshot(
      snapshot("2", {
        clusters: [cluster("b")],
        endpoints: [endpoints("b")],
        listeners: [listener("in2", "r")],
        routes: [route("r", "b")],
      }),
    );
    client.subscribe(ENDPOINT_TYPE, "b");
    assert.deepEqual(client.next(), { type: CLUSTER_TYPE, added: ["b"], removed: [] });
    client.ack(CLUSTER_TYPE);
    assert.deepEqual(client.next(), { type: ENDPOINT_TYPE, added: ["b"], removed: [] });
    client.ack(ENDPOINT_TYPE);
    // The new listener may need the port of the old one.
    assert.deepEqual(client.next(), { type: LISTENER_TYPE, added: ["in2"], removed: ["in"] });
    client.ack(LISTENER_TYPE);
    assert.deepEqual(client.next(), { type: ROUTE_TYPE, added: ["r"], removed: [] });
    assert.equal(client.next(), undefined, "removals wait for the ACK of the routes");
    client.ack(ROUTE_TYPE);
    for (const [type, name] of [
      [CLUSTER_TYPE, "a"],
      [ENDPOINT_TYPE, "a"],
    ] as const) {
      assert.deepEqual(client.next(), { type, added: [], removed: [name] });
      assert.equal(client.next(), undefined, `nothing follows the removal of ${name} before its ACK`);
      client.ack(type);
    }
    assert.equal(client.next(), undefined);
    assert.equal(client.stream.status().syncedVersion, "2");
  });

  it("goes on after a refusal, but removes nothing that the refusing type may still need", () => {
    const client = syncedDeltaClient();
    client.stream.setSnapshot(snapshot("2", { listeners: [listener("in", "r")], routes: [route("r", "bad")] }));
    assert.deepEqual(client.next(), { type: ROUTE_TYPE, added: ["r"], removed: [] });
    client.nack(ROUTE_TYPE, "r: bad domain");
    assert.equal(client.next(), undefined, "cluster a stays: the old routes are in force and lead to it");
    const status = client.stream.status();
    assert.equal(status.syncedVersion, "1");
    assert.equal(status.types.find((type) => type.type === ROUTE_TYPE)?.state, "rejected");
    client.stream.setSnapshot(snapshot("3", { listeners: [listener("in", "r")], routes: [route("r", "good")] }));
    assert.deepEqual(client.next(), { type: ROUTE_TYPE, added: ["r"], removed: [] });
    client.ack(ROUTE_TYPE);
    assert.deepEqual(client.next(), { type: CLUSTER_TYPE, added: [], removed: ["a"] });
  });

  it("is in sync again when what a refusal named was replaced, the rest of its batch being in force", () => {
    const client = syncedDeltaClient();
    const clusters = [cluster("a", "bad"), cluster("b")];
    const rest = { listeners: [listener("in", "r")], routes: [route("r", "*")] };
    client.stream.setSnapshot(snapshot("2", { ...rest, clusters }));
    assert.deepEqual(client.next(), { type: CLUSTER_TYPE, added: ["a", "b"], removed: [] });
    client.nack(CLUSTER_TYPE, "a: bad name");
    client.next();
    client.stream.setSnapshot(snapshot("3", { ...rest, clusters: [cluster("a", "good"), ...clusters.slice(1)] }));
    assert.deepEqual(client.next(), { type: CLUSTER_TYPE, added: ["a"], removed: [] });
    client.ack(CLUSTER_TYPE);
    client.next();
    assert.equal(client.stream.status().types.find((type) => type.type === CLUSTER_TYPE)?.state, "accepted");
  });

  it("does not hold removals for a refused resource that the client has dropped since", () => {
    const client = syncedDeltaClient();
    client.stream.setSnapshot(snapshot("2", { listeners: [listener("in", "r")], routes: [route("r", "bad")] }));
    assert.equal(client.next()?.type, ROUTE_TYPE);
    client.nack(ROUTE_TYPE, "r: bad domain");
    client.stream.setSnapshot(snapshot("3", {}));
    assert.deepEqual(client.next(), { type: LISTENER_TYPE, added: [], removed: ["in"] });
    client.send({ typeUrl: ROUTE_TYPE, resourceNamesUnsubscribe: ["r"] });
    client.ack(LISTENER_TYPE);
    assert.deepEqual(client.next(), { type: CLUSTER_TYPE, added: [], removed: ["a"] });
  });

  it("sends endpoints and routes again when their cluster or listener changes", () => {
    const client = syncedDeltaClient();
    client.stream.setSnapshot(
      snapshot("2", {
        clusters: [cluster("a", "changed")],
        endpoints: [endpoints("a")],
        listeners: [listener("in", "r", "", "changed")],
        routes: [route("r", "*")],
      }),
    );
    for (const [type, name] of [
      [CLUSTER_TYPE, "a"],
      [ENDPOINT_TYPE, "a"],
      [LISTENER_TYPE, "in"],
      [ROUTE_TYPE, "r"],
    ] as const) {
      assert.deepEqual(client.next(), { type, added: [name], removed: [] });
      client.ack(type);
    }
    assert.equal(client.next(), undefined);
  });

  it("heads for the newest snapshot when several arrive while an answer is awaited", () => {
    const client = syncedDeltaClient();
    for (let version = 2; version <= 50; version += 1) {
      client.stream.setSnapshot(
        snapshot(String(version), {
          clusters: [cluster("a")],
          endpoints: [endpoints("a", version)],
          listeners: [listener("in", "r")],
          routes: [route("r", "*")],
        }),
      );
      if (version === 2) assert.deepEqual(client.next()?.added, ["a"]);
    }
    client.ack(ENDPOINT_TYPE);
    assert.deepEqual(client.next(), { type: ENDPOINT_TYPE, added: ["a"], removed: [] });
    client.ack(ENDPOINT_TYPE);
    assert.equal(client.next(), undefined, "the versions between were never sent");
    assert.equal(client.stream.status().syncedVersion, "50");
  });
});

describe("delta subscriptions", () => {
  it("answer an empty wildcard, so that the client knows that there is nothing", () => {
    const client = deltaClient();
    client.subscribe(LISTENER_TYPE);
    assert.equal(client.next(), undefined, "there is no snapshot yet");
    client.stream.setSnapshot(snapshot("1", {}));
    assert.deepEqual(client.next(), { type: LISTENER_TYPE, added: [], removed: [] });
  });

  it("say once that a named resource does not exist, and send it when it does", () => {
    const client = deltaClient();
    client.stream.setSnapshot(snapshot("1", {}));
    client.subscribe(ENDPOINT_TYPE, "a");
    assert.deepEqual(client.next(), { type: ENDPOINT_TYPE, added: [], removed: ["a"] });
    client.ack(ENDPOINT_TYPE);
    client.stream.setSnapshot(snapshot("2", {}));
    assert.equal(client.next(), undefined);
    client.stream.setSnapshot(snapshot("3", { endpoints: [endpoints("a")] }));
    assert.deepEqual(client.next(), { type: ENDPOINT_TYPE, added: ["a"], removed: [] });
  });

  it("send nothing that the client brought from an earlier stream, and remove what is gone", () => {
    const versionOf = (type: string, name: string): string => one.resources.get(type)?.get(name)?.version ?? "";
    const client = deltaClient();
    client.stream.setSnapshot(one);
    client.send({ typeUrl: CLUSTER_TYPE, initialResourceVersions: { a: versionOf(CLUSTER_TYPE, "a"), gone: "old" } });
    assert.deepEqual(client.next(), { type: CLUSTER_TYPE, added: [], removed: [] });
    client.ack(CLUSTER_TYPE);
    assert.deepEqual(client.next(), { type: CLUSTER_TYPE, added: [], removed: ["gone"] });
    client.ack(CLUSTER_TYPE);
    client.send({ typeUrl: LISTENER_TYPE, initialResourceVersions: { in: versionOf(LISTENER_TYPE, "in") } });
    assert.deepEqual(client.next(), { type: LISTENER_TYPE, added: [], removed: [] }, "it hears that it has all");
    client.ack(LISTENER_TYPE);
    client.send({
      typeUrl: ENDPOINT_TYPE,
      resourceNamesSubscribe: ["a"],
      initialResourceVersions: { a: versionOf(ENDPOINT_TYPE, "a") },
    });
    const endpointState = (): string | undefined =>
      client.stream.status().types.find(({ type }) => type === ENDPOINT_TYPE)?.state;
    assert.equal(endpointState(), "idle");
    assert.equal(client.next(), undefined);
    assert.equal(endpointState(), "unchanged");
    client.send({ typeUrl: ROUTE_TYPE, resourceNamesSubscribe: ["r"], initialResourceVersions: { r: "old" } });
    assert.deepEqual(client.next(), { type: ROUTE_TYPE, added: ["r"], removed: [] });
  });

  it("send a resource again when it is asked for again", () => {
    const client = syncedDeltaClient();
    client.subscribe(ENDPOINT_TYPE, "a");
    assert.deepEqual(client.next(), { type: ENDPOINT_TYPE, added: ["a"], removed: [] });
  });

  it("stop for names that are no longer wanted", () => {
    const client = syncedDeltaClient();
    client.send({ typeUrl: ENDPOINT_TYPE, resourceNamesUnsubscribe: ["a"] });
    client.stream.setSnapshot(
      snapshot("2", { clusters: [cluster("a")], listeners: [listener("in", "r")], routes: [route("r", "*")] }),
    );
    assert.equal(client.next(), undefined);
  });

  it("turn from all to named ones and back by the name *", () => {
    const client = deltaClient();
    client.stream.setSnapshot(snapshot("1", { clusters: [cluster("a"), cluster("b")] }));
    client.subscribe(CLUSTER_TYPE, "a");
    assert.deepEqual(client.next()?.added, ["a"]);
    client.ack(CLUSTER_TYPE);
    client.subscribe(CLUSTER_TYPE, "*");
    assert.deepEqual(client.next()?.added, ["b"]);
    client.ack(CLUSTER_TYPE);
    client.send({ typeUrl: CLUSTER_TYPE, resourceNamesUnsubscribe: ["*"] });
    client.stream.setSnapshot(snapshot("2", { clusters: [cluster("a", "new"), cluster("b", "new")] }));
    assert.deepEqual(client.next()?.added, ["a"]);
  });

  it("never count an answer to an earlier response", () => {
    const client = syncedDeltaClient();
    client.stream.setSnapshot(
      snapshot("2", {
        clusters: [cluster("a")],
        endpoints: [endpoints("a", 81)],
        listeners: [listener("in", "r")],
        routes: [route("r", "*")],
      }),
    );
    assert.equal(client.next()?.type, ENDPOINT_TYPE);
    client.send({ typeUrl: ENDPOINT_TYPE, responseNonce: "0" });
    const status = (): string | undefined => client.stream.status().types.find((t) => t.type === ENDPOINT_TYPE)?.state;
    assert.equal(status(), "pending");
    client.ack(ENDPOINT_TYPE);
    assert.equal(status(), "accepted");
  });
});

describe("state of the world", () => {
  it("keeps clusters in the list until the routes that may lead to them are ACKed", () => {
    const client = sotwClient();
    client.stream.setSnapshot(one);
    client.send({ typeUrl: CLUSTER_TYPE });
    client.send({ typeUrl: ENDPOINT_TYPE, resourceNames: ["a"] });
    client.send({ typeUrl: LISTENER_TYPE });
    client.send({ typeUrl: ROUTE_TYPE, resourceNames: ["r"] });
    const names = new Map([
      [ENDPOINT_TYPE, ["a"]],
      [ROUTE_TYPE, ["r"]],
    ]);
    for (const type of [CLUSTER_TYPE, ENDPOINT_TYPE, LISTENER_TYPE, ROUTE_TYPE]) {
      assert.equal(client.next()?.type, type);
      client.ack(type, ...(names.get(type) ?? []));
    }
    client.stream.setSnapshot(
      snapshot("2", {
        clusters: [cluster("b")],
        endpoints: [endpoints("b")],
        listeners: [listener("in", "r")],
        routes: [route("r", "b")],
      }),
    );
    assert.deepEqual(client.next(), { type: CLUSTER_TYPE, names: ["a", "b"] });
    client.send({ typeUrl: ENDPOINT_TYPE, resourceNames: ["a", "b"], responseNonce: client.nonceOf(ENDPOINT_TYPE) });
    client.ack(CLUSTER_TYPE);
    assert.deepEqual(client.next(), { type: ENDPOINT_TYPE, names: ["b"] });
    client.ack(ENDPOINT_TYPE, "a", "b");
    assert.deepEqual(client.next(), { type: ROUTE_TYPE, names: ["r"] });
    assert.equal(client.next(), undefined);
    client.ack(ROUTE_TYPE, "r");
    assert.deepEqual(client.next(), { type: CLUSTER_TYPE, names: ["b"] });
    client.ack(CLUSTER_TYPE);
    assert.equal(client.next(), undefined);
    assert.equal(client.stream.status().syncedVersion, "2");
  });

  it("ignores a request with the nonce of an earlier response, its names included", () => {
    const client = sotwClient();
    client.stream.setSnapshot(snapshot("1", { endpoints: [endpoints("a"), endpoints("b")] }));
    client.send({ typeUrl: ENDPOINT_TYPE, resourceNames: ["a"] });
    assert.deepEqual(client.next()?.names, ["a"]);
    const first = client.nonceOf(ENDPOINT_TYPE);
    client.ack(ENDPOINT_TYPE, "a");
    client.stream.setSnapshot(snapshot("2", { endpoints: [endpoints("a", 81), endpoints("b")] }));
    assert.deepEqual(client.next()?.names, ["a"]);
    client.send({ typeUrl: ENDPOINT_TYPE, resourceNames: ["a", "b"], responseNonce: first });
    assert.equal(client.stream.status().types[0]?.state, "pending");
    assert.equal(client.stream.status().types[0]?.subscribed, 1);
    client.ack(ENDPOINT_TYPE, "a", "b");
    assert.deepEqual(client.next()?.names, ["b"], "the names come with the answer to the newer response");
  });

  it("stops being a wildcard once names were given, and an empty list then wants nothing", () => {
    const client = sotwClient();
    client.stream.setSnapshot(snapshot("1", { clusters: [cluster("a"), cluster("b")] }));
    client.send({ typeUrl: CLUSTER_TYPE });
    assert.deepEqual(client.next()?.names, ["a", "b"]);
    client.ack(CLUSTER_TYPE, "a");
    client.stream.setSnapshot(snapshot("2", { clusters: [cluster("a", "x"), cluster("b", "x")] }));
    assert.deepEqual(client.next()?.names, ["a"]);
    client.ack(CLUSTER_TYPE);
    client.stream.setSnapshot(snapshot("3", { clusters: [cluster("a", "y"), cluster("b", "y")] }));
    assert.equal(client.next(), undefined);
  });

  it("does not repeat what was refused until it changes", () => {
    const client = sotwClient();
    client.stream.setSnapshot(snapshot("1", { clusters: [cluster("a")] }));
    client.send({ typeUrl: CLUSTER_TYPE });
    assert.deepEqual(client.next()?.names, ["a"]);
    client.nack(CLUSTER_TYPE);
    assert.equal(client.next(), undefined);
    assert.deepEqual(client.stream.status().types[0]?.lastNack, {
      version: "1",
      nonce: "1",
      message: "no",
      atMs: 1002,
    });
    client.stream.setSnapshot(snapshot("2", { clusters: [cluster("a", "better")] }));
    assert.deepEqual(client.next()?.names, ["a"]);
    client.ack(CLUSTER_TYPE);
    assert.equal(client.stream.status().types[0]?.state, "accepted");
  });

  it("is in sync when what it refuses is one that is repeated with the others until it may be removed", () => {
    const client = sotwClient();
    client.stream.setSnapshot(snapshot("1", { clusters: [cluster("a"), cluster("b", "bad")] }));
    client.send({ typeUrl: CLUSTER_TYPE });
    assert.deepEqual(client.next()?.names, ["a", "b"]);
    client.nack(CLUSTER_TYPE, "b: bad name");
    client.stream.setSnapshot(snapshot("2", { clusters: [cluster("a", "changed"), cluster("c")] }));
    assert.deepEqual(client.next()?.names, ["a", "b", "c"]);
    client.nack(CLUSTER_TYPE, "b: bad name");
    assert.deepEqual(client.next()?.names, ["a", "c"]);
    client.ack(CLUSTER_TYPE);
    assert.equal(client.next(), undefined);
    assert.equal(client.stream.status().types[0]?.state, "accepted");
    assert.equal(client.stream.status().syncedVersion, "2");
  });

  it("takes the ACK of a list for everything in it, also where words that named nothing refused all", () => {
    const client = sotwClient();
    client.stream.setSnapshot(snapshot("1", { clusters: [cluster("a"), cluster("b")] }));
    client.send({ typeUrl: CLUSTER_TYPE });
    client.next();
    client.nack(CLUSTER_TYPE);
    client.stream.setSnapshot(snapshot("2", { clusters: [cluster("a", "changed"), cluster("b")] }));
    assert.deepEqual(client.next()?.names, ["a", "b"]);
    client.ack(CLUSTER_TYPE);
    assert.equal(client.next(), undefined);
    assert.equal(client.stream.status().syncedVersion, "2");
  });

  it("answers a named request even when nothing of it exists", () => {
    const client = sotwClient();
    client.stream.setSnapshot(snapshot("1", {}));
    client.send({ typeUrl: ENDPOINT_TYPE, resourceNames: ["a"] });
    assert.deepEqual(client.next(), { type: ENDPOINT_TYPE, names: [] });
    client.ack(ENDPOINT_TYPE, "a");
    assert.equal(client.next(), undefined);
  });
});

describe("a stream", () => {
  it("is one node's", () => {
    const client = deltaClient();
    assert.throws(() => client.send({ typeUrl: CLUSTER_TYPE, node: { id: "other" } }), /node/);
  });

  it("refuses a request without a type", () => {
    assert.throws(() => deltaClient().send({}), /type_url/);
  });

  it("serves types that it has never heard of as empty", () => {
    const client = deltaClient();
    client.stream.setSnapshot(snapshot("1", {}));
    client.subscribe("type.googleapis.com/example.v1.Thing", "x");
    assert.deepEqual(client.next()?.removed, ["x"]);
  });

  it("refuses more types than there are", () => {
    const client = deltaClient();
    for (let i = 0; i < 64; i += 1) client.subscribe(`type.googleapis.com/example.v1.T${i}`, "x");
    assert.throws(() => client.subscribe("type.googleapis.com/example.v1.More", "x"), /resource types/);
  });
});
