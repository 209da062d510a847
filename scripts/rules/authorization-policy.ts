// istio.md 4.1: AuthorizationPolicy.
import type { TurnedBranches } from "../turned-branch.ts";

const compile = "compiler/src/authorization/compile.ts";
const rule = "compiler/src/authorization/rule.ts";
const select = "compiler/src/authorization/select.ts";
const path = "compiler/src/authorization/path.ts";
const stringPattern = "compiler/src/authorization/string-pattern.ts";
const addressBlock = "compiler/src/authorization/address-block.ts";
const inbound = "compiler/src/listeners/inbound.ts";
const engineRbac = "engine/src/bind/rbac.ts";

export const authorizationPolicy: TurnedBranches = {
  tests: "packages/compiler/src/istio-semantics/authorization-policy.test.ts",
  branches: {
    "4.1.1 DENY is asked before ALLOW: whatever a DENY matches is denied, though an ALLOW matches it, too": [
      [compile, 'action === "ALLOW" ? RBAC_Action.ALLOW', 'action === "DENY" ? RBAC_Action.ALLOW'],
    ],
    "4.1.1 what a DENY matches is denied in its name, also when no ALLOW would have let it in": [
      [compile, '["DENY", "ALLOW"] as const', '["ALLOW", "DENY"] as const'],
    ],
    "4.1.1 without an ALLOW policy on the workload everything that no DENY matches is allowed": [
      [compile, "!isEnforcing && !isShadowing", "isEnforcing || isShadowing"],
      [compile, "!isEnforcing && !isShadowing", "(isEnforcing = true) === false"],
    ],
    "4.1.1 with an ALLOW policy on the workload what none matches is denied": [
      [compile, "isEnforcing ? { rules:", "!isEnforcing ? { rules:"],
    ],
    "4.1.1 a policy without action is ALLOW": [[compile, 'spec.action ?? "ALLOW"', 'spec.action ?? "DENY"']],
    "4.1.2 scope: root namespace = mesh, namespace = its workloads, selector = workloads with its labels": [
      [select, "namespace !== rootNamespace && namespace !== workload.namespace", "namespace !== workload.namespace"],
      [select, "namespace !== rootNamespace && namespace !== workload.namespace", "namespace === rootNamespace"],
      [select, "hasLabels(workload.labels, selector ?? {})", "!hasLabels(workload.labels, selector ?? {})"],
      [select, "hasLabels(workload.labels, selector ?? {})", "true"],
    ],
    "4.1.2 mesh-wide policies hold at the edge, and are decided by its own port there": [
      ["compiler/src/listeners/edge.ts", "...compileHttpAuthorization(policies, port),", ""],
      ["compiler/src/listeners/edge.ts", "(policies, port)", "(policies, instance.inboundPort)"],
    ],
    "4.1.3 a policy without rules never matches: ALLOW denies all, DENY nothing": [
      [
        compile,
        "policyRuleName(namespace, name, 0), neverMatches",
        "policyRuleName(namespace, name, 0), alwaysMatches",
      ],
    ],
    "4.1.3 the rule {} matches everything": [
      [rule, "if (first === undefined) return anyPrincipal;", "if (first === undefined) return noPrincipal;"],
      [rule, "if (first === undefined) return anyPermission;", "if (first === undefined) return noPermission;"],
    ],
    "4.1.3 rules of a policy are OR": [
      [compile, "rules.flatMap((rule, index)", "rules.slice(0, 1).flatMap((rule, index)"],
    ],
    "4.1.3 from AND to AND when": [
      [rule, "[...fields, ...whenPrincipal]", "fields"],
      [rule, "principals.map((fields) => allPrincipals(askable(fields, context)))", "[anyPrincipal]"],
      [rule, "permissions.map((fields) => allPermissions(askable(fields, context)))", "[anyPermission]"],
    ],
    "4.1.3 entries of from and of to are OR, entries of when AND": [
      [rule, "rule.from.map((", "rule.from.slice(0, 1).map(("],
      [rule, "rule.to.map((", "rule.to.slice(0, 1).map(("],
      [rule, "of rule.when ?? []", "of (rule.when ?? []).slice(0, 1)"],
    ],
    "4.1.3 fields of a source and of an operation are AND, values of a field OR": [
      [rule, 'case: "andRules"', 'case: "orRules"'],
      [
        rule,
        '{ identifier: { case: "andIds", value: { ids: of } } }',
        '{ identifier: { case: "orIds", value: { ids: of } } }',
      ],
      [
        rule,
        '{ rule: { case: "orRules", value: { rules: of } } }',
        '{ rule: { case: "andRules", value: { rules: of } } }',
      ],
      [
        rule,
        '{ identifier: { case: "orIds", value: { ids: of } } }',
        '{ identifier: { case: "andIds", value: { ids: of } } }',
      ],
    ],
    "4.1.3 a not field holds when none of its values matches": [
      [
        rule,
        '{ rule: { case: "notRule" as const, value: anyOfPermissions(notValues.map(compile)) } }',
        "anyOfPermissions(notValues.map(compile))",
      ],
      [
        rule,
        '{ identifier: { case: "notId" as const, value: anyOfPrincipals(notValues.map(compile)) } }',
        "anyOfPrincipals(notValues.map(compile))",
      ],
    ],
    "4.1.3 each of the values of a not field is excluded, not only the first": [
      [rule, "anyOfPrincipals(notValues.map(compile))", "anyOfPrincipals(notValues.slice(0, 1).map(compile))"],
    ],
    "4.1.3 values and notValues of one key are ANDed": [
      [rule, "...(values?.length ? [anyOfPrincipals(", "...(values?.length && !notValues?.length ? [anyOfPrincipals("],
      [
        rule,
        "...(values?.length ? [anyOfPermissions(",
        "...(values?.length && !notValues?.length ? [anyOfPermissions(",
      ],
    ],
    "4.1.4 strings: exact, prefix, suffix, anything; an asterisk elsewhere is a character": [
      [stringPattern, 'pattern === "*"', 'pattern !== "*"'],
      [stringPattern, 'pattern.startsWith("*")', '!pattern.startsWith("*")'],
      [stringPattern, 'pattern.endsWith("*")', '!pattern.endsWith("*")'],
      [stringPattern, 'case: "suffix"', 'case: "contains"'],
      [stringPattern, 'case: "prefix"', 'case: "exact"'],
      [stringPattern, 'case: "exact"', 'case: "prefix"'],
      [rule, 'value === "*") return { name', 'value !== "*") return { name'],
    ],
    "4.1.4 paths are matched without the query": [
      [
        rule,
        '{ rule: { case: "urlPath", value: { rule: { case: "path", value: compilePath(value) } } } }',
        '{ rule: { case: "header", value: headerMatcher(":path", value, false) } }',
      ],
    ],
    "4.1.4 hosts are matched without regard to case, everything else with it": [
      [rule, 'headerMatcher(":authority", value, true)', 'headerMatcher(":authority", value, false)'],
      [rule, 'headerMatcher(":method", value, false)', 'headerMatcher(":method", value, true)'],
      [rule, "headerMatcher(name, value, false)", "headerMatcher(name, value, true)"],
      [stringPattern, "ignoreCase = false", "ignoreCase = true"],
    ],
    "4.1.4 the name of a header in a condition is matched without regard to case": [
      ["engine/src/load/string-match.ts", "return name.toLowerCase();", "return name;"],
    ],
    "4.1.4 principals are matched behind spiffe://": [
      [rule, "compilePattern(value, uriLead)", "compilePattern(value)"],
      [stringPattern, '"prefix", value: lead + pattern', '"prefix", value: pattern'],
      [stringPattern, '"exact", value: lead + pattern', '"exact", value: pattern'],
    ],
    "4.1.4 namespaces take asterisks in any position": [
      [stringPattern, '.split("*").map(quoteRegex).join(any)', '.split("*").map(quoteRegex).join("[*]")'],
    ],
    "4.1.4 serviceAccounts are exact: <namespace>/<account>, or <account> of the policy's namespace": [
      [rule, 'value.includes("/") ? value.split("/")', '!value.includes("/") ? value.split("/")'],
      [rule, "[policyNamespace, value]", '["default", value]'],
      [rule, "/sa/${quoteRegex(account)}`", "/sa/${quoteRegex(account)}.*`"],
    ],
    "4.1.4 trustDomains are exact or hold one asterisk": [
      [rule, 'value.includes("*")', '!value.includes("*")'],
      [rule, "`${uriLead}${value}/`", "`${uriLead}${value}`"],
    ],
    "4.1.4 a peer without a certificate has no identity: only a not can match it": [
      [engineRbac, "if (peer === undefined) return NO;", "if (peer === undefined) return YES;"],
    ],
    "4.1.4 ports are the workload's own": [
      [rule, "Number(value) === port", "Number(value) !== port"],
      [
        inbound,
        "compileHttpAuthorization(policies, instance.servicePort)",
        "compileHttpAuthorization(policies, instance.inboundPort)",
      ],
    ],
    "4.1.4 addresses are single or blocks; ipBlocks ask for the direct peer, remoteIpBlocks for the client behind X-Forwarded-For":
      [
        [addressBlock, "prefixLen: bits - 96", "prefixLen: 128 - bits"],
        [rule, '{ identifier: { case: "directRemoteIp"', '{ identifier: { case: "remoteIp"'],
        [rule, '{ identifier: { case: "remoteIp"', '{ identifier: { case: "directRemoteIp"'],
        [rule, '{ rule: { case: "destinationIp", value: compileAddressBlock(value) } }', "anyPermission"],
      ],
    "4.1.4 connection.sni is the server name that the client asked for": [
      [rule, '{ rule: { case: "requestedServerName", value: compilePattern(value) } }', "anyPermission"],
      [rule, "[...fields, ...whenPermission]", "fields"],
    ],
    "4.1.5 path templates: {*} is one segment, {**} the rest": [
      [
        path,
        '!pattern.includes("{*}") && !pattern.includes("{**}")',
        'pattern.includes("{*}") || pattern.includes("{**}")',
      ],
      [path, "`[${segmentCharacters}]+`", "`[${segmentCharacters}/]+`"],
      [path, "`[${segmentCharacters}]+`", "`[${segmentCharacters}]*`"],
      [path, "`[${segmentCharacters}/]*`", "`[${segmentCharacters}]*`"],
      [path, "`[${segmentCharacters}/]*`", "`[${segmentCharacters}/]+`"],
      [path, "return quoteRegex(part);", "return part;"],
    ],
    "4.1.8 on an opaque port an ALLOW rule with an HTTP condition is dropped whole": [
      [rule, '!context.isHttp && context.action === "ALLOW"', "false"],
      [rule, "field.isHttpOnly && isAsked(field)", "!field.isHttpOnly && isAsked(field)"],
    ],
    "4.1.8 on an opaque port an HTTP condition is dropped from a DENY rule and the rest still denies": [
      [rule, '!context.isHttp && context.action === "ALLOW"', "!context.isHttp"],
    ],
    "4.1.8 conditions that a connection can answer hold on opaque ports, in the order of 4.1.1": [
      [inbound, "...compileNetworkAuthorization(policies, policyPort), ", ""],
      [
        rule,
        "isHttpOnly: false,\n  compile: (value) => authenticated(compilePattern(",
        "isHttpOnly: true,\n  compile: (value) => authenticated(compilePattern(",
      ],
    ],
    "4.1.10 only the value true makes a dry run": [
      [
        compile,
        'metadata.annotations[dryRunAnnotation] === "true"',
        "metadata.annotations[dryRunAnnotation] !== undefined",
      ],
    ],
    "4.1.10 a dry-run policy changes nothing and says what it would have done": [
      [compile, 'metadata.annotations[dryRunAnnotation] === "true"', "false"],
      [compile, "isDryRun ? shadow : enforced", "isDryRun ? enforced : shadow"],
    ],
    "4.1.13 policies and routes see paths without dot segments and with backslashes turned; slashes stay as they are": [
      ["compiler/src/listeners/http-connection-manager.ts", "normalizePath: true", "normalizePath: false"],
      ["compiler/src/listeners/http-connection-manager.ts", "mergeSlashes: false", "mergeSlashes: true"],
      [
        "compiler/src/listeners/http-connection-manager.ts",
        "SlashesAction.KEEP_UNCHANGED",
        "SlashesAction.UNESCAPE_AND_FORWARD",
      ],
    ],
  },
};

/** A field's kind, by what follows in its definition. */
function asHttpOnly(definition: string): [file: string, branch: string, turned: string] {
  return [rule, `isHttpOnly: false,\n  ${definition}`, `isHttpOnly: true,\n  ${definition}`];
}

export const authorizationFields: TurnedBranches = {
  tests: "packages/compiler/src/istio-semantics/authorization-fields.test.ts",
  branches: {
    "4.1.3 ${name} holds when one of its values matches, and its not when none does": [
      [rule, "[anyOfPermissions(values.map(compile))]", "[anyOfPermissions(values.slice(0, 1).map(compile))]"],
      [rule, "[anyOfPrincipals(values.map(compile))]", "[anyOfPrincipals(values.slice(0, 1).map(compile))]"],
      [rule, "anyOfPermissions(notValues.map(compile))", "anyOfPermissions(notValues.slice(0, 1).map(compile))"],
      [rule, "values: s.namespaces, notValues: s.notNamespaces", "values: s.notNamespaces, notValues: s.namespaces"],
      [rule, "values: o.hosts, notValues: o.notHosts", "values: o.notHosts, notValues: o.hosts"],
    ],
    "4.1.8 ${name} can be answered on an opaque port, and holds there": [
      asHttpOnly('compile: (value) => authenticated(compileWildcards(value, ".*/ns/"'),
      asHttpOnly('compile: (value) =>\n    authenticated(\n      value.includes("*")'),
      asHttpOnly('compile: (value) => ({ identifier: { case: "directRemoteIp"'),
      asHttpOnly('compile: (value) => ({ identifier: { case: "remoteIp"'),
      asHttpOnly('compile: (value) => ({ rule: { case: "destinationIp"'),
      [
        rule,
        "isHttpOnly: false, compile: (value) => (Number(value) === port",
        "isHttpOnly: true, compile: (value) => (Number(value) === port",
      ],
    ],
    "4.1.8 ${name} cannot be answered on an opaque port: it allows nobody, and denies whoever the rest of its rule denies":
      [
        [rule, "(isHttp || !field.isHttpOnly)", "(isHttp || field.isHttpOnly)"],
        [rule, '!context.isHttp && context.action === "ALLOW"', '!context.isHttp && context.action === "DENY"'],
      ],
    "4.1.8 connection.sni can be answered on an opaque port, also when the client named no server": [
      asHttpOnly('compile: (value) => ({ rule: { case: "requestedServerName"'),
    ],
    "4.1.4 namespaces begin and end where a segment of the identity does, and an asterisk may reach beyond it, as in Istio":
      [
        [rule, '".*/ns/", ".*", "/.*"', '".*/ns/.*", ".*", "/.*"'],
        [rule, '".*/ns/", ".*", "/.*"', '".*/ns/", ".*", ".*"'],
        [rule, '".*/ns/", ".*", "/.*"', '".*/ns/", "[^/]*", "/.*"'],
      ],
    "4.1.4 the asterisk of a trust domain ends where the trust domain does, and may stand for nothing": [
      [rule, 'value === "*" ? "[^/]+"', 'value !== "*" ? "[^/]+"'],
      [rule, '"[^/]+" : "[^/]*"', '"[^/]+" : ".*"'],
    ],
    "4.1.4 a service account is of any trust domain, and of no deeper path": [
      [rule, "`${uriLead}[^/]+/ns/", "`${uriLead}cluster.local/ns/"],
      [rule, "`${uriLead}[^/]+/ns/", "`${uriLead}.+/ns/"],
      [rule, "/sa/${quoteRegex(account)}`", "/sa/${quoteRegex(account)}.*`"],
      [rule, "/sa/${quoteRegex(account)}`", "/sa/${account}`"],
    ],
    "4.1.4 a principal's suffix is plain text, and does not reach into spiffe://": [
      [stringPattern, ".*${quoteRegex(suffix)}`", ".*${suffix}`"],
      [stringPattern, 'lead !== ""', 'lead === ""'],
    ],
    "4.1.4 the server name * is any, but not none": [[stringPattern, '".+"', '".*"']],
    "4.1.4 a single address is one address, in every family": [
      [addressBlock, "? 128 : 32", "? 64 : 32"],
      [addressBlock, "? 128 : 32", "? 128 : 24"],
      [addressBlock, "length === undefined ? 128", "length === undefined ? 120"],
    ],
    "4.1.5 {*} and {**} stand for the characters of a path's segments, the asterisk not among them": [
      [path, ':@=";', ':@=*";'],
      [path, ':@=";', ':@";'],
    ],
    "4.1.10 what a dry run would have done stands under a prefix of its action's own": [
      [compile, 'action === "ALLOW" ? "istio_dry_run_allow_"', 'action === "DENY" ? "istio_dry_run_allow_"'],
    ],
  },
};

export const stringPatterns: TurnedBranches = {
  tests: "packages/compiler/src/authorization/patterns.test.ts",
  branches: {
    "4.1.4 string patterns become the cheapest matcher that means the same": [
      [stringPattern, 'lead !== ""', 'lead === ""'],
      [stringPattern, 'pattern.startsWith("*")', 'pattern.endsWith("*")'],
    ],
  },
};

const formats = "api/src/kinds/authorization-policy/formats.ts";
const checks = "api/src/kinds/authorization-policy/rules.ts";
const fields = "api/src/kinds/authorization-policy/fields.ts";
const conditionKeys = "api/src/kinds/authorization-policy/condition-keys.ts";

/** What `api` says of policies before they are compiled. */
export const authorizationPolicyRules: TurnedBranches = {
  tests: "packages/api/src/kinds/authorization-policy/rules.test.ts",
  branches: {
    "4.1.2: targetRefs are not supported yet": [[fields, 'targetRefs: "Select workloads by selector.",', ""]],
    "4.1.3: an ALLOW policy without rules denies all and is fine": [[checks, 'policy.action !== "DENY"', "false"]],
    "4.1.3: a DENY policy without rules is said to do nothing": [
      [checks, 'policy.action !== "DENY"', 'policy.action === "DENY"'],
    ],
    "4.1.3: an empty rule matches everything and is fine": [
      [checks, "(policy.rules?.length ?? 0) > 0", "policy.rules === undefined"],
    ],
    "source: 4.1.4: service accounts are names or namespaced names": [
      [formats, "parts.length > 2", "parts.length >= 2"],
    ],
    "source: 4.1.4: service accounts are exact": [
      // Twice over: neither of the two lets a * through.
      [
        formats,
        'if (value.includes("*")) return "holds a *";\n    return parts.every((part) => /^[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?$/.test(part))',
        "return parts.every((part) => /^[a-z0-9](?:[-a-z0-9.]*[a-z0-9*])?$/.test(part))",
      ],
    ],
    "source: 4.1.4: a service account has one slash at most": [[formats, "parts.length > 2", "parts.length > 3"]],
    "source: 4.1.4: service accounts exclude principals": [
      [checks, '["principals", "notPrincipals", "namespaces", "notNamespaces"]', '["namespaces", "notNamespaces"]'],
    ],
    "source: 4.1.4: service accounts exclude namespaces": [
      [checks, '["principals", "notPrincipals", "namespaces", "notNamespaces"]', '["principals", "notPrincipals"]'],
      [checks, "if (account === undefined) return;", "if (account !== undefined) return;"],
    ],
    "source: 4.1.4: a trust domain has one * at most": [[formats, "stars > 1", "stars > 2"]],
    "source: 4.1.4: a * in the middle of a trust domain is refused": [
      [formats, 'stars === 1 && !value.startsWith("*")', 'stars !== 1 && !value.startsWith("*")'],
    ],
    "source: 4.1.4: an address that is none is refused": [
      ["api/src/schema/ip-address.ts", "Number(length) <= bits", "Number(length) >= bits"],
    ],
    "operation: 4.1.4: ports are text": [
      ["api/src/schema/validator.ts", 'if (typeof value !== "string") {', 'if (typeof value === "object") {'],
    ],
    "operation: 4.1.4: port 65536 is refused": [[fields, "ports: field(each(portText)", "ports: field(texts"]],
    "operation: 4.1.5: templates pass": [[formats, "return isLast ? undefined", "return !isLast ? undefined"]],
    "operation: 4.1.5: an operator after {**} is refused": [
      [formats, "return isLast ? undefined", "return true ? undefined"],
    ],
    "operation: 4.1.5: a template does not mix with *": [[formats, "/[*{}]/.test(rest)", "/[{}]/.test(rest)"]],
    "operation: 4.1.5: an operator fills its segment": [
      [
        formats,
        'segments.some((segment) => segment.includes("{") &&',
        'segments.some((segment) => !segment.includes("{") &&',
      ],
    ],
    "operation: 4.1.5: named variables are refused": [
      [
        formats,
        '!value.includes("{*}") && !value.includes("{**}")',
        '!value.includes("{*}") || !value.includes("{**}")',
      ],
    ],
    "condition: 4.1.6: request principals are not supported yet": [[conditionKeys, "(?:principal|", "(?:"]],
    "condition: 4.1.7: claims are not supported yet": [[conditionKeys, "|claims(", "|claim("]],
    "4.1.10: the dry-run annotation is true or false, as text": [
      ["api/src/metadata.ts", 'value === "true" || value === "false"', 'value === "true"'],
      ["api/src/metadata.ts", 'value === undefined || value === "true"', 'value !== undefined || value === "true"'],
    ],
  },
};
