import type { CarriedProtocol } from "@heddle/api";
import type { Cluster, ClusterLoadAssignment, Listener, RouteConfiguration, Secret } from "@heddle/xds/api";
import { audienceFromKey, audienceOf } from "./audience.ts";
import { fixedClusterNames } from "./destination/fixed-clusters.ts";
import type { CompiledResource, MeshInputs, ProxyNode } from "./inputs.ts";
import { hostOfServiceKey, MeshModel } from "./model/mesh-model.ts";
import { firstPort, isHttp } from "./model/services.ts";
import { type Query, QueryGraph } from "./query-graph.ts";
import { ResourceQueries } from "./resource-queries.ts";
import { isDeepEqual } from "./structural-equality.ts";

type List<Resource extends CompiledResource["message"]> = readonly CompiledResource<Resource>[];
type ListQuery<Resource extends CompiledResource["message"]> = Query<[audience: string, id: string], List<Resource>>;

/** Everything one proxy is told, each list in the order of names. A list of which nothing changes stays the same object. */
export interface ProxyResources {
  readonly listeners: List<Listener>;
  readonly routes: List<RouteConfiguration>;
  readonly clusters: List<Cluster>;
  readonly endpoints: List<ClusterLoadAssignment>;
  /** None: trust bundles are the certificate authority's, and keys are made where they are used. */
  readonly secrets: List<Secret>;
}

/** A port of a service that the application calls. */
interface Call {
  readonly host: string;
  readonly port: number;
  readonly protocol: CarriedProtocol;
  /** Where it is called: a port of the caller's proxy, or, where calls are intercepted, the port itself. */
  readonly listenerPort: number;
}

/** What a workload's proxy takes traffic for, and where that traffic may end up. */
interface Reach {
  readonly calls: readonly Call[];
  readonly isIntercepted: boolean;
  /** The service behind the edge's port. */
  readonly edge: { readonly host: string; readonly port: number } | undefined;
  /** Every service that may get a request. */
  readonly hosts: readonly string[];
}

const none: readonly never[] = [];

/** After so many updates without a question about it, a result is forgotten; asking again computes it again. */
const retainedRevisions = 32;

/**
 * Resources and workloads in, Envoy v3 resources per proxy out. Pure: the same inputs give the same messages, whatever came before.
 * Incremental: an update computes nothing; what is asked for afterwards is computed again only as far as the update touches it, and
 * keeps its object where the result is the same.
 */
export class Compiler {
  readonly #graph = new QueryGraph();
  readonly #model = new MeshModel(this.#graph);
  readonly #resources = new ResourceQueries(this.#graph, this.#model);
  readonly #reach: Query<[id: string], Reach>;
  readonly #listeners: ListQuery<Listener>;
  readonly #routes: ListQuery<RouteConfiguration>;
  readonly #clusters: ListQuery<Cluster>;
  readonly #endpoints: ListQuery<ClusterLoadAssignment>;
  readonly #proxy: Query<[audience: string, id: string], ProxyResources>;

  constructor() {
    const graph = this.#graph;
    this.#reach = graph.query("reach", isDeepEqual, (id) => this.#computeReach(id));
    this.#listeners = graph.query("listeners", hasSameItems, (audience, id) => this.#collectListeners(audience, id));
    this.#routes = graph.query("route tables", hasSameItems, (audience, id) => this.#collectRoutes(audience, id));
    this.#clusters = graph.query("clusters", hasSameItems, (audience, id) => this.#collectClusters(audience, id));
    this.#endpoints = graph.query("assignments", hasSameItems, (_, id) => this.#collectEndpoints(id));
    this.#proxy = graph.query(
      "proxy",
      hasSameLists,
      (audience, id): ProxyResources => ({
        listeners: this.#listeners.get(audience, id),
        routes: this.#routes.get(audience, id),
        clusters: this.#clusters.get(audience, id),
        endpoints: this.#endpoints.get(audience, id),
        secrets: none,
      }),
    );
  }

  /** Puts new inputs in place of the ones before. */
  update(inputs: MeshInputs): void {
    this.#graph.beginRevision();
    this.#model.update(inputs);
    if (this.#graph.revision % retainedRevisions !== 0) return;
    this.#graph.sweep(retainedRevisions);
    this.#resources.sweep();
  }

  /** What a proxy is told now; nothing at all when the mesh does not know its workload. */
  resourcesFor(node: ProxyNode): ProxyResources {
    if (this.#model.instance(node.instanceId) === undefined) {
      return { listeners: none, routes: none, clusters: none, endpoints: none, secrets: none };
    }
    return this.#proxy.get(audienceOf(node).key, node.instanceId);
  }

  /** How often each step has been computed since the last update: what an edit has cost. */
  computed(): ReadonlyMap<string, number> {
    return this.#graph.computed();
  }

  #computeReach(id: string): Reach {
    const { kind, edgePort, edgeService, interception } = this.#model.profile(id);
    const isIntercepted = interception !== undefined;
    const calls = Object.entries(this.#model.instance(id)?.outboundPorts ?? {}).flatMap(([key, localPort]) => {
      const service = this.#model.service(hostOfServiceKey(key));
      // A service without an address has nowhere to be called at.
      if (service === undefined || (isIntercepted && service.addresses.length === 0)) return [];
      const { host, ports } = service;
      return isIntercepted
        ? ports.map((port): Call => ({ host, ...port, listenerPort: port.port }))
        : [{ host, ...firstPort(service), listenerPort: localPort }];
    });
    const behind = kind === "edge" ? this.#model.service(hostOfServiceKey(edgeService ?? "")) : undefined;
    const edge = behind === undefined || edgePort === undefined ? undefined : { host: behind.host, port: edgePort };
    const called = [...calls.map(({ host }) => host), ...(edge === undefined ? [] : [edge.host])];
    const hosts = new Set(called.flatMap((host) => this.#model.reachableHosts(host)));
    return { calls, isIntercepted, edge, hosts: [...hosts].sort() };
  }

  #collectListeners(audience: string, id: string): List<Listener> {
    const { calls, isIntercepted, edge } = this.#reach.get(id);
    const isSidecar = this.#model.profile(id).kind === "sidecar";
    const listener = isIntercepted ? this.#resources.serviceListener : this.#resources.outboundListener;
    return byName([
      ...calls.map(({ host, listenerPort }) => listener.get(audience, id, host, String(listenerPort))),
      ...(isIntercepted ? [this.#resources.virtualOutbound.get(id)] : []),
      // Envoy has its names from the agent beside it, which answers by TCP as well.
      ...(isIntercepted && audienceFromKey(audience).dialect === "heddle"
        ? [this.#resources.nameListener.get(id, [...new Set(calls.map(({ host }) => host))].sort().join(" "))]
        : []),
      ...(edge === undefined ? [] : [this.#resources.edgeListener.get(audience, id)]),
      ...(isSidecar ? [this.#resources.inboundListener.get(audience, id)] : []),
      ...(this.#takesTunnels(audience, id)
        ? [this.#resources.tunnelListener.get(audience, id), this.#resources.tunnelledListener.get(audience, id)]
        : []),
    ]);
  }

  /** Carriers are mutual TLS; what a port without it serves is reached in plaintext. */
  #takesTunnels(audience: string, id: string): boolean {
    return (
      this.#model.profile(id).tunnelPort !== undefined &&
      this.#model.transportMode(id).mode !== "DISABLE" &&
      audienceFromKey(audience).understands.has("TunnelServer")
    );
  }

  #collectRoutes(audience: string, id: string): List<RouteConfiguration> {
    const { calls, isIntercepted, edge } = this.#reach.get(id);
    const caller = this.#model.profile(id);
    const maskOf = (host: string) => this.#model.sourceMask(host, caller);
    return byName([
      ...calls
        .filter(({ protocol }) => isHttp(protocol))
        .map(({ host, port }) =>
          isIntercepted
            ? this.#resources.interceptedTable.get(audience, host, maskOf(host), String(port))
            : this.#resources.serviceTable.get(audience, host, maskOf(host)),
        ),
      ...(edge === undefined
        ? []
        : [this.#resources.edgeTable.get(audience, edge.host, maskOf(edge.host), String(edge.port))]),
    ]);
  }

  #collectClusters(audience: string, id: string): List<Cluster> {
    const isSidecar = this.#model.profile(id).kind === "sidecar";
    const { isIntercepted } = this.#reach.get(id);
    const fixed = isIntercepted ? fixedClusterNames : [];
    // What comes to the edge names the edge.
    const traffic = isIntercepted && isSidecar ? "intercepted" : "called";
    return byName([
      ...fixed.map((name) => this.#resources.fixedCluster.get(name, id)),
      ...this.#destinations(id).map(({ group, host, port, subset }) =>
        this.#resources.outboundCluster.get(audience, group, host, port, subset, traffic),
      ),
      ...this.#undeclared(id).map(({ group, host, port }) =>
        this.#resources.opaqueCluster.get(audience, group, host, port),
      ),
      ...(isSidecar ? [this.#resources.inboundCluster.get(id)] : []),
    ]);
  }

  #collectEndpoints(id: string): List<ClusterLoadAssignment> {
    return byName(
      this.#destinations(id).map(({ group, host, port, subset }) =>
        this.#resources.endpoints.get(group, host, port, subset),
      ),
    );
  }

  /** Every port and subset of the services within reach, as clients of the workload's namespace see them. */
  #destinations(id: string) {
    const { namespace } = this.#model.profile(id);
    return this.#reach.get(id).hosts.flatMap((host) => {
      const group = this.#model.ruleGroup(namespace, host);
      const subsets = ["", ...(this.#model.mergedRule(group)?.subsets ?? []).map(({ subset }) => subset.name)];
      const ports = this.#model.service(host)?.ports ?? [];
      return ports.flatMap(({ port }) => subsets.map((subset) => ({ group, host, port: String(port), subset })));
    });
  }

  /** Called ports that carry what their first bytes say, and so need a cluster for what is not HTTP; routes lead to none. */
  #undeclared(id: string) {
    const { namespace } = this.#model.profile(id);
    return this.#reach
      .get(id)
      .calls.filter(({ protocol }) => protocol === "auto")
      .map(({ host, port }) => ({ group: this.#model.ruleGroup(namespace, host), host, port: String(port) }));
  }
}

function hasSameLists(a: ProxyResources, b: ProxyResources): boolean {
  return (Object.keys(a) as (keyof ProxyResources)[]).every((kind) => a[kind] === b[kind]);
}

function hasSameItems(a: List<CompiledResource["message"]>, b: List<CompiledResource["message"]>): boolean {
  return a.length === b.length && a.every((item, index) => item === b[index]);
}

function byName<Resource extends CompiledResource>(resources: Resource[]): Resource[] {
  return resources.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}
