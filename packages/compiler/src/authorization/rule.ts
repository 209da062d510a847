import type { AuthorizationRule, Condition, Operation, Source } from "@heddle/api";
import type { MessageInitShape, PermissionSchema, PolicySchema, PrincipalSchema } from "@heddle/xds/api";
import { compileAddressBlock } from "./address-block.ts";
import { compilePath } from "./path.ts";
import {
  compilePattern,
  compileWildcards,
  quoteRegex,
  regexPattern,
  type StringMatcherInit,
} from "./string-pattern.ts";

export type PolicyInit = Omit<MessageInitShape<typeof PolicySchema>, "$typeName">;
type Permission = Omit<MessageInitShape<typeof PermissionSchema>, "$typeName">;
type Principal = Omit<MessageInitShape<typeof PrincipalSchema>, "$typeName">;

/** For which traffic, and to what end, a rule is compiled. */
export interface RuleContext {
  readonly action: "ALLOW" | "DENY";
  /** Whether requests are seen, or only connections. */
  readonly isHttp: boolean;
  /** Short names of accounts are of this namespace. */
  readonly policyNamespace: string;
  /**
   * The workload's own port. The proxy's may be another, so that conditions on the port are decided here. Undefined: whatever port the
   * connection was meant for, which is known when it is there.
   */
  readonly port: number | undefined;
}

/** One field with its values: some value must match, and no `not` value may. */
interface Field<Matcher> {
  readonly values: readonly string[] | undefined;
  readonly notValues: readonly string[] | undefined;
  /** Whether there is nothing to ask it about on a TCP port. */
  readonly isHttpOnly: boolean;
  readonly compile: (value: string) => Matcher;
}

/**
 * One rule: any `from`, any `to` and every `when` (istio.md 4.1.3); undefined: it never matches.
 *
 * On a TCP port a condition that only requests can answer drops an ALLOW rule whole and is itself dropped from a DENY rule: either way
 * less is let through (istio.md 4.1.8).
 */
export function compileRule(rule: AuthorizationRule, context: RuleContext): PolicyInit | undefined {
  const whenPrincipal: Field<Principal>[] = [];
  const whenPermission: Field<Permission>[] = [];
  for (const condition of rule.when ?? []) addCondition(condition, context, whenPrincipal, whenPermission);

  const froms = rule.from?.length ? rule.from.map(({ source }) => sourceFields(source, context)) : [[]];
  const tos = rule.to?.length ? rule.to.map(({ operation }) => operationFields(operation, context)) : [[]];
  const principals = froms.map((fields) => [...fields, ...whenPrincipal]);
  const permissions = tos.map((fields) => [...fields, ...whenPermission]);

  if (!context.isHttp && context.action === "ALLOW") {
    if ([...principals, ...permissions].flat().some((field) => field.isHttpOnly && isAsked(field))) return undefined;
  }
  return {
    permissions: permissions.map((fields) => allPermissions(askable(fields, context))),
    principals: principals.map((fields) => allPrincipals(askable(fields, context))),
  };
}

function isAsked({ values, notValues }: Field<unknown>): boolean {
  return (values ?? []).length > 0 || (notValues ?? []).length > 0;
}

function askable<Matcher>(fields: readonly Field<Matcher>[], { isHttp }: RuleContext): Field<Matcher>[] {
  return fields.filter((field) => isAsked(field) && (isHttp || !field.isHttpOnly));
}

function sourceFields(source: Source, context: RuleContext): Field<Principal>[] {
  const s = source;
  return [
    { values: s.principals, notValues: s.notPrincipals, ...principalName },
    { values: s.namespaces, notValues: s.notNamespaces, ...namespaceOfPeer },
    { values: s.serviceAccounts, notValues: s.notServiceAccounts, ...accountOfPeer(context) },
    { values: s.trustDomains, notValues: s.notTrustDomains, ...trustDomainOfPeer },
    { values: s.ipBlocks, notValues: s.notIpBlocks, ...directAddress },
    { values: s.remoteIpBlocks, notValues: s.notRemoteIpBlocks, ...clientAddress },
  ];
}

function operationFields(operation: Operation, context: RuleContext): Field<Permission>[] {
  const o = operation;
  return [
    { values: o.hosts, notValues: o.notHosts, ...requestHost },
    { values: o.methods, notValues: o.notMethods, ...requestMethod },
    { values: o.paths, notValues: o.notPaths, ...requestPath },
    { values: o.ports, notValues: o.notPorts, ...workloadPort(context) },
  ];
}

function addCondition(
  { key, values, notValues }: Condition,
  context: RuleContext,
  principals: Field<Principal>[],
  permissions: Field<Permission>[],
): void {
  const header = /^request\.headers\[(.+)\]$/.exec(key)?.[1];
  if (header !== undefined) {
    principals.push({ values, notValues, ...requestHeader(header) });
    return;
  }
  const principal = principalKeys(context)[key];
  if (principal !== undefined) principals.push({ values, notValues, ...principal });
  const permission = permissionKeys(context)[key];
  if (permission !== undefined) permissions.push({ values, notValues, ...permission });
  // `api` accepts no other key. Should one arrive all the same, it must not widen what is let through.
  if (principal === undefined && permission === undefined) permissions.push(unanswerable(context));
}

function unanswerable({ action }: RuleContext): Field<Permission> {
  const matches = action === "DENY";
  return {
    values: ["*"],
    notValues: undefined,
    isHttpOnly: false,
    compile: () => (matches ? anyPermission : noPermission),
  };
}

type Kind<Matcher> = Pick<Field<Matcher>, "isHttpOnly" | "compile">;

function principalKeys(context: RuleContext): Readonly<Record<string, Kind<Principal>>> {
  return {
    "source.ip": directAddress,
    "remote.ip": clientAddress,
    "source.namespace": namespaceOfPeer,
    "source.principal": principalName,
    "source.serviceAccount": accountOfPeer(context),
    "source.trustDomain": trustDomainOfPeer,
  };
}

function permissionKeys(context: RuleContext): Readonly<Record<string, Kind<Permission>>> {
  return {
    "destination.ip": destinationAddress,
    "destination.port": workloadPort(context),
    "connection.sni": serverName,
  };
}

const uriLead = "spiffe://";

/** The identity of a verified certificate. A peer without one has none, so that only a `not` can match it. */
const principalName: Kind<Principal> = {
  isHttpOnly: false,
  compile: (value) => authenticated(compilePattern(value, uriLead)),
};
const namespaceOfPeer: Kind<Principal> = {
  isHttpOnly: false,
  compile: (value) => authenticated(compileWildcards(value, ".*/ns/", ".*", "/.*")),
};
const trustDomainOfPeer: Kind<Principal> = {
  isHttpOnly: false,
  compile: (value) =>
    authenticated(
      value.includes("*")
        ? compileWildcards(value, uriLead, value === "*" ? "[^/]+" : "[^/]*", "/.*")
        : { matchPattern: { case: "prefix", value: `${uriLead}${value}/` } },
    ),
};
const directAddress: Kind<Principal> = {
  isHttpOnly: false,
  compile: (value) => ({ identifier: { case: "directRemoteIp", value: compileAddressBlock(value) } }),
};
const clientAddress: Kind<Principal> = {
  isHttpOnly: false,
  compile: (value) => ({ identifier: { case: "remoteIp", value: compileAddressBlock(value) } }),
};
const destinationAddress: Kind<Permission> = {
  isHttpOnly: false,
  compile: (value) => ({ rule: { case: "destinationIp", value: compileAddressBlock(value) } }),
};
const serverName: Kind<Permission> = {
  isHttpOnly: false,
  compile: (value) => ({ rule: { case: "requestedServerName", value: compilePattern(value) } }),
};
/** Host names compare without regard to case, everything else with it. */
const requestHost: Kind<Permission> = {
  isHttpOnly: true,
  compile: (value) => ({ rule: { case: "header", value: headerMatcher(":authority", value, true) } }),
};
const requestMethod: Kind<Permission> = {
  isHttpOnly: true,
  compile: (value) => ({ rule: { case: "header", value: headerMatcher(":method", value, false) } }),
};
const requestPath: Kind<Permission> = {
  isHttpOnly: true,
  compile: (value) => ({ rule: { case: "urlPath", value: { rule: { case: "path", value: compilePath(value) } } } }),
};

/** Exact: `<account>` of the policy's namespace, or `<namespace>/<account>`; in whatever trust domain. */
function accountOfPeer({ policyNamespace }: RuleContext): Kind<Principal> {
  return {
    isHttpOnly: false,
    compile: (value) => {
      const [namespace = "", account = ""] = value.includes("/") ? value.split("/") : [policyNamespace, value];
      return authenticated(regexPattern(`${uriLead}[^/]+/ns/${quoteRegex(namespace)}/sa/${quoteRegex(account)}`));
    },
  };
}

function workloadPort({ port }: RuleContext): Kind<Permission> {
  if (port === undefined)
    return { isHttpOnly: false, compile: (value) => ({ rule: { case: "destinationPort", value: Number(value) } }) };
  return { isHttpOnly: false, compile: (value) => (Number(value) === port ? anyPermission : noPermission) };
}

function requestHeader(name: string): Kind<Principal> {
  return {
    isHttpOnly: true,
    compile: (value) => ({ identifier: { case: "header", value: headerMatcher(name, value, false) } }),
  };
}

function headerMatcher(name: string, value: string, ignoreCase: boolean) {
  if (value === "*") return { name, headerMatchSpecifier: { case: "presentMatch" as const, value: true } };
  return { name, headerMatchSpecifier: { case: "stringMatch" as const, value: compilePattern(value, "", ignoreCase) } };
}

function authenticated(principalNamePattern: StringMatcherInit): Principal {
  return { identifier: { case: "authenticated", value: { principalName: principalNamePattern } } };
}

const anyPermission: Permission = { rule: { case: "any", value: true } };
const noPermission: Permission = { rule: { case: "notRule", value: anyPermission } };
const anyPrincipal: Principal = { identifier: { case: "any", value: true } };
const noPrincipal: Principal = { identifier: { case: "notId", value: anyPrincipal } };

/** What `spec: {}` stands for. */
export const neverMatches: PolicyInit = { permissions: [noPermission], principals: [noPrincipal] };
export const alwaysMatches: PolicyInit = { permissions: [anyPermission], principals: [anyPrincipal] };

function allPermissions(fields: readonly Field<Permission>[]): Permission {
  const of = fields.flatMap(({ values, notValues, compile }) => [
    ...(values?.length ? [anyOfPermissions(values.map(compile))] : []),
    ...(notValues?.length
      ? [{ rule: { case: "notRule" as const, value: anyOfPermissions(notValues.map(compile)) } }]
      : []),
  ]);
  const [first, ...others] = of;
  if (first === undefined) return anyPermission;
  return others.length === 0 ? first : { rule: { case: "andRules", value: { rules: of } } };
}

function anyOfPermissions(of: Permission[]): Permission {
  const [first] = of;
  return of.length === 1 && first !== undefined ? first : { rule: { case: "orRules", value: { rules: of } } };
}

function allPrincipals(fields: readonly Field<Principal>[]): Principal {
  const of = fields.flatMap(({ values, notValues, compile }) => [
    ...(values?.length ? [anyOfPrincipals(values.map(compile))] : []),
    ...(notValues?.length
      ? [{ identifier: { case: "notId" as const, value: anyOfPrincipals(notValues.map(compile)) } }]
      : []),
  ]);
  const [first, ...others] = of;
  if (first === undefined) return anyPrincipal;
  return others.length === 0 ? first : { identifier: { case: "andIds", value: { ids: of } } };
}

function anyOfPrincipals(of: Principal[]): Principal {
  const [first] = of;
  return of.length === 1 && first !== undefined ? first : { identifier: { case: "orIds", value: { ids: of } } };
}
