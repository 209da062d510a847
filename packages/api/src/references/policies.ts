import type { Finding } from "../finding.ts";
import type { AuthorizationPolicyResource, PeerAuthenticationResource } from "../resource.ts";
import { describeResource, explainAge, findingOn } from "./resource-set.ts";
import type { ResourceSet } from "./resource-set.ts";
import { hasLabels } from "./services.ts";
import type { KnownWorkload } from "./services.ts";

type Policy = AuthorizationPolicyResource | PeerAuthenticationResource;

export function checkPolicies(set: ResourceSet): Finding[] {
  const peers = set.all("PeerAuthentication");
  const findings = [...findYoungerAtOneLevel(peers, set), ...checkRootSelectors(peers, set)];
  if (!set.isServiceListKnown) return findings;
  const policies = [...set.all("AuthorizationPolicy"), ...peers.filter((peer) => !isSelectingInRoot(peer, set))];
  return [
    ...findings,
    ...policies.flatMap((policy) => checkSelection(policy, set)),
    ...peers.flatMap((peer) => checkPorts(peer, set)),
  ];
}

function selectorOf(policy: Policy): Readonly<Record<string, string>> {
  return policy.spec.selector?.matchLabels ?? {};
}

function hasSelector(policy: Policy): boolean {
  return Object.keys(selectorOf(policy)).length > 0;
}

/** istio.md 4.1.2 and 4.3: the root namespace reaches everywhere, every other one only itself. */
function workloadsInScope(policy: Policy, set: ResourceSet): KnownWorkload[] {
  const { namespace } = policy.metadata;
  return set.workloads.filter(
    (workload) =>
      (namespace === set.options.rootNamespace || workload.namespace === namespace) &&
      hasLabels(workload.labels, selectorOf(policy)),
  );
}

function checkSelection(policy: Policy, set: ResourceSet): Finding[] {
  if (workloadsInScope(policy, set).length > 0) return [];
  const { namespace } = policy.metadata;
  if (!hasSelector(policy)) {
    const message = `No workload runs in the namespace ${namespace}, so the policy has no effect now.`;
    return [findingOn(policy, "HDL0106", ["metadata", "namespace"], message, describeNamespaces(set))];
  }
  const labels = Object.entries(selectorOf(policy)).map(([key, value]) => `${key}: ${value}`);
  const where = namespace === set.options.rootNamespace ? "in the mesh" : `in the namespace ${namespace}`;
  const elsewhere = set.workloads.find((workload) => hasLabels(workload.labels, selectorOf(policy)));
  const hint =
    elsewhere === undefined
      ? undefined
      : `The workload ${elsewhere.name} has these labels, but it runs in the namespace ${elsewhere.namespace}.`;
  return [
    findingOn(
      policy,
      "HDL0106",
      ["spec", "selector"],
      `No workload ${where} has the labels ${labels.join(", ")}.`,
      hint,
    ),
  ];
}

function describeNamespaces(set: ResourceSet): string {
  return `Workloads run in ${[...new Set(set.workloads.map((workload) => workload.namespace))].join(", ")}.`;
}

function isSelectingInRoot(peer: PeerAuthenticationResource, set: ResourceSet): boolean {
  return peer.metadata.namespace === set.options.rootNamespace && hasSelector(peer);
}

/** istio.md 4.3: a selector in the root namespace is ignored for workloads elsewhere. */
function checkRootSelectors(peers: readonly PeerAuthenticationResource[], set: ResourceSet): Finding[] {
  return peers
    .filter((peer) => isSelectingInRoot(peer, set))
    .map((peer) => {
      const message = `In the root namespace ${set.options.rootNamespace} a PeerAuthentication with a selector is used for no workload of another namespace.`;
      return findingOn(peer, "HDL0113", ["spec", "selector"], message);
    });
}

/** istio.md 4.3: the oldest wins at each level. */
function findYoungerAtOneLevel(peers: readonly PeerAuthenticationResource[], set: ResourceSet): Finding[] {
  const level = (peer: PeerAuthenticationResource): string => {
    if (!hasSelector(peer))
      return peer.metadata.namespace === set.options.rootNamespace
        ? "the mesh"
        : `the namespace ${peer.metadata.namespace}`;
    const labels = Object.entries(selectorOf(peer)).map(([key, value]) => `${key}: ${value}`);
    return `workloads with ${labels.sort().join(", ")} in the namespace ${peer.metadata.namespace}`;
  };
  const oldest = new Map<string, PeerAuthenticationResource>();
  return peers.flatMap((peer) => {
    const winner = oldest.get(level(peer));
    if (winner === undefined) {
      oldest.set(level(peer), peer);
      return [];
    }
    const message = `${describeResource(winner)} holds for ${level(peer)}, too. That one is used and this one is not, because ${explainAge(winner, peer)}.`;
    return [findingOn(peer, "HDL0114", ["metadata", "name"], message)];
  });
}

/** istio.md 4.3: portLevelMtls is keyed by the workload's own port. */
function checkPorts(peer: PeerAuthenticationResource, set: ResourceSet): Finding[] {
  const ports = new Set(workloadsInScope(peer, set).map((workload) => String(workload.port)));
  if (ports.size === 0) return [];
  return Object.keys(peer.spec.portLevelMtls ?? {}).flatMap((port) => {
    if (ports.has(port)) return [];
    const message = `No selected workload serves port ${port}; they serve ${[...ports].join(", ")}. The mode counts only where all traffic is intercepted (mode namespaces), for connections straight to that port.`;
    return [findingOn(peer, "HDL0115", ["spec", "portLevelMtls", port], message)];
  });
}
