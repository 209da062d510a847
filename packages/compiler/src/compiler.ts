import { resolveHost } from "@heddle/api";
import type { Cluster, ClusterLoadAssignment, Listener, RouteConfiguration, Secret } from "@heddle/xds/api";
import { audienceFromKey, audienceOf } from "./audience.ts";
import { contentHash } from "./content-hash.ts";
import { compileInboundCluster, compileOutboundCluster } from "./destination/compile.ts";
import { effectivePolicy } from "./destination/traffic-policy.ts";
import { compileEndpoints } from "./endpoints/compile.ts";
import type { CompiledResource, MeshInputs, ProxyNode, WorkloadInstance } from "./inputs.ts";
import { compileEdgeListener } from "./listeners/edge.ts";
import { compileInboundListener } from "./listeners/inbound.ts";
import { compileOutboundListener } from "./listeners/outbound.ts";
import { hostOfServiceKey, MeshModel } from "./model/mesh-model.ts";
import type { Service } from "./model/services.ts";
import { edgeRouteTableName, outboundRouteTableName } from "./names.ts";
import type { Message } from "./protobuf.ts";
import { type Query, QueryGraph } from "./query-graph.ts";
import type { DestinationResolver } from "./routing/destination-cluster.ts";
import { compileEdgeTable, compileServiceTable } from "./routing/compile.ts";

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
  readonly #inboundListener: Query<[audience: string, id: string], CompiledResource<Listener>>;
  readonly #outboundListener: Query<
    [audience: string, id: string, host: string, localPort: string],
    CompiledResource<Listener>
  >;
  readonly #edgeListener: Query<[audience: string, id: string], CompiledResource<Listener>>;
  readonly #serviceTable: Query<
    [audience: string, host: string, port: string, mask: string],
    CompiledResource<RouteConfiguration>
  >;
  readonly #edgeTable: Query<
    [audience: string, host: string, port: string, mask: string, edgePort: string],
    CompiledResource<RouteConfiguration>
  >;
  readonly #outboundCluster: Query<
    [audience: string, group: string, host: string, port: string, subset: string],
    CompiledResource<Cluster>
  >;
  readonly #inboundCluster: Query<[id: string], CompiledResource<Cluster>>;
  readonly #endpoints: Query<
    [group: string, host: string, port: string, subset: string],
    CompiledResource<ClusterLoadAssignment>
  >;
  readonly #proxy: Query<[audience: string, id: string], ProxyResources>;

  constructor() {
    const graph = this.#graph;
    const model = this.#model;
    this.#inboundListener = graph.query("inbound listener", isSameResource, (audience, id) => {
      const { trustDomain } = model.settings;
      const instance = this.#instance(id);
      const message = compileInboundListener(
        instance,
        model.transportMode(id),
        model.policies(id),
        trustDomain,
        audienceFromKey(audience),
      );
      return compiled(message.name, message);
    });
    this.#outboundListener = graph.query("outbound listener", isSameResource, (audience, id, host, localPort) => {
      const { port, protocol } = firstPort(this.#service(host));
      const { trustDomain } = model.settings;
      const message = compileOutboundListener(
        this.#instance(id),
        { host, port, protocol },
        Number(localPort),
        trustDomain,
        audienceFromKey(audience),
      );
      return compiled(message.name, message);
    });
    this.#edgeListener = graph.query("edge listener", isSameResource, (audience, id) => {
      const instance = this.#instance(id);
      const { trustDomain } = model.settings;
      const message = compileEdgeListener(
        instance,
        instance.edgePort ?? 0,
        model.policies(id),
        trustDomain,
        audienceFromKey(audience),
      );
      return compiled(message.name, message);
    });
    this.#serviceTable = graph.query("service routes", isSameResource, (audience, host, port, mask) => {
      const { name, namespace } = this.#service(host);
      const service = { host, name, namespace, port: Number(port) };
      const tableName = outboundRouteTableName(host, Number(port));
      const message = compileServiceTable(
        tableName,
        service,
        model.routingRules(host, mask),
        this.#resolver(host),
        audienceFromKey(audience),
      );
      return compiled(tableName, message);
    });
    this.#edgeTable = graph.query("edge routes", isSameResource, (audience, host, port, mask, edgePort) => {
      const { name, namespace } = this.#service(host);
      const service = { host, name, namespace, port: Number(port) };
      const tableName = edgeRouteTableName(Number(edgePort));
      const message = compileEdgeTable(
        tableName,
        service,
        model.routingRules(host, mask),
        this.#resolver(host),
        audienceFromKey(audience),
      );
      return compiled(tableName, message);
    });
    this.#outboundCluster = graph.query("cluster", isSameResource, (audience, group, host, port, subset) => {
      const { name, namespace, identities, ports } = this.#service(host);
      const protocol = ports.find((candidate) => candidate.port === Number(port))?.protocol ?? "tcp";
      const destination = { host, name, namespace, port: Number(port), protocol, identities };
      const policy = effectivePolicy(model.mergedRule(group), Number(port), subset);
      const message = compileOutboundCluster(destination, subset, policy, audienceFromKey(audience));
      return compiled(message.name, message);
    });
    this.#inboundCluster = graph.query("inbound cluster", isSameResource, (id) => {
      const { service: name, namespace, servicePort: port, protocol, address, appPort } = this.#instance(id);
      const host = hostOfServiceKey(`${name}.${namespace}`);
      const message = compileInboundCluster({ host, name, namespace, port, protocol }, address, appPort);
      return compiled(message.name, message);
    });
    this.#endpoints = graph.query("endpoints", isSameResource, (group, host, port, subset) => {
      const labels = model.mergedRule(group)?.subsets.find((entry) => entry.subset.name === subset)?.subset.labels;
      const message = compileEndpoints(host, Number(port), subset, labels, model.endpoints(host, Number(port)));
      return compiled(message.clusterName, message);
    });
    this.#proxy = graph.query("proxy", isSameList, (audience, id) => this.#compileProxy(audience, id));
  }

  /** Puts new inputs in place of the ones before. */
  update(inputs: MeshInputs): void {
    this.#graph.beginRevision();
    this.#model.update(inputs);
    if (this.#graph.revision % retainedRevisions === 0) this.#graph.sweep(retainedRevisions);
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

  #compileProxy(audience: string, id: string): ProxyResources {
    const instance = this.#instance(id);
    const listeners: CompiledResource<Listener>[] = [];
    const routes: CompiledResource<RouteConfiguration>[] = [];
    const clusters: CompiledResource<Cluster>[] = [];
    const hosts = new Set<string>();

    const calls = Object.entries(instance.outboundPorts).map(([key, localPort]) => ({
      host: hostOfServiceKey(key),
      localPort,
    }));
    for (const { host, localPort } of calls) {
      const service = this.#model.service(host);
      if (service === undefined) continue;
      listeners.push(this.#outboundListener.get(audience, id, host, String(localPort)));
      const { port, protocol } = firstPort(service);
      if (protocol === "http") {
        routes.push(this.#serviceTable.get(audience, host, String(port), this.#model.sourceMask(host, instance)));
      }
      for (const reachable of this.#model.reachableHosts(host)) hosts.add(reachable);
    }

    if (instance.kind === "sidecar") {
      listeners.push(this.#inboundListener.get(audience, id));
      clusters.push(this.#inboundCluster.get(id));
    } else {
      const host = hostOfServiceKey(instance.edgeService ?? "");
      const service = this.#model.service(host);
      if (service !== undefined && instance.edgePort !== undefined) {
        listeners.push(this.#edgeListener.get(audience, id));
        const mask = this.#model.sourceMask(host, instance);
        routes.push(
          this.#edgeTable.get(audience, host, String(firstPort(service).port), mask, String(instance.edgePort)),
        );
        for (const reachable of this.#model.reachableHosts(host)) hosts.add(reachable);
      }
    }

    const endpoints: CompiledResource<ClusterLoadAssignment>[] = [];
    for (const host of hosts) {
      const group = this.#model.ruleGroup(instance.namespace, host);
      const subsets = ["", ...(this.#model.mergedRule(group)?.subsets ?? []).map(({ subset }) => subset.name)];
      for (const { port } of this.#model.service(host)?.ports ?? []) {
        for (const subset of subsets) {
          clusters.push(this.#outboundCluster.get(audience, group, host, String(port), subset));
          endpoints.push(this.#endpoints.get(group, host, String(port), subset));
        }
      }
    }
    return {
      listeners: byName(listeners),
      routes: byName(routes),
      clusters: byName(clusters),
      endpoints: byName(endpoints),
      secrets: [],
    };
  }

  /** Hosts in routes mean what they mean in the namespace of the VirtualService. */
  #resolver(host: string): DestinationResolver {
    const namespace = this.#model.routingRules(host, "")?.origin.namespace ?? "";
    return {
      hostOf: (name) => resolveHost(name, namespace),
      portsOf: (name) => this.#model.service(name)?.ports.map(({ port }) => port),
    };
  }

  #instance(id: string): WorkloadInstance {
    const instance = this.#model.instance(id);
    if (instance === undefined) throw new Error(`no workload instance ${id}`);
    return instance;
  }

  #service(host: string): Service {
    const service = this.#model.service(host);
    if (service === undefined) throw new Error(`no service ${host}`);
    return service;
  }
}

function firstPort({ ports, host }: Service) {
  const [port] = ports;
  if (port === undefined) throw new Error(`service ${host} has no port`);
  return port;
}

function compiled<Resource extends Message>(name: string, message: Resource): CompiledResource<Resource> {
  return { name, version: contentHash(message), message };
}

function isSameResource(a: CompiledResource, b: CompiledResource): boolean {
  return a.version === b.version && a.name === b.name;
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
