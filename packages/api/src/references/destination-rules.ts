import type { Finding } from "../finding.ts";
import { resolveHost } from "../hosts.ts";
import type { DestinationRuleResource } from "../resource.ts";
import { describePath } from "../schema/check.ts";
import { suggestHost } from "./suggest-host.ts";
import { describeResource, explainAge, findingOn } from "./resource-set.ts";
import type { ResourceSet } from "./resource-set.ts";
import { hasLabels } from "./services.ts";

export function checkDestinationRules(set: ResourceSet): Finding[] {
  const rules = set.all("DestinationRule");
  const findings = set.isServiceListKnown
    ? rules.flatMap((rule) => [...checkHost(rule, set), ...checkSubsets(rule, set)])
    : [];
  return [...findings, ...findMergeLosers(rules)];
}

function checkHost(rule: DestinationRuleResource, set: ResourceSet): Finding[] {
  const namespace = rule.metadata.namespace;
  const resolved = resolveHost(rule.spec.host, namespace);
  if (set.servicesCovered(resolved).length > 0) return [];
  const message = `spec.host: no service has the host ${resolved}, so the rule is never used.`;
  return [findingOn(rule, "HDL0103", ["spec", "host"], message, suggestHost(rule.spec.host, resolved, namespace, set))];
}

function checkSubsets(rule: DestinationRuleResource, set: ResourceSet): Finding[] {
  const covered = set.servicesCovered(resolveHost(rule.spec.host, rule.metadata.namespace));
  const workloads = set.workloads.filter((workload) =>
    covered.some((service) => service.name === workload.service && service.namespace === workload.namespace),
  );
  if (workloads.length === 0) return [];
  return (rule.spec.subsets ?? []).flatMap((subset, index) => {
    if (workloads.some((workload) => hasLabels(workload.labels, subset.labels ?? {}))) return [];
    const path = ["spec", "subsets", index];
    const labels = Object.entries(subset.labels ?? {}).map(([key, value]) => `${key}: ${value}`);
    return [
      findingOn(
        rule,
        "HDL0107",
        path,
        `${describePath(path)} (${subset.name}): no workload of ${rule.spec.host} has the labels ${labels.join(", ")}.`,
      ),
    ];
  });
}

/** istio.md 4.5: rules of one host and namespace are merged by age; what the older one says, the younger cannot say again. */
function findMergeLosers(rules: readonly DestinationRuleResource[]): Finding[] {
  const groups = Map.groupBy(
    rules,
    (rule) => `${rule.metadata.namespace} ${resolveHost(rule.spec.host, rule.metadata.namespace)}`,
  );
  return [...groups.values()].flatMap((group) => findLosersIn(group));
}

function findLosersIn(group: readonly DestinationRuleResource[]): Finding[] {
  const findings: Finding[] = [];
  const subsetOwners = new Map<string, DestinationRuleResource>();
  let policyOwner: DestinationRuleResource | undefined;
  for (const rule of group) {
    if (rule.spec.trafficPolicy !== undefined) {
      if (policyOwner === undefined) policyOwner = rule;
      else {
        const message = `spec.trafficPolicy is not used: ${describeResource(policyOwner)} sets one for the same host and goes first, because ${explainAge(policyOwner, rule)}.`;
        findings.push(
          findingOn(
            rule,
            "HDL0112",
            ["spec", "trafficPolicy"],
            message,
            "Put the traffic policy into one DestinationRule for the host.",
          ),
        );
      }
    }
    (rule.spec.subsets ?? []).forEach((subset, index) => {
      const owner = subsetOwners.get(subset.name);
      if (owner === undefined) subsetOwners.set(subset.name, rule);
      else {
        const path = ["spec", "subsets", index];
        const message = `${describePath(path)}: the subset ${subset.name} is not used: ${describeResource(owner)} defines it, too, and goes first, because ${explainAge(owner, rule)}.`;
        findings.push(findingOn(rule, "HDL0112", path, message));
      }
    });
  }
  return findings;
}
