import { type AuthorizationPolicySpec, dryRunAnnotation, type Metadata } from "@heddle/api";
import {
  HttpRbacSchema,
  type MessageInitShape,
  NetworkRbacSchema,
  RBAC_Action,
  type RBACSchema,
} from "@heddle/xds/api";
import { policyRuleName, unreadablePolicyName } from "../names.ts";
import { extension } from "../wire.ts";
import { alwaysMatches, compileRule, neverMatches, type PolicyInit } from "./rule.ts";

type RbacInit = Omit<MessageInitShape<typeof RBACSchema>, "$typeName">;

/** A policy that selects the workload. */
export interface SelectedPolicy {
  readonly metadata: Metadata;
  readonly spec: AuthorizationPolicySpec;
}

/** What selects the workload and could not be read. */
export interface UnreadablePolicy {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

export interface WorkloadPolicies {
  readonly policies: readonly SelectedPolicy[];
  readonly unreadable: readonly UnreadablePolicy[];
}

/** Enforced and shadow rules of one action, as one filter. */
interface ActionRules {
  readonly rules?: RbacInit;
  readonly shadowRules?: RbacInit;
  readonly shadowRulesStatPrefix: string;
}

/** The filters of an HTTP port: first what denies, then what allows, and no ALLOW filter when no ALLOW policy is there (istio.md 4.1.1). */
export function compileHttpAuthorization(selected: WorkloadPolicies, port: number) {
  return actions.flatMap((action) => {
    const rules = compileAction(action, selected, port, true);
    return rules === undefined ? [] : [extension(filterNames[action], HttpRbacSchema, rules)];
  });
}

/** The same for a port where only connections are seen. */
export function compileNetworkAuthorization(selected: WorkloadPolicies, port: number | undefined) {
  return actions.flatMap((action) => {
    const rules = compileAction(action, selected, port, false);
    return rules === undefined
      ? []
      : [extension(filterNames[action], NetworkRbacSchema, { ...rules, statPrefix: "tcp." })];
  });
}

const actions = ["DENY", "ALLOW"] as const;
/** Istio's; filters of one listener need names of their own, so that a route could override one of them. */
const filterNames = { DENY: "istio.authorization.deny", ALLOW: "istio.authorization.allow" } as const;

function compileAction(
  action: "ALLOW" | "DENY",
  { policies, unreadable }: WorkloadPolicies,
  port: number | undefined,
  isHttp: boolean,
): ActionRules | undefined {
  const enforced = new Map<string, PolicyInit>();
  const shadow = new Map<string, PolicyInit>();
  let isEnforcing = false;
  let isShadowing = false;

  if (action === "DENY") {
    for (const { kind, namespace, name } of unreadable) {
      enforced.set(unreadablePolicyName(kind, namespace, name), alwaysMatches);
      isEnforcing = true;
    }
  }
  for (const { metadata, spec } of policies) {
    if ((spec.action ?? "ALLOW") !== action) continue;
    const isDryRun = metadata.annotations[dryRunAnnotation] === "true";
    if (isDryRun) isShadowing = true;
    else isEnforcing = true;
    for (const [name, rule] of compilePolicy(metadata, spec, { action, isHttp, port })) {
      (isDryRun ? shadow : enforced).set(name, rule);
    }
  }
  if (!isEnforcing && !isShadowing) return undefined;
  const prefix = action === "ALLOW" ? "istio_dry_run_allow_" : "istio_dry_run_deny_";
  return {
    ...(isEnforcing ? { rules: rbac(action, enforced) } : {}),
    ...(isShadowing ? { shadowRules: rbac(action, shadow) } : {}),
    shadowRulesStatPrefix: isShadowing ? prefix : "",
  };
}

/** Rules under their names. An ALLOW policy of which nothing is left still allows nobody: its presence is what denies. */
function compilePolicy(
  { namespace, name }: Metadata,
  spec: AuthorizationPolicySpec,
  context: { action: "ALLOW" | "DENY"; isHttp: boolean; port: number | undefined },
): [string, PolicyInit][] {
  const rules = spec.rules ?? [];
  if (rules.length === 0) return [[policyRuleName(namespace, name, 0), neverMatches]];
  return rules.flatMap((rule, index) => {
    const compiled = compileRule(rule, { ...context, policyNamespace: namespace });
    return compiled === undefined ? [] : [[policyRuleName(namespace, name, index), compiled] as [string, PolicyInit]];
  });
}

/** Envoy evaluates policies in the order of their names; they are put in that order, so that equal rules are equal on the wire. */
function rbac(action: "ALLOW" | "DENY", policies: ReadonlyMap<string, PolicyInit>): RbacInit {
  return {
    action: action === "ALLOW" ? RBAC_Action.ALLOW : RBAC_Action.DENY,
    policies: Object.fromEntries([...policies].sort(([a], [b]) => (a < b ? -1 : 1))),
  };
}
