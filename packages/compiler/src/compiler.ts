import type { Cluster, ClusterLoadAssignment, Listener, RouteConfiguration, Secret } from "@heddle/xds/api";
import { audienceOf } from "./audience.ts";
import type { CompiledResource, MeshInputs, ProxyNode, WorkloadInstance } from "./inputs.ts";
import { hostOfServiceKey, MeshModel } from "./model/mesh-model.ts";
import { firstPort } from "./model/services.ts";
import { type Query, QueryGraph } from "./query-graph.ts";
import { ResourceQueries } from "./resource-queries.ts";

/** Everything one proxy is told, in the order of names. The object stays the same while nothing in it changes. */
export interface ProxyResources {
  readonly listeners: readonly CompiledResource<Listener>[];
  readonly routes: readonly CompiledResource<RouteConfiguration>[];
  readonly clusters: readonly CompiledResource<Cluster>[];
  readonly endpoints: readonly CompiledResource<ClusterLoadAssignment>[];
  /** None: trust bundles are the certificate authority's, and keys are made where they are used. */
  readonly secrets: readonly CompiledResource<Secret>[];
}

const nothing: ProxyResources = { listeners: [], routes: [], clusters: [], endpoints: [], secrets: [] };

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
  readonly #proxy: Query<[audience: string, id: string], ProxyResources>;

  constructor() {
    this.#proxy = this.#graph.query("proxy", isSameList, (audience, id) => this.#collect(audience, id));
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
    if (this.#model.instance(node.instanceId) === undefined) return nothing;
    return this.#proxy.get(audienceOf(node).key, node.instanceId);
  }

  /** How often each step has been computed since the last update: what an edit has cost. */
  computed(): ReadonlyMap<string, number> {
    return this.#graph.computed();
  }

  #collect(audience: string, id: string): ProxyResources {
    const instance = this.#model.instance(id);
    if (instance === undefined) return nothing;
    const { listeners, routes, hosts } =
      instance.kind === "edge" ? this.#collectEdge(audience, instance) : this.#collectCalls(audience, instance);
    const { clusters, endpoints } = this.#collectDestinations(audience, instance.namespace, hosts);
    if (instance.kind === "sidecar") {
      listeners.push(this.#resources.inboundListener.get(audience, id));
      clusters.push(this.#resources.inboundCluster.get(id));
    }
    return {
      listeners: byName(listeners),
      routes: byName(routes),
      clusters: byName(clusters),
      endpoints: byName(endpoints),
      secrets: [],
    };
  }

  /** A listener for each service that the workload may call, and the services that its requests may end up at. */
  #collectCalls(audience: string, instance: WorkloadInstance) {
    const listeners: CompiledResource<Listener>[] = [];
    const routes: CompiledResource<RouteConfiguration>[] = [];
    const hosts = new Set<string>();
    for (const [key, localPort] of Object.entries(instance.outboundPorts)) {
      const host = hostOfServiceKey(key);
      const service = this.#model.service(host);
      if (service === undefined) continue;
      listeners.push(this.#resources.outboundListener.get(audience, instance.id, host, String(localPort)));
      if (firstPort(service).protocol === "http") {
        routes.push(this.#resources.serviceTable.get(audience, host, this.#model.sourceMask(host, instance)));
      }
      for (const reachable of this.#model.reachableHosts(host)) hosts.add(reachable);
    }
    return { listeners, routes, hosts };
  }

  /** The one listener of the edge and where its requests may end up. */
  #collectEdge(audience: string, instance: WorkloadInstance) {
    const host = hostOfServiceKey(instance.edgeService ?? "");
    if (this.#model.service(host) === undefined || instance.edgePort === undefined) {
      return { listeners: [], routes: [], hosts: new Set<string>() };
    }
    const mask = this.#model.sourceMask(host, instance);
    return {
      listeners: [this.#resources.edgeListener.get(audience, instance.id)],
      routes: [this.#resources.edgeTable.get(audience, host, mask, String(instance.edgePort))],
      hosts: new Set(this.#model.reachableHosts(host)),
    };
  }

  /** Clusters of services and all their subsets, as clients of one namespace see them. */
  #collectDestinations(audience: string, clientNamespace: string, hosts: ReadonlySet<string>) {
    const clusters: CompiledResource<Cluster>[] = [];
    const endpoints: CompiledResource<ClusterLoadAssignment>[] = [];
    for (const host of hosts) {
      const group = this.#model.ruleGroup(clientNamespace, host);
      const subsets = ["", ...(this.#model.mergedRule(group)?.subsets ?? []).map(({ subset }) => subset.name)];
      for (const { port } of this.#model.service(host)?.ports ?? []) {
        for (const subset of subsets) {
          clusters.push(this.#resources.outboundCluster.get(audience, group, host, String(port), subset));
          endpoints.push(this.#resources.endpoints.get(group, host, String(port), subset));
        }
      }
    }
    return { clusters, endpoints };
  }
}

function isSameList(a: ProxyResources, b: ProxyResources): boolean {
  return (Object.keys(a) as (keyof ProxyResources)[]).every((kind) => hasSameItems(a[kind], b[kind]));
}

function hasSameItems(a: readonly CompiledResource[], b: readonly CompiledResource[]): boolean {
  return a.length === b.length && a.every((item, index) => item === b[index]);
}

function byName<Resource extends CompiledResource>(resources: Resource[]): Resource[] {
  return resources.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}
