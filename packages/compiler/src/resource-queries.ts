import { resolveHost, serviceHost } from "@heddle/api";
import type { Cluster, ClusterLoadAssignment, Listener, Message, RouteConfiguration } from "@heddle/xds/api";
import { audienceFromKey } from "./audience.ts";
import { compileInboundCluster, compileOpaqueCluster, compileOutboundCluster } from "./destination/compile.ts";
import { compileFixedCluster, type FixedClusterName } from "./destination/fixed-clusters.ts";
import { effectivePolicy } from "./destination/traffic-policy.ts";
import { compileEndpoints } from "./endpoints/compile.ts";
import type { CompiledResource } from "./inputs.ts";
import { compileEdgeListener } from "./listeners/edge.ts";
import { compileInboundListener } from "./listeners/inbound.ts";
import { compileNameListener } from "./listeners/names.ts";
import { compileOutboundListener, compileServiceListener } from "./listeners/outbound.ts";
import { compileTunnelledListener, compileTunnelListener } from "./listeners/tunnel.ts";
import { compileVirtualOutbound } from "./listeners/virtual-outbound.ts";
import type { MeshModel } from "./model/mesh-model.ts";
import { firstPort, type Service } from "./model/services.ts";
import { edgeRouteTableName, outboundRouteTableName } from "./names.ts";
import type { Query, QueryGraph } from "./query-graph.ts";
import { ResourcePool } from "./resource-pool.ts";
import { compileOpenTable, compileServiceTable, type RoutedService } from "./routing/compile.ts";
import type { DestinationResolver } from "./routing/destination-cluster.ts";

type ResourceQuery<Key extends readonly string[], Resource extends Message> = Query<Key, CompiledResource<Resource>>;

/** `called`: at ports of its own. */
export type CallerTraffic = "intercepted" | "called";

/**
 * One query per kind of xDS resource. Keys hold only what the resource depends on, so that proxies for which it is the same share it:
 * `audience` is a key of `audience.ts`, `id` an instance, `group` the DestinationRules in force (`MeshModel.ruleGroup`), `mask` the
 * entries of routing rules that hold for the caller (`MeshModel.sourceMask`), `traffic` how calls get to the caller's proxy.
 */
export class ResourceQueries {
  readonly inboundListener: ResourceQuery<[audience: string, id: string], Listener>;
  readonly tunnelListener: ResourceQuery<[audience: string, id: string], Listener>;
  readonly tunnelledListener: ResourceQuery<[audience: string, id: string], Listener>;
  readonly outboundListener: ResourceQuery<[audience: string, id: string, host: string, localPort: string], Listener>;
  readonly nameListener: ResourceQuery<[id: string, hosts: string], Listener>;
  readonly virtualOutbound: ResourceQuery<[id: string], Listener>;
  readonly serviceListener: ResourceQuery<[audience: string, id: string, host: string, port: string], Listener>;
  readonly edgeListener: ResourceQuery<[audience: string, id: string], Listener>;
  readonly serviceTable: ResourceQuery<[audience: string, host: string, mask: string], RouteConfiguration>;
  readonly interceptedTable: ResourceQuery<
    [audience: string, host: string, mask: string, port: string],
    RouteConfiguration
  >;
  readonly edgeTable: ResourceQuery<[audience: string, host: string, mask: string, port: string], RouteConfiguration>;
  readonly outboundCluster: ResourceQuery<
    [audience: string, group: string, host: string, port: string, subset: string, traffic: CallerTraffic],
    Cluster
  >;
  readonly opaqueCluster: ResourceQuery<[audience: string, group: string, host: string, port: string], Cluster>;
  readonly inboundCluster: ResourceQuery<[id: string], Cluster>;
  readonly fixedCluster: ResourceQuery<[name: string, id: string], Cluster>;
  readonly endpoints: ResourceQuery<[group: string, host: string, port: string, subset: string], ClusterLoadAssignment>;
  readonly #model: MeshModel;
  readonly #pool = new ResourcePool();

  constructor(graph: QueryGraph, model: MeshModel) {
    this.#model = model;
    const query = <Key extends readonly string[], Resource extends Message>(
      name: string,
      compile: (...key: Key) => Resource,
    ) => graph.query(name, isSameResource, (...key: Key) => this.#pool.intern(compile(...key)));

    this.inboundListener = query("inbound listener", (audience, id) => this.#compileInboundListener(audience, id));
    this.tunnelListener = query("tunnel listener", (audience, id) => this.#compileTunnelListener(audience, id));
    this.tunnelledListener = query("tunnelled listener", (audience, id) =>
      this.#compileTunnelledListener(audience, id),
    );
    this.outboundListener = query("outbound listener", (audience, id, host, localPort) =>
      this.#compileOutboundListener(audience, id, host, localPort),
    );
    this.nameListener = query("name listener", (id, hosts) =>
      compileNameListener(
        this.#model.profile(id),
        hosts.split(" ").flatMap((host) => this.#model.service(host) ?? []),
      ),
    );
    this.virtualOutbound = query("virtual outbound listener", (id) => compileVirtualOutbound(this.#model.profile(id)));
    this.serviceListener = query("service listener", (audience, id, host, port) =>
      this.#compileServiceListener(audience, id, host, Number(port)),
    );
    this.edgeListener = query("edge listener", (audience, id) => this.#compileEdgeListener(audience, id));
    this.serviceTable = query("service routes", (audience, host, mask) =>
      this.#compileServiceTable(audience, host, mask),
    );
    this.interceptedTable = query("intercepted routes", (audience, host, mask, port) =>
      this.#compileInterceptedTable(audience, host, mask, Number(port)),
    );
    this.edgeTable = query("edge routes", (audience, host, mask, port) =>
      this.#compileEdgeTable(audience, host, mask, port),
    );
    this.outboundCluster = query("cluster", (audience, group, host, port, subset, traffic) =>
      this.#compileOutboundCluster(audience, group, host, port, subset, traffic),
    );
    this.opaqueCluster = query("opaque cluster", (audience, group, host, port) =>
      this.#compileOpaqueCluster(audience, group, host, port),
    );
    this.inboundCluster = query("inbound cluster", (id) => this.#compileInboundCluster(id));
    this.fixedCluster = query("fixed cluster", (name, id) =>
      compileFixedCluster(name as FixedClusterName, this.#model.profile(id)),
    );
    this.endpoints = query("endpoints", (group, host, port, subset) =>
      this.#compileEndpoints(group, host, port, subset),
    );
  }

  /** Drops what only memory holds on to. */
  sweep(): void {
    this.#pool.sweep();
  }

  #compileInboundListener(audience: string, id: string): Listener {
    const { profile, policies, trustDomain } = this.#workload(id);
    const modes = this.#model.transportModes(id);
    return compileInboundListener(profile, modes, policies, trustDomain, audienceFromKey(audience));
  }

  #compileTunnelListener(audience: string, id: string): Listener {
    const { profile, trustDomain } = this.#workload(id);
    const mode = this.#model.transportMode(id);
    return compileTunnelListener(profile, profile.tunnelPort ?? 0, mode, trustDomain, audienceFromKey(audience));
  }

  #compileTunnelledListener(audience: string, id: string): Listener {
    const { profile, policies, trustDomain } = this.#workload(id);
    const mode = this.#model.transportMode(id);
    return compileTunnelledListener(profile, mode, policies, trustDomain, audienceFromKey(audience));
  }

  #compileOutboundListener(audience: string, id: string, host: string, localPort: string): Listener {
    const service = { host, ...firstPort(this.#service(host)) };
    const { trustDomain } = this.#model.settings;
    const profile = this.#model.profile(id);
    return compileOutboundListener(profile, service, Number(localPort), trustDomain, audienceFromKey(audience));
  }

  #compileServiceListener(audience: string, id: string, host: string, port: number): Listener {
    const { addresses, ports } = this.#service(host);
    const protocol = ports.find((candidate) => candidate.port === port)?.protocol ?? "tcp";
    const { trustDomain } = this.#model.settings;
    const service = { host, port, protocol, addresses };
    return compileServiceListener(this.#model.profile(id), service, trustDomain, audienceFromKey(audience));
  }

  #compileEdgeListener(audience: string, id: string): Listener {
    const { profile, policies, trustDomain } = this.#workload(id);
    return compileEdgeListener(profile, profile.edgePort ?? 0, policies, trustDomain, audienceFromKey(audience));
  }

  #compileServiceTable(audience: string, host: string, mask: string): RouteConfiguration {
    const service = this.#routed(host);
    const rules = this.#model.routingRules(host, mask);
    const name = outboundRouteTableName(host, service.port);
    return compileServiceTable(name, service, rules, this.#resolver(host), audienceFromKey(audience));
  }

  #compileInterceptedTable(audience: string, host: string, mask: string, port: number): RouteConfiguration {
    const rules = this.#model.routingRules(host, mask);
    const service = { ...this.#routed(host), port };
    const name = outboundRouteTableName(host, port);
    return compileOpenTable(name, service, rules, this.#resolver(host), audienceFromKey(audience));
  }

  #compileEdgeTable(audience: string, host: string, mask: string, port: string): RouteConfiguration {
    const rules = this.#model.routingRules(host, mask);
    const name = edgeRouteTableName(Number(port));
    return compileOpenTable(name, this.#routed(host), rules, this.#resolver(host), audienceFromKey(audience));
  }

  #compileOutboundCluster(
    audience: string,
    group: string,
    host: string,
    port: string,
    subset: string,
    traffic: CallerTraffic,
  ): Cluster {
    const { name, namespace, identities, ports } = this.#service(host);
    const protocol = ports.find((candidate) => candidate.port === Number(port))?.protocol ?? "tcp";
    const isIntercepted = traffic === "intercepted";
    const destination = { host, name, namespace, port: Number(port), protocol, identities, isIntercepted };
    const policy = effectivePolicy(this.#model.mergedRule(group), Number(port), subset);
    return compileOutboundCluster(destination, subset, policy, audienceFromKey(audience));
  }

  #compileOpaqueCluster(audience: string, group: string, host: string, port: string): Cluster {
    const { name, namespace, identities } = this.#service(host);
    // Bytes: there are no requests that could name anybody.
    const destination = { host, name, namespace, port: Number(port), identities, isIntercepted: false };
    const policy = effectivePolicy(this.#model.mergedRule(group), Number(port), "");
    return compileOpaqueCluster(destination, policy, audienceFromKey(audience));
  }

  #compileInboundCluster(id: string): Cluster {
    const { service, namespace, servicePort, protocol, address, appPort, interception } = this.#model.profile(id);
    const host = serviceHost(service, namespace);
    // Within its own network the workload is found at loopback, whether it listens there or everywhere.
    const at = interception === undefined ? address : "127.0.0.1";
    return compileInboundCluster({ host, name: service, namespace, port: servicePort, protocol }, at, appPort);
  }

  #compileEndpoints(group: string, host: string, port: string, subset: string): ClusterLoadAssignment {
    const subsets = this.#model.mergedRule(group)?.subsets ?? [];
    const labels = subsets.find((entry) => entry.subset.name === subset)?.subset.labels;
    return compileEndpoints(host, Number(port), subset, labels, this.#model.endpoints(host, Number(port)));
  }

  #workload(id: string) {
    const profile = this.#model.profile(id);
    const { trustDomain } = this.#model.settings;
    return { profile, trustDomain, policies: this.#model.policies(id) };
  }

  #routed(host: string): RoutedService {
    const service = this.#service(host);
    return { host, name: service.name, namespace: service.namespace, port: firstPort(service).port };
  }

  /** Hosts in routes mean what they mean in the namespace of the VirtualService. */
  #resolver(host: string): DestinationResolver {
    const namespace = this.#model.routingRules(host, "")?.origin.namespace ?? "";
    return {
      hostOf: (name) => resolveHost(name, namespace),
      portsOf: (name) => this.#model.service(name)?.ports.map(({ port }) => port),
    };
  }

  #service(host: string): Service {
    const service = this.#model.service(host);
    if (service === undefined) throw new Error(`no service ${host}`);
    return service;
  }
}

function isSameResource(a: CompiledResource, b: CompiledResource): boolean {
  return a.version === b.version && a.name === b.name;
}
