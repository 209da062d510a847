import type { Finding } from "../finding.ts";
import { edgeServiceAccount } from "../kinds/local-mesh/spec.ts";
import type { AuthorizationPolicyResource } from "../resource.ts";
import { describePath } from "../schema/check.ts";
import { nearestName } from "../schema/nearest-name.ts";
import { findingOn } from "./resource-set.ts";
import type { ResourceSet } from "./resource-set.ts";

type Path = readonly (string | number)[];

/** Callers that a policy names and that nobody in the mesh is: a misspelt account denies, or fails to deny, in silence. */
export function checkIdentities(set: ResourceSet): Finding[] {
  const policies = set.all("AuthorizationPolicy");
  const findings = policies.flatMap(checkSchemes);
  if (!set.isServiceListKnown) return findings;
  const accounts = knownAccounts(set);
  return [...findings, ...policies.flatMap((policy) => checkAccounts(policy, accounts, set))];
}

/** `<namespace>/<account>` of everybody in the mesh. */
function knownAccounts(set: ResourceSet): ReadonlySet<string> {
  const accounts = set.workloads.map((workload) => `${workload.namespace}/${workload.serviceAccount}`);
  return new Set([...accounts, `${set.options.rootNamespace}/${edgeServiceAccount}`]);
}

function checkSchemes(policy: AuthorizationPolicyResource): Finding[] {
  return principalsOf(policy).flatMap(([path, principal]) => {
    if (!principal.startsWith("spiffe://")) return [];
    const message = `${describePath(path)}: ${principal} begins with spiffe://, which principals leave out; it never matches.`;
    return [findingOn(policy, "HDL0116", path, message, `Write ${principal.slice("spiffe://".length)}.`)];
  });
}

function checkAccounts(
  policy: AuthorizationPolicyResource,
  accounts: ReadonlySet<string>,
  set: ResourceSet,
): Finding[] {
  const named: [Path, string][] = [];
  for (const [path, principal] of principalsOf(policy)) {
    const [trustDomain, account] = splitPrincipal(principal);
    if (account !== undefined && trustDomain === set.options.trustDomain) named.push([path, account]);
  }
  for (const [path, account] of serviceAccountsOf(policy))
    named.push([path, account.includes("/") ? account : `${policy.metadata.namespace}/${account}`]);
  return named.flatMap(([path, account]) => {
    if (accounts.has(account)) return [];
    const nearest = nearestName(account, accounts);
    const message = `${describePath(path)}: no workload of the mesh runs as the service account ${account}.`;
    return [
      findingOn(
        policy,
        "HDL0116",
        path,
        message,
        nearest === undefined ? `Accounts of the mesh: ${[...accounts].join(", ")}.` : `Did you mean ${nearest}?`,
      ),
    ];
  });
}

/** Trust domain and `<namespace>/<account>` of an exact principal; nothing for a pattern. */
function splitPrincipal(principal: string): [string, string] | [] {
  const match = /^([^*/]+)\/ns\/([^*/]+)\/sa\/([^*/]+)$/.exec(principal);
  return match === null ? [] : [match[1] ?? "", `${match[2]}/${match[3]}`];
}

function principalsOf(policy: AuthorizationPolicyResource): [Path, string][] {
  return sourceValues(policy, ["principals", "notPrincipals"], "source.principal");
}

function serviceAccountsOf(policy: AuthorizationPolicyResource): [Path, string][] {
  return sourceValues(policy, ["serviceAccounts", "notServiceAccounts"], "source.serviceAccount");
}

function sourceValues(
  policy: AuthorizationPolicyResource,
  fields: readonly ("principals" | "notPrincipals" | "serviceAccounts" | "notServiceAccounts")[],
  key: string,
): [Path, string][] {
  const found: [Path, string][] = [];
  (policy.spec.rules ?? []).forEach((rule, ruleIndex) => {
    const base = ["spec", "rules", ruleIndex];
    (rule.from ?? []).forEach((from, index) => {
      for (const name of fields)
        (from.source[name] ?? []).forEach((value, position) =>
          found.push([[...base, "from", index, "source", name, position], value]),
        );
    });
    (rule.when ?? []).forEach((condition, index) => {
      if (condition.key !== key) return;
      for (const name of ["values", "notValues"] as const) {
        (condition[name] ?? []).forEach((value, position) =>
          found.push([[...base, "when", index, name, position], value]),
        );
      }
    });
  });
  return found;
}
