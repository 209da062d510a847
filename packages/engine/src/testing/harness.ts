// Envoy JSON → load → bind → steps, in one place for the tests of this package.
import assert from "node:assert/strict";
import type { RandomSource } from "@heddle/core";
import {
  ClusterLoadAssignmentSchema,
  ClusterSchema,
  type DescMessage,
  fromJson,
  type JsonObject,
  ListenerSchema,
  type MessageShape,
  RouteConfigurationSchema,
  typeRegistry,
} from "@heddle/xds/api";
import type { ConnectionView } from "../bind/connection.ts";
import { applyDelta, emptySnapshot, type Snapshot } from "../bind/snapshot.ts";
import type { BoundHttpConnectionManager } from "../bind/types.ts";
import { loadCluster } from "../load/cluster.ts";
import { loadEndpoints } from "../load/endpoints.ts";
import { loadListener } from "../load/listener.ts";
import type { Loaded, LoadOptions } from "../load/loading.ts";
import { loadRouteConfiguration } from "../load/route-table.ts";
import { Action } from "../steps/action.ts";
import { chooseEndpoint } from "../steps/choose-endpoint.ts";
import { decideRequest } from "../steps/decide-request.ts";
import type { DecisionTrace, TraceEntry } from "../steps/decision-trace.ts";
import { LiveState } from "../steps/live-state.ts";
import { prepareRequest } from "../steps/prepare-request.ts";
import { RequestRecord } from "../steps/request-record.ts";
import { connectionView, PlainHeaders, type RequestParts } from "./fixtures.ts";

export function fromEnvoyJson<Desc extends DescMessage>(schema: Desc, json: JsonObject): MessageShape<Desc> {
  return fromJson(schema, json, { registry: typeRegistry });
}

/** The configuration of a load that must succeed. */
export function configOf<T>(loaded: Loaded<T>): T {
  assert.deepEqual(loaded.problems, []);
  return loaded.config as T;
}

/** `path: message` of every problem of a load that must fail. */
export function problemsOf(loaded: Loaded<unknown>): string[] {
  assert.equal(loaded.config, undefined);
  return loaded.problems.map(({ path, message }) => `${path}: ${message}`);
}

export const typeUrls = {
  manager: "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
  router: "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
  rbac: "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
  rbacPerRoute: "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBACPerRoute",
  fault: "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault",
  networkRbac: "type.googleapis.com/envoy.extensions.filters.network.rbac.v3.RBAC",
  tcpProxy: "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
  downstreamTls: "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
  upstreamTls: "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
  previousHosts: "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate",
  idempotent: "type.googleapis.com/heddle.v1.IdempotentRequest",
} as const;

export const routerFilter: JsonObject = { name: "router", typed_config: { "@type": typeUrls.router } };

/** A listener with one connection manager; `manager` is laid over the defaults. */
export function listenerJson(manager: JsonObject, listener: JsonObject = {}): JsonObject {
  return {
    name: "test",
    address: { socket_address: { address: "127.0.0.1", port_value: 8080 } },
    filter_chains: [
      {
        filters: [
          {
            name: "hcm",
            typed_config: { "@type": typeUrls.manager, stat_prefix: "test", http_filters: [routerFilter], ...manager },
          },
        ],
      },
    ],
    ...listener,
  };
}

/** A static cluster with endpoints 10.1.0.1, 10.1.0.2 …; `members` gives each one's extra fields. */
export function clusterJson(name: string, members: readonly JsonObject[] = [{}], cluster: JsonObject = {}): JsonObject {
  return {
    name,
    type: "STATIC",
    load_assignment: {
      cluster_name: name,
      endpoints: [
        {
          lb_endpoints: members.map((member, index) => ({
            endpoint: { address: { socket_address: { address: `10.1.0.${index + 1}`, port_value: 80 } } },
            ...member,
          })),
        },
      ],
    },
    ...cluster,
  };
}

/** One virtual host for every domain. */
export function routesJson(routes: readonly JsonObject[], table: JsonObject = {}, host: JsonObject = {}): JsonObject {
  return { name: "table", virtual_hosts: [{ name: "host", domains: ["*"], routes: [...routes], ...host }], ...table };
}

export interface MeshParts {
  readonly routes?: JsonObject;
  readonly manager?: JsonObject;
  readonly clusters?: readonly JsonObject[];
  readonly assignments?: readonly JsonObject[];
  readonly tables?: readonly JsonObject[];
  readonly options?: LoadOptions;
}

/** A source that repeats the given numbers. */
export function numbers(...values: readonly number[]): RandomSource {
  let at = 0;
  return () => values[at++ % values.length] ?? 0;
}

/** mulberry32: a small seeded generator. */
export function seeded(seed: number): RandomSource {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

export class TraceList implements DecisionTrace {
  readonly entries: TraceEntry[] = [];

  add(entry: TraceEntry): void {
    this.entries.push(entry);
  }
}

/** One proxy: a listener, its routes and clusters, and the live state. */
export class Mesh {
  snapshot: Snapshot;
  readonly live: LiveState;
  readonly out: Action;
  random: RandomSource;
  nowMs: number;

  constructor(parts: MeshParts) {
    const manager: JsonObject = parts.routes === undefined ? {} : { route_config: parts.routes };
    const listener = fromEnvoyJson(ListenerSchema, listenerJson({ ...manager, ...parts.manager }));
    const options = parts.options ?? {};
    this.snapshot = applyDelta(emptySnapshot, {
      listeners: { set: [configOf(loadListener(listener, options))], remove: [] },
      clusters: {
        set: (parts.clusters ?? []).map((json) => configOf(loadCluster(fromEnvoyJson(ClusterSchema, json), options))),
        remove: [],
      },
      routeTables: {
        set: (parts.tables ?? []).map((json) =>
          configOf(loadRouteConfiguration(fromEnvoyJson(RouteConfigurationSchema, json), options)),
        ),
        remove: [],
      },
      endpoints: {
        set: (parts.assignments ?? []).map((json) =>
          configOf(loadEndpoints(fromEnvoyJson(ClusterLoadAssignmentSchema, json), options)),
        ),
        remove: [],
      },
    });
    this.live = new LiveState();
    this.out = new Action();
    this.random = numbers(0);
    this.nowMs = 1000;
  }

  get hcm(): BoundHttpConnectionManager {
    return this.snapshot.listeners.get("test")?.chains[0]?.http as BoundHttpConnectionManager;
  }

  request(parts: RequestParts = {}, connection: Partial<ConnectionView> = {}): RequestRecord {
    const req = new RequestRecord();
    const headers = new PlainHeaders(Object.entries(parts.headers ?? {}));
    req.begin(
      parts.method ?? "GET",
      parts.path ?? "/",
      parts.authority ?? "example.com",
      parts.scheme ?? "",
      headers,
      connectionView(connection),
    );
    req.upgrade = parts.upgrade ?? "";
    return req;
  }

  prepare(parts: RequestParts = {}, connection: Partial<ConnectionView> = {}, trace?: DecisionTrace): RequestRecord {
    const req = this.request(parts, connection);
    prepareRequest(this.hcm, req, this.random, this.out, trace);
    return req;
  }

  /** Prepared and decided; `this.out` has the result. */
  decide(parts: RequestParts = {}, connection: Partial<ConnectionView> = {}, trace?: DecisionTrace): RequestRecord {
    const req = this.prepare(parts, connection, trace);
    if (this.out.kind === "proceed")
      decideRequest(this.snapshot, this.live, this.hcm, req, this.nowMs, this.random, this.out, trace);
    return req;
  }

  choose(req: RequestRecord, trace?: DecisionTrace): void {
    chooseEndpoint(this.live, req, this.nowMs, this.random, this.out, trace);
  }

  /** Decided, forwarded and with an endpoint. */
  forward(parts: RequestParts = {}, connection: Partial<ConnectionView> = {}): RequestRecord {
    const req = this.decide(parts, connection);
    assert.equal(this.out.kind, "forward", `${this.out.code} ${this.out.details}`);
    this.choose(req);
    assert.equal(this.out.kind, "connect", `${this.out.code} ${this.out.details}`);
    return req;
  }
}

/** A route to a cluster; `match` defaults to every path. */
export function routeTo(cluster: string, action: JsonObject = {}, route: JsonObject = {}): JsonObject {
  return { match: { prefix: "/" }, route: { cluster, ...action }, ...route };
}
