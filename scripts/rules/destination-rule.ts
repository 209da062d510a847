// istio.md 4.5: DestinationRule.
import type { TurnedBranches } from "../turned-branch.ts";

const lookup = "compiler/src/destination/lookup.ts";
const trafficPolicy = "compiler/src/destination/traffic-policy.ts";
const meshModel = "compiler/src/model/mesh-model.ts";
const hosts = "api/src/hosts.ts";
const governing = "api/src/references/governing-rules.ts";
const findings = "api/src/references/destination-rules.ts";

export const destinationRule: TurnedBranches = {
  tests: "packages/compiler/src/istio-semantics/destination-rule.test.ts",
  branches: {
    "4.5 the client's namespace is asked first, then the service's, then the root namespace": [
      [lookup, "of namespaces) {", "of namespaces.reverse()) {"],
      [lookup, "clientNamespace === rootNamespace ? []", "clientNamespace !== rootNamespace ? []"],
      [lookup, "service.namespace,\n    rootNamespace,", "rootNamespace,\n    service.namespace,"],
    ],
    "4.5 rules in a third namespace concern nobody": [
      [lookup, "    rootNamespace,\n  ];", '    rootNamespace,\n    "elsewhere",\n  ];'],
    ],
    "4.5 a client in the root namespace is not governed by the root namespace before the service's own": [
      [lookup, "...(clientNamespace === rootNamespace ? [] : [clientNamespace])", "clientNamespace"],
    ],
    "4.5 the first namespace that has any matching rule wins whole: nothing is merged across namespaces": [
      [
        lookup,
        "if (host !== undefined) return { namespace, host };",
        "if (host !== undefined && namespace === service.namespace) return { namespace, host };",
      ],
    ],
    "4.5 within a namespace the most specific host wins: exact, then the longest wildcard": [
      [lookup, ".sort(compareHostSpecificity)", ""],
      [hosts, "return aWild ? 1 : -1;", "return aWild ? -1 : 1;"],
      [hosts, "return b.length - a.length;", "return a.length - b.length;"],
    ],
    "4.5 rules of one namespace for one host are merged: subsets are collected": [
      [lookup, "of oldestFirst) {", "of oldestFirst.slice(0, 1)) {"],
    ],
    "4.5 of two subsets with one name the oldest rule's counts": [
      [lookup, "if (!subsets.has(subset.name)) subsets", "subsets"],
      [lookup, ".sort(compareAge)", ".sort((a, b) => compareAge(b, a))"],
    ],
    "4.5 the top-level policy is that of the oldest rule that has one, whole": [
      [lookup, "policy === undefined && spec.trafficPolicy !== undefined", "spec.trafficPolicy !== undefined"],
      [
        lookup,
        "policy = { origin, trafficPolicy: spec.trafficPolicy };",
        "policy = { origin, trafficPolicy: spec.trafficPolicy };\n    else if (policy !== undefined) policy = { origin, trafficPolicy: { ...spec.trafficPolicy, ...policy.trafficPolicy } };",
      ],
    ],
    "4.5 a subset's policy overrides the top level per block, with no merge inside a block": [
      [trafficPolicy, "{ ...below, ...pick(policy) }", "{ ...pick(policy), ...below }"],
      [trafficPolicy, "{ ...below, ...pick(policy) }", "pick(policy)"],
      [trafficPolicy, "policy === undefined ? below : { ...below, ...pick(policy) }", "below"],
    ],
    "4.5 portLevelSettings replace the whole destination level: what they leave out falls to the defaults": [
      [trafficPolicy, "return pick(onPort);", "return { ...below, ...pick(policy ?? {}), ...pick(onPort) };"],
      [trafficPolicy, "entry.port.number === port", "entry.port.number !== port"],
      [trafficPolicy, "entry.port.number === port", "true"],
    ],
    "4.5 a rule for another host of the same namespace says nothing about a service": [
      [lookup, "hostCovers(pattern, service.host)", "true"],
      [hosts, ": pattern === fullName;", ": pattern !== fullName;"],
    ],
    "4.5 tls is a block like the others: a subset has its own, or the destination's": [
      [trafficPolicy, "tls === undefined ? {} : { tls }", "{}"],
      [trafficPolicy, "{ ...below, ...pick(policy) }", "{ ...pick(policy), ...below }"],
    ],
    "4.5 a subset inherits the destination's port settings, and its own port settings replace everything above": [
      [trafficPolicy, "override({}, top?.trafficPolicy, port)", "{}"],
      [trafficPolicy, "return pick(onPort);", "return { ...below, ...pick(onPort) };"],
    ],
    "4.5 subset rules do nothing until a route sends traffic to the subset": [
      [trafficPolicy, "subset.name === subsetName", 'subset.name === subsetName || subsetName === ""'],
      [
        "compiler/src/resource-queries.ts",
        "entry.subset.name === subset",
        'entry.subset.name === subset || subset === ""',
      ],
      ["compiler/src/routing/destination-cluster.ts", 'destination.subset ?? ""', 'destination.subset ?? "v1"'],
    ],
    "4.5 a subset without labels is every endpoint of the host": [
      [
        "compiler/src/endpoints/compile.ts",
        "hasLabels(labels, subset ?? {})",
        "subset !== undefined && hasLabels(labels, subset)",
      ],
    ],
    "4.5 a short host is of the rule's own namespace": [
      [meshModel, "host: resolveHost(spec.host, metadata.namespace)", 'host: resolveHost(spec.host, "default")'],
    ],
  },
};

export const hostOrder: TurnedBranches = {
  tests: "packages/api/src/hosts.test.ts",
  branches: {
    "4.4: only a name without a dot is short, and it lies in the resource's namespace": [
      [hosts, 'lower.includes(".") || lower === "*"', 'lower.includes(".svc.") || lower === "*"'],
      [hosts, 'lower.includes(".") || lower === "*"', 'lower.includes(".")'],
      [hosts, "serviceHost(lower, namespace)", 'serviceHost(lower, "default")'],
      [hosts, "host.toLowerCase()", "host"],
    ],
    "4.5: exact hosts are most specific, then longer wildcards": [
      [hosts, "return aWild ? 1 : -1;", "return aWild ? -1 : 1;"],
      [hosts, "return b.length - a.length;", "return a.length - b.length;"],
    ],
  },
};

export const destinationRuleRules: TurnedBranches = {
  tests: "packages/api/src/kinds/destination-rule/rules.test.ts",
  branches: {
    "4.5: a port's policy must set something, since what it omits is reset": [
      [
        "api/src/kinds/destination-rule/rules.ts",
        "entry.loadBalancer !== undefined || entry.connectionPool",
        "entry.loadBalancer === undefined || entry.connectionPool",
      ],
    ],
  },
};

export const destinationRuleReferences: TurnedBranches = {
  tests: "packages/api/src/references/references.test.ts",
  branches: {
    "4.5: a subset that only some callers' rules define is a warning that names them and the rule": [
      [governing, "clientNamespace === rootNamespace ? []", "clientNamespace !== rootNamespace ? []"],
    ],
    "4.5: a rule in a namespace that is neither the caller's nor the service's is not asked": [
      [governing, "    rootNamespace,\n  ];", '    rootNamespace,\n    "other",\n  ];'],
    ],
    "4.5: rules of the root namespace are asked last": [[governing, "    rootNamespace,\n  ];", "  ];"]],
    "4.5: within a namespace the most specific host is asked, alone": [
      [governing, "if (exact !== undefined) return exact;", ""],
    ],
    "4.5: what a younger DestinationRule of one host and namespace says again is not used": [
      [findings, "rule.spec.trafficPolicy !== undefined", "rule.spec.trafficPolicy === undefined"],
      [findings, "const owner = subsetOwners.get(subset.name)", "const owner = undefined"],
      [findings, "(rule) => `${rule.metadata.namespace} ", "(rule) => `"],
    ],
    "4.5: the edge calls from the root namespace, when there is one": [
      ["api/src/references/resource-set.ts", "hasEdge ? [...inhabited, options.rootNamespace]", "hasEdge ? inhabited"],
    ],
  },
};
