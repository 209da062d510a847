import {
  type HttpRbac,
  type HttpRbacPerRoute,
  type NetworkRbac,
  type PathMatcher,
  type Permission,
  type Policy,
  type Principal,
  type RBAC,
  RBAC_Action,
} from "@heddle/xds/api";
import type {
  PermissionConfig,
  PrincipalConfig,
  RbacConfig,
  RbacFilterConfig,
  RbacPolicyConfig,
} from "../config/rbac.ts";
import type { StringMatch } from "../config/string-match.ts";
import type { Loading, Path } from "./loading.ts";
import { loadHeaderMatch, loadStringMatch } from "./string-match.ts";

const actions: Readonly<Record<RBAC_Action, RbacConfig["action"]>> = {
  [RBAC_Action.ALLOW]: "allow",
  [RBAC_Action.DENY]: "deny",
  [RBAC_Action.LOG]: "log",
};

/** Whether HTTP conditions may stand in the rules: a network filter sees no headers, so they would never match. */
type Layer = "http" | "network";

export function loadHttpRbac(filter: HttpRbac, name: string, at: Path, loading: Loading): RbacFilterConfig {
  return { ...loadRules(filter, name, at, "http", loading), statPrefix: "" };
}

export function loadHttpRbacPerRoute(
  override: HttpRbacPerRoute,
  name: string,
  at: Path,
  loading: Loading,
): RbacFilterConfig | undefined {
  return override.rbac === undefined ? undefined : loadHttpRbac(override.rbac, name, at.field("rbac"), loading);
}

export function loadNetworkRbac(filter: NetworkRbac, name: string, at: Path, loading: Loading): RbacFilterConfig {
  return {
    ...loadRules(filter, name, at, "network", loading),
    statPrefix: loading.required(filter.statPrefix, at.field("stat_prefix")),
  };
}

function loadRules(
  filter: { rules?: RBAC | undefined; shadowRules?: RBAC | undefined; shadowRulesStatPrefix: string },
  name: string,
  at: Path,
  layer: Layer,
  loading: Loading,
): Omit<RbacFilterConfig, "statPrefix"> {
  const { rules, shadowRules } = filter;
  return {
    name,
    rules: rules === undefined ? undefined : loadRbac(rules, at.field("rules"), layer, loading),
    shadowRules:
      shadowRules === undefined ? undefined : loadRbac(shadowRules, at.field("shadow_rules"), layer, loading),
    shadowRulesStatPrefix: filter.shadowRulesStatPrefix,
    provenance: undefined,
  };
}

function loadRbac(rbac: RBAC, at: Path, layer: Layer, loading: Loading): RbacConfig {
  const names = Object.keys(rbac.policies).sort((a, b) => (a < b ? -1 : 1));
  return {
    // An unknown action is refused by the walker; until then nothing is let through.
    action: actions[rbac.action] ?? "deny",
    policies: names.map((name) =>
      loadPolicy(name, rbac.policies[name] as Policy, at.field("policies").key(name), layer, loading),
    ),
  };
}

function loadPolicy(name: string, policy: Policy, at: Path, layer: Layer, loading: Loading): RbacPolicyConfig {
  if (policy.permissions.length === 0)
    loading.problem(at.field("permissions"), "the list is empty", "give at least one permission");
  if (policy.principals.length === 0)
    loading.problem(at.field("principals"), "the list is empty", "give at least one principal");
  return {
    name,
    permissions: policy.permissions.map((item, i) =>
      loadPermission(item, at.field("permissions").index(i), layer, loading),
    ),
    principals: policy.principals.map((item, i) =>
      loadPrincipal(item, at.field("principals").index(i), layer, loading),
    ),
  };
}

function httpOnly(at: Path, layer: Layer, loading: Loading): void {
  if (layer === "network")
    loading.problem(at, "a network filter sees no request", "use conditions on the connection, or an HTTP filter");
}

function notEmpty(items: readonly unknown[], at: Path, loading: Loading): void {
  if (items.length === 0) loading.problem(at, "the list is empty", "give at least one member");
}

function loadUrlPath(matcher: PathMatcher, at: Path, loading: Loading): StringMatch {
  return loadStringMatch(matcher.rule.value, at.field("path"), loading);
}

function loadPermission(permission: Permission, at: Path, layer: Layer, loading: Loading): PermissionConfig {
  const { rule } = permission;
  const members = (items: readonly Permission[], field: string): PermissionConfig[] => {
    const where = at.field(field).field("rules");
    notEmpty(items, where, loading);
    return items.map((item, index) => loadPermission(item, where.index(index), layer, loading));
  };
  switch (rule.case) {
    case "any":
      return isTrue(rule.value, at, loading);
    case "andRules":
      return { kind: "and", of: members(rule.value.rules, "and_rules") };
    case "orRules":
      return { kind: "or", of: members(rule.value.rules, "or_rules") };
    case "notRule":
      return { kind: "not", of: loadPermission(rule.value, at.field("not_rule"), layer, loading) };
    case "header":
      httpOnly(at.field("header"), layer, loading);
      return { kind: "header", header: loadHeaderMatch(rule.value, at.field("header"), loading) };
    case "urlPath":
      httpOnly(at.field("url_path"), layer, loading);
      return { kind: "url-path", match: loadUrlPath(rule.value, at.field("url_path"), loading) };
    case "destinationIp":
      return { kind: "destination-ip", range: loading.cidr(rule.value, at.field("destination_ip")) };
    case "destinationPort": {
      const start = loading.range(rule.value, at.field("destination_port"), 0, 65535);
      return { kind: "destination-port", start, end: start + 1 };
    }
    case "destinationPortRange": {
      const where = at.field("destination_port_range");
      const start = loading.range(rule.value.start, where.field("start"), 0, 65535);
      return { kind: "destination-port", start, end: loading.range(rule.value.end, where.field("end"), start, 65536) };
    }
    case "requestedServerName":
      return {
        kind: "requested-server-name",
        match: loadStringMatch(rule.value, at.field("requested_server_name"), loading),
      };
    default:
      // The walker has named a rule that is set and not supported; only an absent one is said here.
      if (rule.case === undefined) loading.problem(at, "the permission is empty", "give a rule; `any: true` for all");
      return { kind: "not", of: { kind: "any" } };
  }
}

function isTrue(value: boolean, at: Path, loading: Loading): { readonly kind: "any" } {
  if (!value) loading.problem(at.field("any"), "any must be true", "write `any: true`");
  return { kind: "any" };
}

function loadPrincipal(principal: Principal, at: Path, layer: Layer, loading: Loading): PrincipalConfig {
  const { identifier } = principal;
  const members = (items: readonly Principal[], field: string): PrincipalConfig[] => {
    const where = at.field(field).field("ids");
    notEmpty(items, where, loading);
    return items.map((item, index) => loadPrincipal(item, where.index(index), layer, loading));
  };
  switch (identifier.case) {
    case "any":
      return isTrue(identifier.value, at, loading);
    case "andIds":
      return { kind: "and", of: members(identifier.value.ids, "and_ids") };
    case "orIds":
      return { kind: "or", of: members(identifier.value.ids, "or_ids") };
    case "notId":
      return { kind: "not", of: loadPrincipal(identifier.value, at.field("not_id"), layer, loading) };
    case "authenticated": {
      const name = identifier.value.principalName;
      const where = at.field("authenticated").field("principal_name");
      return { kind: "authenticated", match: name === undefined ? undefined : loadStringMatch(name, where, loading) };
    }
    case "directRemoteIp":
      return { kind: "direct-remote-ip", range: loading.cidr(identifier.value, at.field("direct_remote_ip")) };
    case "remoteIp":
      return { kind: "remote-ip", range: loading.cidr(identifier.value, at.field("remote_ip")) };
    case "header":
      httpOnly(at.field("header"), layer, loading);
      return { kind: "header", header: loadHeaderMatch(identifier.value, at.field("header"), loading) };
    case "urlPath":
      httpOnly(at.field("url_path"), layer, loading);
      return { kind: "url-path", match: loadUrlPath(identifier.value, at.field("url_path"), loading) };
    default:
      if (identifier.case === undefined)
        loading.problem(at, "the principal is empty", "give an identifier; `any: true` for all");
      return { kind: "not", of: { kind: "any" } };
  }
}
