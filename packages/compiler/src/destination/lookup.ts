import {
  compareAge,
  compareHostSpecificity,
  type DestinationRuleSpec,
  hostCovers,
  type Metadata,
  type Subset,
  type TrafficPolicy,
} from "@heddle/api";
import type { Origin } from "../provenance.ts";

/** What decides whether, and before whom, a DestinationRule is asked. */
export interface DestinationRuleScope {
  /** `namespace/name`. */
  readonly key: string;
  readonly metadata: Metadata;
  /** Resolved: a full name or a wildcard. */
  readonly host: string;
}

/** The rules of one namespace for one host, oldest first; what a client is governed by. */
export interface RuleGroup {
  readonly namespace: string;
  readonly host: string;
}

/**
 * Which group governs a client's traffic to a service: the client's own namespace is asked first (unless it is the root namespace),
 * then the service's, then the root namespace. The first that knows the host at all wins, with its most specific host; nothing is
 * merged across namespaces (istio.md 4.5).
 */
export function selectRuleGroup(
  hostsOf: (namespace: string) => readonly string[],
  clientNamespace: string,
  service: { readonly host: string; readonly namespace: string },
  rootNamespace: string,
): RuleGroup | undefined {
  const namespaces = [
    ...(clientNamespace === rootNamespace ? [] : [clientNamespace]),
    service.namespace,
    rootNamespace,
  ];
  for (const namespace of namespaces) {
    const [host] = hostsOf(namespace)
      .filter((pattern) => hostCovers(pattern, service.host))
      .sort(compareHostSpecificity);
    if (host !== undefined) return { namespace, host };
  }
  return undefined;
}

/** Hosts of each namespace, and the rules behind each, oldest first (istio.md 4.9). */
export function indexRules(scopes: readonly DestinationRuleScope[]): Map<string, Map<string, readonly string[]>> {
  const index = new Map<string, Map<string, string[]>>();
  for (const { key, metadata, host } of [...scopes].sort(compareAge)) {
    const hosts = index.get(metadata.namespace) ?? new Map<string, string[]>();
    index.set(metadata.namespace, hosts);
    const keys = hosts.get(host) ?? [];
    hosts.set(host, keys);
    keys.push(key);
  }
  return index;
}

/** One group as one rule, each part with the resource that it came from. */
export interface MergedRule {
  readonly policy: { readonly origin: Origin; readonly trafficPolicy: TrafficPolicy } | undefined;
  readonly subsets: readonly { readonly origin: Origin; readonly index: number; readonly subset: Subset }[];
}

/** Merges rules for one host: subsets are collected, a name or a top-level policy that is there already stays (istio.md 4.5). */
export function mergeRules(
  oldestFirst: readonly { readonly origin: Origin; readonly spec: DestinationRuleSpec }[],
): MergedRule {
  let policy: MergedRule["policy"];
  const subsets = new Map<string, MergedRule["subsets"][number]>();
  for (const { origin, spec } of oldestFirst) {
    if (policy === undefined && spec.trafficPolicy !== undefined)
      policy = { origin, trafficPolicy: spec.trafficPolicy };
    for (const [index, subset] of (spec.subsets ?? []).entries()) {
      if (!subsets.has(subset.name)) subsets.set(subset.name, { origin, index, subset });
    }
  }
  return { policy, subsets: [...subsets.values()] };
}
