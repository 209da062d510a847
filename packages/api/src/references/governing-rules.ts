import { compareHostSpecificity, hostCovers, resolveHost } from "../hosts.ts";
import type { DestinationRuleResource } from "../resource.ts";
import type { ResourceSet } from "./resource-set.ts";

interface NamespaceRules {
  /** By resolved host, wildcards included. */
  readonly byHost: Map<string, DestinationRuleResource[]>;
  readonly wildcards: string[];
}

/** DestinationRules by namespace and resolved host, so that a large mesh is judged in linear time. */
export class DestinationRuleIndex {
  readonly #namespaces = new Map<string, NamespaceRules>();

  constructor(rules: readonly DestinationRuleResource[]) {
    for (const rule of rules) {
      const hosts: NamespaceRules = this.#namespaces.get(rule.metadata.namespace) ?? {
        byHost: new Map(),
        wildcards: [],
      };
      this.#namespaces.set(rule.metadata.namespace, hosts);
      const host = hostOf(rule);
      const group = hosts.byHost.get(host);
      if (group !== undefined) group.push(rule);
      else {
        hosts.byHost.set(host, [rule]);
        if (host.startsWith("*")) hosts.wildcards.push(host);
      }
    }
  }

  /** The rules of a namespace that speak most specifically of a host. */
  mostSpecific(namespace: string, host: string): readonly DestinationRuleResource[] {
    const hosts = this.#namespaces.get(namespace);
    if (hosts === undefined) return [];
    const exact = hosts.byHost.get(host);
    if (exact !== undefined) return exact;
    const [best] = hosts.wildcards.filter((pattern) => hostCovers(pattern, host)).sort(compareHostSpecificity);
    return best === undefined ? [] : (hosts.byHost.get(best) ?? []);
  }
}

/**
 * The DestinationRules that govern what a namespace's workloads send to a host: those of the client's own namespace (unless it is the
 * root), else of the service's, else of the root namespace; the first namespace that has any wins, and in it the most specific
 * host (istio.md 4.5).
 */
export function governingRules(
  rules: DestinationRuleIndex,
  host: string,
  clientNamespace: string,
  set: ResourceSet,
): readonly DestinationRuleResource[] {
  const { rootNamespace } = set.options;
  const serviceNamespace = namespaceOf(host, set);
  const order = [
    ...(clientNamespace === rootNamespace ? [] : [clientNamespace]),
    ...(serviceNamespace === undefined ? [] : [serviceNamespace]),
    rootNamespace,
  ];
  return order.map((namespace) => rules.mostSpecific(namespace, host)).find((found) => found.length > 0) ?? [];
}

export function coversHost(rule: DestinationRuleResource, host: string): boolean {
  return hostCovers(hostOf(rule), host);
}

export function definesSubset(rule: DestinationRuleResource, subset: string): boolean {
  return (rule.spec.subsets ?? []).some((each) => each.name === subset);
}

function hostOf(rule: DestinationRuleResource): string {
  return resolveHost(rule.spec.host, rule.metadata.namespace);
}

/** Of a known service, or as its full name says it. */
function namespaceOf(host: string, set: ResourceSet): string | undefined {
  return set.service(host)?.namespace ?? /^[^.]+\.([^.]+)\.svc\./.exec(host)?.[1];
}
