import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { Message } from "@bufbuild/protobuf";
import { create, isMessage, toJson } from "@bufbuild/protobuf";
import type { ClusterLoadAssignment, Listener, ResourceType, RouteConfiguration } from "../api/index.ts";
import {
  CLUSTER_TYPE,
  ClusterLoadAssignmentSchema,
  ClusterSchema,
  DeltaDiscoveryRequestSchema,
  DiscoveryRequestSchema,
  ENDPOINT_TYPE,
  LISTENER_TYPE,
  ListenerSchema,
  NodeSchema,
  resourceSchemas,
  ROUTE_TYPE,
  RouteConfigurationSchema,
  unpackAny,
} from "../api/index.ts";
import { referencesOf } from "../references.ts";
import { cluster, endpoints, listener, route, snapshot } from "../testing/resources.ts";
import { delta } from "./delta.ts";
import { ProxyStream } from "./proxy-stream.ts";
import { sotw } from "./sotw.ts";

/** A state of the mesh: which clusters there are, each in one of a few versions, and which of them each listener's routes use. */
interface Mesh {
  readonly clusters: Readonly<Record<string, number>>;
  readonly listeners: Readonly<Record<string, { readonly version: number; readonly uses: readonly string[] }>>;
}

const names = fc.constantFrom("a", "b", "c", "d");
const version = fc.integer({ min: 0, max: 2 });
const mesh: fc.Arbitrary<Mesh> = fc
  .record({
    clusters: fc.dictionary(names, version),
    listeners: fc.dictionary(
      fc.constantFrom("x", "y", "z"),
      fc.record({ version, uses: fc.array(names, { maxLength: 3 }) }),
    ),
  })
  // As the compiler does: what a route uses exists.
  .map(({ clusters, listeners }) => ({
    clusters: {
      ...Object.fromEntries(Object.values(listeners).flatMap(({ uses }) => uses.map((name) => [name, 0]))),
      ...clusters,
    },
    listeners,
  }));

type Step = { readonly kind: "mesh"; readonly mesh: Mesh } | { readonly kind: "read" } | { readonly kind: "answer" };
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 1, arbitrary: mesh.map((value): Step => ({ kind: "mesh", mesh: value })) },
    { weight: 3, arbitrary: fc.constant<Step>({ kind: "read" }) },
    { weight: 3, arbitrary: fc.constant<Step>({ kind: "answer" }) },
  ),
  { maxLength: 60 },
);

function snapshotOf({ clusters, listeners }: Mesh, number: number) {
  return snapshot(String(number), {
    clusters: Object.entries(clusters).map(([name, v]) => cluster(name, String(v))),
    endpoints: Object.entries(clusters).map(([name, v]) => endpoints(name, 8000 + v)),
    listeners: Object.entries(listeners).map(([name, l]) => listener(name, `routes-${name}`, "", String(l.version))),
    routes: Object.entries(listeners).map(([name, l]) => route(`routes-${name}`, ...l.uses)),
  });
}

/** What a proxy has, and the answers that it still owes. A route's domains stand for the clusters that it leads to. */
class Proxy {
  readonly has = new Map<ResourceType, Map<string, Message>>(
    [CLUSTER_TYPE, ENDPOINT_TYPE, LISTENER_TYPE, ROUTE_TYPE].map((type) => [type as ResourceType, new Map()]),
  );
  readonly owed: (() => void)[] = [];

  of(type: ResourceType): Map<string, Message> {
    return this.has.get(type) ?? new Map<string, Message>();
  }

  /** What it refers to, for the subscriptions. */
  wants(type: ResourceType): string[] {
    const kind = type === ENDPOINT_TYPE ? "endpoints" : "routes";
    const from = type === ENDPOINT_TYPE ? CLUSTER_TYPE : LISTENER_TYPE;
    return [...new Set([...this.of(from).values()].flatMap((message) => referencesOf(message)[kind]))];
  }

  /** Drops routes and endpoints that nothing refers to, as a proxy does with their listener or cluster. */
  prune(): void {
    for (const type of [ENDPOINT_TYPE, ROUTE_TYPE] as const) {
      const wanted = new Set(this.wants(type));
      for (const name of this.of(type).keys()) {
        if (!wanted.has(name)) this.of(type).delete(name);
      }
    }
  }

  /** Make before break: nothing in force leads to something that is missing. */
  check(): void {
    const inUse = new Set(
      [...this.of(LISTENER_TYPE).values()].flatMap((message) => referencesOf(message as Listener).routes),
    );
    for (const [name, message] of this.of(ROUTE_TYPE)) {
      if (!inUse.has(name)) continue;
      for (const used of (message as RouteConfiguration).virtualHosts[0]?.domains ?? []) {
        assert.ok(this.of(CLUSTER_TYPE).has(used), `${name} leads to cluster ${used}, which was taken away`);
        assert.ok(this.of(ENDPOINT_TYPE).has(used), `${name} leads to ${used}, which has no endpoints`);
      }
    }
  }

  contents(): string {
    const lines = [...this.has].flatMap(([type, map]) =>
      [...map].map(([name, message]) => `${type} ${name} ${JSON.stringify(describeMessage(message))}`),
    );
    return lines.sort((a, b) => a.localeCompare(b)).join("\n");
  }
}

/** What of a message changes between meshes. */
function describeMessage(message: Message): unknown {
  if (isMessage(message, ClusterSchema)) return message.altStatName;
  if (isMessage(message, ListenerSchema)) return message.statPrefix;
  if (isMessage(message, RouteConfigurationSchema)) return message.virtualHosts.map((host) => host.domains);
  return toJson(ClusterLoadAssignmentSchema, message as ClusterLoadAssignment);
}

function options<P>(protocol: P) {
  return {
    streamId: 1,
    proxyId: "p",
    node: create(NodeSchema, { id: "p" }),
    protocol,
    identifier: "test",
    clock: { wallMs: () => 0, monotonicMs: () => 0 },
    onNack: () => assert.fail("nothing is refused"),
    onStatusChange: () => {},
  };
}

interface Peer {
  readonly proxy: Proxy;
  setMesh(mesh: Mesh, number: number): void;
  /** Reads the next response; false when there is none. */
  read(): boolean;
  syncedVersion(): string | undefined;
}

function deltaPeer(): Peer {
  const proxy = new Proxy();
  const stream = new ProxyStream(options(delta));
  const told = new Map<ResourceType, Set<string>>();
  const send = (init: Parameters<typeof create<typeof DeltaDiscoveryRequestSchema>>[1]): void =>
    stream.receive(create(DeltaDiscoveryRequestSchema, init));
  send({ typeUrl: CLUSTER_TYPE });
  send({ typeUrl: LISTENER_TYPE });
  return {
    proxy,
    setMesh: (value, number) => stream.setSnapshot(snapshotOf(value, number)),
    syncedVersion: () => stream.status().syncedVersion,
    read() {
      const response = stream.next();
      if (response === undefined) return false;
      const type = response.typeUrl as ResourceType;
      for (const { name, resource } of response.resources) {
        const message = resource && unpackAny(resource, resourceSchemas[type] as never);
        if (message !== undefined) proxy.of(type).set(name, message);
      }
      for (const name of response.removedResources) proxy.of(type).delete(name);
      proxy.owed.push(() => {
        for (const dependent of [ENDPOINT_TYPE, ROUTE_TYPE] as const) {
          const before = told.get(dependent) ?? new Set();
          const wanted = new Set(proxy.wants(dependent));
          const subscribe = [...wanted].filter((name) => !before.has(name));
          const unsubscribe = [...before].filter((name) => !wanted.has(name));
          told.set(dependent, wanted);
          if (subscribe.length + unsubscribe.length > 0) {
            send({ typeUrl: dependent, resourceNamesSubscribe: subscribe, resourceNamesUnsubscribe: unsubscribe });
          }
        }
        proxy.prune();
        send({ typeUrl: type, responseNonce: response.nonce });
      });
      return true;
    },
  };
}

function sotwPeer(): Peer {
  const proxy = new Proxy();
  const stream = new ProxyStream(options(sotw));
  const nonces = new Map<ResourceType, string>();
  const told = new Map<ResourceType, string>();
  const send = (init: Parameters<typeof create<typeof DiscoveryRequestSchema>>[1]): void =>
    stream.receive(create(DiscoveryRequestSchema, init));
  send({ typeUrl: CLUSTER_TYPE });
  send({ typeUrl: LISTENER_TYPE });
  return {
    proxy,
    setMesh: (value, number) => stream.setSnapshot(snapshotOf(value, number)),
    syncedVersion: () => stream.status().syncedVersion,
    read() {
      const response = stream.next();
      if (response === undefined) return false;
      const type = response.typeUrl as ResourceType;
      nonces.set(type, response.nonce);
      if (type === CLUSTER_TYPE || type === LISTENER_TYPE) proxy.of(type).clear();
      for (const any of response.resources) {
        const message = unpackAny(any) as Message & { name?: string; clusterName?: string };
        proxy.of(type).set(message.clusterName ?? message.name ?? "", message);
      }
      proxy.owed.push(() => {
        for (const dependent of [ENDPOINT_TYPE, ROUTE_TYPE] as const) {
          const wanted = proxy.wants(dependent);
          if (dependent === type || told.get(dependent) === wanted.join()) continue;
          told.set(dependent, wanted.join());
          send({ typeUrl: dependent, resourceNames: wanted, responseNonce: nonces.get(dependent) ?? "" });
        }
        proxy.prune();
        const own = type === ENDPOINT_TYPE || type === ROUTE_TYPE ? proxy.wants(type) : [];
        told.set(type, own.join());
        send({ typeUrl: type, resourceNames: own, responseNonce: response.nonce });
      });
      return true;
    },
  };
}

for (const [name, newPeer] of [
  ["delta", deltaPeer],
  ["state of the world", sotwPeer],
] as const) {
  describe(`any sequence of snapshots, ${name}`, () => {
    it("ends in the last one, and on the way nothing in force leads to what is missing", () => {
      fc.assert(
        fc.property(mesh, steps, (first, sequence) => {
          const peer = newPeer();
          let number = 1;
          let last = first;
          peer.setMesh(first, number);
          const answer = (): boolean => {
            const owed = peer.proxy.owed.shift();
            owed?.();
            return owed !== undefined;
          };
          for (const step of sequence) {
            if (step.kind === "mesh") {
              number += 1;
              last = step.mesh;
              peer.setMesh(last, number);
            } else if (step.kind === "read") {
              peer.read();
            } else {
              answer();
            }
            peer.proxy.check();
          }
          for (let isBusy = true; isBusy; peer.proxy.check()) isBusy = peer.read() || answer();
          const expected = new Proxy();
          for (const [type, resources] of snapshotOf(last, number).resources) {
            for (const resource of resources.values())
              expected.of(type as ResourceType).set(resource.name, resource.message);
          }
          assert.equal(peer.proxy.contents(), expected.contents());
          assert.equal(peer.syncedVersion(), String(number));
        }),
        { numRuns: 500 },
      );
    });
  });
}
