import { clusterDomain, localMeshDefaults, resolveHost, serviceHost, type VirtualServiceSpec } from "@heddle/api";
import type { WorkloadPolicies } from "../authorization/compile.ts";
import { selects } from "../authorization/select.ts";
import { indexRules, type MergedRule, mergeRules, selectRuleGroup } from "../destination/lookup.ts";
import type { ServiceEndpoint } from "../endpoints/compile.ts";
import type { MeshInputs, MeshSettings, WorkloadInstance, WorkloadProfile } from "../inputs.ts";
import { workloadIdentity } from "../metrics/compile.ts";
import { type EffectiveMode, type EffectiveModes, effectiveModes, modeOnPort } from "../mtls/effective-mode.ts";
import { originOf } from "../provenance.ts";
import type { Query, QueryGraph } from "../query-graph.ts";
import type { RoutingRules } from "../routing/compile.ts";
import { destinationHosts, sourceMask } from "../routing/compile.ts";
import { isDeepEqual } from "../structural-equality.ts";
import { makeService, type Membership, membershipOf, type Service } from "./services.ts";
import { MeshTables, type Rule } from "./tables.ts";
import { indexHosts, ownerOf } from "./virtual-hosts.ts";

/**
 * What the resources and workloads mean together: services, who speaks for which host, which rules and policies hold for whom. Every
 * question is a query of the graph, so that an answer is computed again only when something that it was made of has changed.
 */
export class MeshModel {
  readonly #tables: MeshTables;
  readonly #profile: Query<[id: string], WorkloadProfile | undefined>;
  readonly #membership: Query<[id: string], Membership | undefined>;
  readonly #membersByHost: Query<[], Map<string, string[]>>;
  readonly #service: Query<[host: string], Service | undefined>;
  readonly #endpoint: Query<[id: string], ServiceEndpoint | undefined>;
  readonly #endpoints: Query<[host: string, port: string], ServiceEndpoint[]>;
  readonly #virtualServiceHosts: Query<[key: string], Pick<Rule<VirtualServiceSpec>, "metadata"> & { hosts: string[] }>;
  readonly #hostOwners: Query<[], Map<string, string>>;
  readonly #hostOwner: Query<[host: string], string | undefined>;
  readonly #destinationRuleHost: Query<[key: string], { metadata: Rule<unknown>["metadata"]; host: string }>;
  readonly #ruleIndex: Query<[], Map<string, Map<string, readonly string[]>>>;
  readonly #ruleGroup: Query<[clientNamespace: string, host: string], string>;
  readonly #mergedRule: Query<[group: string], MergedRule | undefined>;
  readonly #transportModes: Query<[id: string], EffectiveModes>;
  readonly #transportMode: Query<[id: string], EffectiveMode>;
  readonly #policies: Query<[id: string], WorkloadPolicies>;

  constructor(graph: QueryGraph) {
    const tables = new MeshTables(graph);
    this.#tables = tables;

    this.#profile = graph.query("profile", isDeepEqual, (id) => {
      const instance = tables.instances.get(id);
      if (instance === undefined) return undefined;
      const { ready: _, outboundPorts: __, ...profile } = instance;
      return profile;
    });
    this.#membership = graph.query("membership", isDeepEqual, (id) => {
      const profile = this.#profile.get(id);
      return profile && membershipOf(profile);
    });
    this.#membersByHost = graph.query("members by host", isDeepEqual, () => this.#computeMembersByHost());
    this.#service = graph.query("service", isDeepEqual, (host) => {
      const members = (this.#membersByHost.get().get(host) ?? []).map((id) => this.#membership.get(id));
      return makeService(
        members.filter((member) => member !== undefined),
        this.settings.trustDomain,
      );
    });
    this.#endpoint = graph.query("endpoint", isDeepEqual, (id) => this.#computeEndpoint(id));
    this.#endpoints = graph.query("service endpoints", isDeepEqual, (host, port) =>
      (this.#membersByHost.get().get(host) ?? [])
        .filter((id) => this.#membership.get(id)?.servicePort === Number(port))
        .map((id) => this.#endpoint.get(id))
        .filter((endpoint) => endpoint !== undefined),
    );

    this.#virtualServiceHosts = graph.query("hosts of a virtual service", isDeepEqual, (key) => {
      const { metadata, spec } = required(tables.virtualServices.get(key), key);
      // Its generation says nothing about its hosts.
      return {
        metadata: { ...metadata, generation: 0 },
        hosts: spec.hosts.map((host) => resolveHost(host, metadata.namespace)),
      };
    });
    this.#hostOwners = graph.query("host owners", isDeepEqual, () =>
      indexHosts(tables.virtualServices.keys().map((key) => ({ key, ...this.#virtualServiceHosts.get(key) }))),
    );
    this.#hostOwner = graph.query("host owner", isDeepEqual, (host) => ownerOf(this.#hostOwners.get(), host));

    this.#destinationRuleHost = graph.query("host of a destination rule", isDeepEqual, (key) => {
      const { metadata, spec } = required(tables.destinationRules.get(key), key);
      return { metadata: { ...metadata, generation: 0 }, host: resolveHost(spec.host, metadata.namespace) };
    });
    this.#ruleIndex = graph.query("rule index", isDeepEqual, () =>
      indexRules(tables.destinationRules.keys().map((key) => ({ key, ...this.#destinationRuleHost.get(key) }))),
    );
    this.#ruleGroup = graph.query("rule group", isDeepEqual, (clientNamespace, host) => {
      const service = this.#service.get(host);
      if (service === undefined) return "";
      const hostsOf = (namespace: string) => [...(this.#ruleIndex.get().get(namespace)?.keys() ?? [])];
      const group = selectRuleGroup(hostsOf, clientNamespace, service, this.settings.rootNamespace);
      return group === undefined ? "" : `${group.namespace}/${group.host}`;
    });
    this.#mergedRule = graph.query("merged rule", isDeepEqual, (group) => this.#computeMergedRule(group));

    this.#transportModes = graph.query("transport modes", isDeepEqual, (id) => this.#computeTransportModes(id));
    this.#transportMode = graph.query("transport mode", isDeepEqual, (id) =>
      modeOnPort(this.#transportModes.get(id), this.profile(id).servicePort),
    );
    this.#policies = graph.query("policies", isDeepEqual, (id) => this.#computePolicies(id));
  }

  update(inputs: MeshInputs): void {
    this.#tables.replace(inputs);
  }

  get settings(): MeshSettings {
    return required(this.#tables.settings.get(""), "settings");
  }

  instance(id: string): WorkloadInstance | undefined {
    return this.#tables.instances.get(id);
  }

  /** @throws when the mesh does not know the instance */
  profile(id: string): WorkloadProfile {
    return required(this.#profile.get(id), id);
  }

  service(host: string): Service | undefined {
    return this.#service.get(host);
  }

  /** Ready replicas of a service's port, by instance id. */
  endpoints(host: string, port: number): readonly ServiceEndpoint[] {
    return this.#endpoints.get(host, String(port));
  }

  /** The routing rules that hold for a workload's requests to a service. */
  routingRules(host: string, mask: string): RoutingRules | undefined {
    const key = this.#hostOwner.get(host);
    const rule = key === undefined ? undefined : this.#tables.virtualServices.get(key);
    return rule && { origin: originOf("VirtualService", rule.metadata), spec: rule.spec, mask };
  }

  /** Which of the routing rules for a service ask about callers like this one, and which of those hold for it. */
  sourceMask(host: string, caller: WorkloadProfile): string {
    const rule = this.routingRules(host, "");
    return rule === undefined ? "" : sourceMask(rule.spec, caller);
  }

  /** Services that requests to this one may end up at, itself included. */
  reachableHosts(host: string): readonly string[] {
    const rule = this.routingRules(host, "");
    if (rule === undefined) return [host];
    return [host, ...destinationHosts(rule.spec, (name) => resolveHost(name, rule.origin.namespace))];
  }

  /** Key of the DestinationRules that govern a client namespace's traffic to a service; empty: none. */
  ruleGroup(clientNamespace: string, host: string): string {
    return this.#ruleGroup.get(clientNamespace, host);
  }

  mergedRule(group: string): MergedRule | undefined {
    return this.#mergedRule.get(group);
  }

  /** On the port of the workload's service. */
  transportMode(id: string): EffectiveMode {
    return this.#transportMode.get(id);
  }

  /** On all ports of the workload. */
  transportModes(id: string): EffectiveModes {
    return this.#transportModes.get(id);
  }

  policies(id: string): WorkloadPolicies {
    return this.#policies.get(id);
  }

  #computeMembersByHost(): Map<string, string[]> {
    const members = new Map<string, string[]>();
    for (const id of this.#tables.instances.keys()) {
      const membership = this.#membership.get(id);
      if (membership === undefined || membership.kind === "edge") continue;
      const host = serviceHost(membership.service, membership.namespace);
      const ids = members.get(host) ?? [];
      members.set(host, ids);
      ids.push(id);
    }
    return members;
  }

  #computeEndpoint(id: string): ServiceEndpoint | undefined {
    const instance = this.#tables.instances.get(id);
    if (instance === undefined || !instance.ready) return undefined;
    const { address, inboundPort: port, labels } = instance;
    const takesMutualTls = this.#transportMode.get(id).mode !== "DISABLE";
    const { tunnelPort, servicePort } = instance;
    const tunnel =
      tunnelPort === undefined
        ? undefined
        : { port: tunnelPort, authority: `${address.includes(":") ? `[${address}]` : address}:${servicePort}` };
    return { address, port, labels, workload: workloadIdentity(instance), takesMutualTls, tunnel };
  }

  #computeMergedRule(group: string): MergedRule | undefined {
    const slash = group.indexOf("/");
    const keys = this.#ruleIndex
      .get()
      .get(group.slice(0, slash))
      ?.get(group.slice(slash + 1));
    if (keys === undefined) return undefined;
    return mergeRules(
      keys.map((key) => {
        const { metadata, spec } = required(this.#tables.destinationRules.get(key), key);
        return { origin: originOf("DestinationRule", metadata), spec };
      }),
    );
  }

  #computeTransportModes(id: string): EffectiveModes {
    const instance = this.profile(id);
    const table = this.#tables.peerAuthentications;
    const rules = table.keys().map((key) => required(table.get(key), key));
    return effectiveModes(rules, instance, this.settings.rootNamespace);
  }

  #computePolicies(id: string): WorkloadPolicies {
    const instance = this.profile(id);
    const { rootNamespace } = this.settings;
    const table = this.#tables.authorizationPolicies;
    const policies = table
      .keys()
      .map((key) => required(table.get(key), key))
      .filter(({ metadata: { namespace }, spec }) =>
        selects({ namespace, selector: spec.selector?.matchLabels }, instance, rootNamespace),
      );
    const unreadable = this.#tables.unreadable
      .keys()
      .map((key) => required(this.#tables.unreadable.get(key), key))
      .filter((policy) => selects(policy, instance, rootNamespace))
      .map(({ kind, namespace, name }) => ({ kind, namespace, name }));
    return { policies, unreadable };
  }
}

/** Full name of a service as workloads are told about it: `<service>`, `<service>.<namespace>`, or the full name itself. */
export function hostOfServiceKey(key: string): string {
  if (key.endsWith(`.svc.${clusterDomain}`)) return key;
  const [service = "", namespace = localMeshDefaults.namespace] = key.split(".");
  return serviceHost(service, namespace);
}

function required<Value>(value: Value | undefined, key: string): Value {
  if (value === undefined) throw new Error(`the mesh model asked for ${key}, which is not there`);
  return value;
}
