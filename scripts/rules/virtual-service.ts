// istio.md 4.4: VirtualService, its http routes.
import type { TurnedBranches } from "../turned-branch.ts";

const action = "compiler/src/routing/action.ts";
const compile = "compiler/src/routing/compile.ts";
const match = "compiler/src/routing/match.ts";
const mirror = "compiler/src/routing/mirror.ts";
const fault = "compiler/src/routing/fault.ts";
const headers = "compiler/src/routing/headers.ts";
const fraction = "compiler/src/routing/fraction.ts";
const destinationCluster = "compiler/src/routing/destination-cluster.ts";
const virtualHosts = "compiler/src/model/virtual-hosts.ts";
const meshModel = "compiler/src/model/mesh-model.ts";
const age = "api/src/age.ts";
const hosts = "api/src/hosts.ts";
const pathMatch = "engine/src/bind/path-match.ts";
const decideRequest = "engine/src/steps/decide-request.ts";
const routeSearch = "engine/src/steps/route-search.ts";

export const virtualService: TurnedBranches = {
  tests: "packages/compiler/src/istio-semantics/virtual-service.test.ts",
  branches: {
    "4.4 in the mesh VirtualServices for one host are not merged: the first by age counts, alone": [
      [virtualHosts, ".sort(compareAge)", ".sort((a, b) => compareAge(b, a))"],
      [virtualHosts, "if (!owners.has(host)) owners", "owners"],
    ],
    "4.4 of equally old VirtualServices for one host the first by name counts, then by namespace": [
      [age, "compareText(a.metadata.name, b.metadata.name)", "compareText(b.metadata.name, a.metadata.name)"],
      [
        age,
        "compareText(a.metadata.namespace, b.metadata.namespace)",
        "compareText(b.metadata.namespace, a.metadata.namespace)",
      ],
    ],
    "4.4 a VirtualService that names the host counts before one whose wildcard covers it, and the longest wildcard before others":
      [
        [virtualHosts, "if (exact !== undefined) return exact;", "if (exact === undefined) return exact;"],
        [hosts, "return b.length - a.length;", "return a.length - b.length;"],
      ],
    "4.4 http routes are tried top-down and the first match wins": [
      [compile, "routes.push({", "routes.unshift({"],
      [routeSearch, "if (isMatch) return route;", "if (isMatch && i > 0) return route;"],
    ],
    "4.4 entries of match are OR": [[compile, "of matches.entries()", "of matches.slice(0, 1).entries()"]],
    "4.4 fields of a match entry are AND": [
      ["engine/src/bind/route-match.ts", "if (!this.#path(path)) return false;", ""],
      [
        "engine/src/bind/route-match.ts",
        "this.#headers.length > 0 && !allHeadersMatch",
        "this.#headers.length < 0 && !allHeadersMatch",
      ],
      [
        "engine/src/bind/route-match.ts",
        ".matches(request.path)) return false;",
        ".matches(request.path)) return true;",
      ],
      [match, "if (match.method !== undefined) headers", "if (match.method === undefined) headers"],
    ],
    "4.4 an entry without match is a catch-all, and nothing behind it is reached": [
      [compile, "if (isCatchAll(compiled)) return routes;", ""],
      [match, 'path?.case === "prefix" && path.value === "/"', 'path?.case === "prefix" && path.value !== "/"'],
      [match, 'path.value.regex === ".*"', 'path.value.regex !== ".*"'],
      [match, "isEveryPath && (match.headers ?? []).length === 0", "isEveryPath"],
    ],
    "4.4 no route matched: 404 NR": [
      [
        routeSearch,
        "  return undefined;\n}\n\n/** One of a weighted",
        "  return routes[0];\n}\n\n/** One of a weighted",
      ],
      [decideRequest, 'out.respond(req, "no_route");', 'out.respond(req, "no_cluster");'],
    ],
    "4.4 a destination whose cluster is missing: 503 NC": [
      [action, "ResponseCode.SERVICE_UNAVAILABLE", "ResponseCode.NOT_FOUND"],
      [compile, "validateClusters: false", "validateClusters: true"],
    ],
    "4.4 sourceLabels are those of the calling workload": [
      [
        match,
        "return hasLabels(source.labels, match.sourceLabels ?? {});",
        "return !hasLabels(source.labels, match.sourceLabels ?? {});",
      ],
    ],
    "4.4 sourceNamespace is that of the calling workload": [
      [match, "match.sourceNamespace !== source.namespace", "match.sourceNamespace === source.namespace"],
    ],
    "4.4 when gateways is set, sourceLabels are ignored; mesh is the sidecars' gateway": [
      [match, "match.gateways !== undefined && match.gateways.length > 0", "match.gateways === undefined"],
      [match, 'match.gateways.includes("mesh")', '!match.gateways.includes("mesh")'],
    ],
    "4.4 a caller for whom no entry is left has the service's default route": [
      [compile, "routes.length > 0 ? routes : [defaultRoute(context)]", "routes"],
      [compile, 'context.rules?.mask[entry++] !== "0"', "true"],
    ],
    "4.4 short hosts are of the VirtualService's own namespace, not of the caller's or the service's": [
      [meshModel, "resolveHost(host, metadata.namespace)", 'resolveHost(host, "default")'],
      [
        "compiler/src/resource-queries.ts",
        "hostOf: (name) => resolveHost(name, namespace)",
        'hostOf: (name) => resolveHost(name, "default")',
      ],
    ],
    "4.4 a uri prefix is plain text, not path segments": [
      [
        match,
        '{ case: "prefix", value: uri?.prefix ?? "/" }',
        '{ case: uri?.prefix === undefined ? "prefix" : "pathSeparatedPrefix", value: uri?.prefix ?? "/" }',
      ],
      [pathMatch, 'path !== "" && path.startsWith(wanted);', "path === wanted;"],
    ],
    "4.4 an exact uri is the whole path": [
      [match, '{ case: "path", value: uri.exact }', '{ case: "prefix", value: uri.exact }'],
      [pathMatch, "path === wanted;", "path.startsWith(wanted);"],
    ],
    "4.4 ignoreUriCase concerns exact and prefix": [
      [match, "match.ignoreUriCase !== true", "match.ignoreUriCase === true"],
      [pathMatch, "if (match.caseSensitive) return", "if (!match.caseSensitive) return"],
    ],
    "4.4 a regex must match the whole value": [
      [match, "{ regex: uri.regex } }", "{ regex: `${uri.regex}.*` } }"],
      [match, '{ regex: condition.regex ?? "" } }', '{ regex: `(${condition.regex ?? ""}).*` } }'],
    ],
    "4.4 the match {} of a header or query parameter means that it is there": [
      [
        match,
        "(condition.exact ?? condition.prefix ?? condition.regex) === undefined",
        "(condition.exact ?? condition.prefix ?? condition.regex) !== undefined",
      ],
    ],
    "4.4 withoutHeaders hold when the header is absent or has another value": [
      [match, "invertMatch: true", "invertMatch: false"],
      [match, "treatMissingHeaderAsEmpty: !isPresenceMatch(condition)", "treatMissingHeaderAsEmpty: false"],
      [match, "treatMissingHeaderAsEmpty: !isPresenceMatch(condition)", "treatMissingHeaderAsEmpty: true"],
    ],
    "4.4 authority is what the request says, or the service's full name when it could not name the service": [
      [
        match,
        "else if (!holds(match.authority, authority)) return undefined;",
        "else if (holds(match.authority, authority)) return undefined;",
      ],
      [match, "if (authority === undefined) headers.push", "if (authority !== undefined) headers.push"],
    ],
    "4.4 a request that names its own proxy reaches the service under the service's name; one that names the service keeps its host":
      [
        [action, "isSingle ? defaultAuthority : undefined", "isSingle ? undefined : defaultAuthority"],
        [
          action,
          "authority === undefined ? defaultAuthority : undefined",
          "authority === undefined ? undefined : defaultAuthority",
        ],
        [
          compile,
          "routes: compileRoutes({ ...common, authority: undefined, defaultAuthority: undefined, redirectPort: port })",
          "routes: compileRoutes({ ...common, ...anyHost })",
        ],
      ],
    "4.4 a port match is decided by the service's port": [
      [match, "match.port !== undefined && match.port !== port", "match.port !== undefined && match.port === port"],
    ],
    "4.4 rewrite.uri replaces the matched prefix, or the whole of an exact path": [
      [action, 'rewrite?.uri === undefined || rewrite.uri === ""', "true"],
    ],
    "4.4 rewrite.uriRegexRewrite and rewrite.authority": [
      [action, "if (regex !== undefined) return", "if (false) return"],
      [action, "route.rewrite?.authority || routeHeaders", "routeHeaders"],
    ],
    "4.4 a host that the route sets wins over its destination's, whether there is one destination or several": [
      [
        action,
        "route.rewrite?.authority || routeHeaders.authority || own?.authority",
        "own?.authority || route.rewrite?.authority || routeHeaders.authority",
      ],
      [action, "headers.authority ?? defaultAuthority", "defaultAuthority"],
      [decideRequest, "if (weighted.hostRewrite !== undefined) rewriteHost(req, weighted.hostRewrite, false);", ""],
    ],
    "4.4 weights share requests, and a destination without weight beside others gets none": [
      [action, "(weight ?? 0) > 0", "(weight ?? 1) > 0"],
      [action, "weight: destination.weight ?? 0", "weight: 1"],
      [routeSearch, "if (point < share.upTo)", "if (point >= share.upTo)"],
    ],
    "4.4 a single destination gets everything, whether or not it has a weight": [
      [
        action,
        "destinations.length === 1 && first !== undefined",
        "destinations.length === 1 && first !== undefined && first.weight !== undefined",
      ],
    ],
    "4.4 a destination without port: the service's only port, or the one that was called": [
      [destinationCluster, "?? onlyPort ?? requestPort", "?? requestPort"],
      [destinationCluster, "ports.length === 1 ? ports[0]", "ports.length > 0 ? ports[0]"],
      [destinationCluster, "destination.port?.number ?? ", ""],
    ],
    "4.4 default timeout: none": [
      [action, "parseDuration(route.timeout)) ?? 0", "parseDuration(route.timeout)) ?? 15_000"],
      [action, "route.timeout === undefined ? undefined : parseDuration(route.timeout)", "undefined"],
    ],
    "4.4 a gRPC caller's own deadline counts, as far as the timeout goes, and the timeout without one": [
      [action, "maxGrpcTimeout: duration(timeoutMs)", "maxGrpcTimeout: duration(0)"],
      [action, "maxGrpcTimeout: duration(timeoutMs),", ""],
      ["engine/src/steps/timeouts.ts", "leftMs > maxMs)", "leftMs < maxMs)"],
      ["engine/src/steps/timeouts.ts", "if (!req.isGrpc || ", "if ("],
    ],
    "4.4 an injected abort is not retried, and an injected delay does not count against the timeout": [
      ["engine/src/steps/fault-injection.ts", "if (fault.abortStatus === 0 ||", "if (fault.abortStatus !== 0 ||"],
      ["engine/src/steps/fault-injection.ts", "fault.delayMs > 0 &&", "fault.delayMs <= 0 &&"],
    ],
    "4.4 the fault filter stands before the router, and requests that a fault passes over keep retries and timeout": [
      ["compiler/src/listeners/http-connection-manager.ts", "[...filters, router]", "[router]"],
      ["engine/src/steps/fault-injection.ts", "random() < share", "random() >= share"],
    ],
    "4.4 a fault without percentage never happens": [
      [fault, "abort.percentage?.value ?? 0", "abort.percentage?.value ?? 100"],
      [fault, "delay.percentage?.value ?? 0", "delay.percentage?.value ?? 100"],
    ],
    "4.4 a mirror gets every request by default, none at an explicit 0, and its share otherwise": [
      [mirror, "percent: percentage === undefined ? 100", "percent: percentage === undefined ? 0"],
      [mirror, "percent > 0", "percent <= 0"],
      [mirror, "fractionOf(percent)", "fractionOf(100)"],
      [
        decideRequest,
        "mirror.fraction >= 1 || random() < mirror.fraction",
        "mirror.fraction >= 1 || random() >= mirror.fraction",
      ],
    ],
    "4.4 several mirrors, each with its percentage; the copy keeps its host and is not sampled": [
      [mirror, "(route.mirrors ?? []).map(", "(route.mirrors ?? []).slice(0, 1).map("],
      [mirror, "disableShadowHostSuffixAppend: true", "disableShadowHostSuffixAppend: false"],
      [mirror, "traceSampled: false", "traceSampled: true"],
      [mirror, "mirror.percentage === undefined ? 100", "mirror.percentage === undefined ? 0"],
    ],
    "4.4 headers are set, added and removed for the route, and then for the destination": [
      [
        action,
        "requestHeadersToAdd: [...a.requestHeadersToAdd, ...b.requestHeadersToAdd]",
        "requestHeadersToAdd: [...b.requestHeadersToAdd, ...a.requestHeadersToAdd]",
      ],
      [headers, "HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD", "HeaderAppendAction.APPEND_IF_EXISTS_OR_ADD"],
      [headers, "HeaderAppendAction.APPEND_IF_EXISTS_OR_ADD", "HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD"],
      [headers, "requestHeadersToRemove: namesToRemove(request)", "requestHeadersToRemove: []"],
    ],
    "4.4 redirect: the path is replaced, the code is 301 unless said, the port of a scheme is not written out": [
      [action, "redirect.redirectCode ?? 301", "redirect.redirectCode ?? 302"],
      [action, "portRedirect: isImplied ? 0 : port", "portRedirect: port"],
      [action, "redirect.prefixRewrite !== undefined\n", "redirect.prefixRewrite === undefined\n"],
      [action, 'redirect.derivePort === "FROM_REQUEST_PORT"', 'redirect.derivePort !== "FROM_REQUEST_PORT"'],
    ],
    "4.4 directResponse answers with its status and body": [
      [action, "body?.bytes !== undefined", "body?.bytes === undefined && body?.string === undefined"],
      [action, "if (body?.string !== undefined) return", "if (body?.string === undefined) return"],
      [compile, "if (route.directResponse !== undefined)", "if (route.directResponse === undefined)"],
      [compile, "maxDirectResponseBodySizeBytes: 1024 * 1024", "maxDirectResponseBodySizeBytes: 4096"],
    ],
    "4.4 the edge follows the VirtualService of its service, for every host, and keeps the host": [
      [
        "compiler/src/resource-queries.ts",
        "compileOpenTable(name, this.#routed(host), rules,",
        "compileOpenTable(name, this.#routed(host), undefined,",
      ],
    ],
  },
};

export const virtualServiceFields: TurnedBranches = {
  tests: "packages/compiler/src/istio-semantics/virtual-service-fields.test.ts",
  branches: {
    "4.4 a redirect has the code that is written, of the five that there are": [
      [action, "redirectCodes[redirect.redirectCode ?? 301]", "redirectCodes[301]"],
    ],
    "4.4 a redirect's port is left out only where it is the scheme's own": [
      [action, '(port === 80 && scheme === "http")', "port === 80"],
      [action, '(port === 443 && scheme === "https")', "port === 443"],
      [action, 'redirect.scheme || "http"', 'redirect.scheme || "https"'],
    ],
    "4.4 a request that names its own proxy is redirected to that proxy's own port": [
      [
        compile,
        "defaultAuthority: `${host}:${port}`, redirectPort: undefined",
        "defaultAuthority: `${host}:${port}`, redirectPort: port",
      ],
    ],
    "4.4 authority is matched by the service's full name in every way when the request could not name the service": [
      [match, "return condition.exact === text;", "return text.startsWith(condition.exact);"],
      [match, "return text.startsWith(condition.prefix);", "return condition.prefix === text;"],
      [match, 'RE2JS.matches(condition.regex ?? "", text)', 'new RegExp(condition.regex ?? "").test(text)'],
    ],
    "4.4 exact, prefix and regex are told apart in headers, query parameters and methods": [
      [
        match,
        '{ matchPattern: { case: "exact", value: condition.exact } }',
        '{ matchPattern: { case: "prefix", value: condition.exact } }',
      ],
      [
        match,
        '{ matchPattern: { case: "prefix", value: condition.prefix } }',
        '{ matchPattern: { case: "exact", value: condition.prefix } }',
      ],
      [
        match,
        "if (condition.prefix !== undefined) return { matchPattern",
        "if (condition.prefix === undefined) return { matchPattern",
      ],
    ],
    "4.4 a mirror whose percentage is {} gets nothing: protobuf reads 0": [
      [mirror, "(mirror.percentage.value ?? 0)", "(mirror.percentage.value ?? 100)"],
      [mirror, "(percentage.value ?? 0)", "(percentage.value ?? 100)"],
    ],
    "4.4 a fault's and a mirror's percentage count to a fraction of a percent": [
      [fraction, "Math.round(percent * 10_000)", "Math.round(percent) * 10_000"],
    ],
    "4.4 a fault's delay and its abort happen each by itself": [
      [fault, "delay === undefined ? {}", "abort === undefined ? {}"],
      [fault, "abort === undefined\n", "true\n"],
      [decideRequest, "if (fault !== undefined && !injectAbort(", "if (fault === undefined && !injectAbort("],
    ],
    "4.4 headers of the ${side} are set, added and removed by the route and by its only destination": [
      [action, "own === undefined ? routeHeaders : concatenate(routeHeaders, own)", "routeHeaders"],
      [
        action,
        "responseHeadersToAdd: [...a.responseHeadersToAdd, ...b.responseHeadersToAdd]",
        "responseHeadersToAdd: [...b.responseHeadersToAdd, ...a.responseHeadersToAdd]",
      ],
      [
        action,
        "requestHeadersToAdd: [...a.requestHeadersToAdd, ...b.requestHeadersToAdd]",
        "requestHeadersToAdd: [...b.requestHeadersToAdd, ...a.requestHeadersToAdd]",
      ],
    ],
    "4.4 headers of the ${side} are those of the destination that the weights choose, and of the route": [
      [action, "...headerFields(headers),", ""],
      [headers, "responseHeadersToRemove: namesToRemove(response)", "responseHeadersToRemove: []"],
      [headers, "requestHeadersToRemove: namesToRemove(request)", "requestHeadersToRemove: []"],
    ],
    "4.4 answers that a route makes itself carry its response headers, too": [
      [
        compile,
        "compileRedirect(route.redirect, context.redirectPort) };\n    return { ...fields, ...headerFields(own), action };",
        "compileRedirect(route.redirect, context.redirectPort) };\n    return { ...fields, action };",
      ],
      [
        compile,
        "compileDirectResponse(route.directResponse) };\n    return { ...fields, ...headerFields(own), action };",
        "compileDirectResponse(route.directResponse) };\n    return { ...fields, action };",
      ],
    ],
    "4.4 host and :authority are set by request headers in every spelling": [
      [
        headers,
        'name.toLowerCase() === ":authority" || name.toLowerCase() === "host") return value',
        'name.toLowerCase() === "host") return value',
      ],
      [headers, "?? authorityAmong(request?.add)", ""],
    ],
    "4.4 a client in the mesh may name the service by each of its names, with and without the port, and keeps what it said":
      [
        [compile, "[domain, `${domain}:${port}`]", "[domain]"],
        [compile, "[host, `${name}.${namespace}.svc`, `${name}.${namespace}`, name]", "[host]"],
      ],
    "4.4 each match entry is asked about its own source": [
      [compile, "context.rules?.mask[entry++]", "context.rules?.mask[entry]"],
      [compile, 'matchesSource(match, source) ? "1" : "0"', 'matchesSource(matches[0] ?? {}, source) ? "1" : "0"'],
    ],
    "4.4 an empty list of matches is none: the route is a catch-all": [
      [compile, "route.match?.length ? route.match : [undefined]", "route.match ?? [undefined]"],
    ],
    "4.4 a proxy is given the clusters of all that its routes send requests and copies to": [
      [compile, "for (const { destination } of route.route ?? []) hosts", "for (const { destination } of []) hosts"],
      [compile, "if (route.mirror !== undefined) hosts", "if (route.mirror === undefined && false) hosts"],
      [compile, "for (const { destination } of route.mirrors ?? []) hosts", "for (const { destination } of []) hosts"],
    ],
    "4.4 an empty list of gateways is none: the source conditions count": [
      [match, "match.gateways !== undefined && match.gateways.length > 0", "match.gateways !== undefined"],
    ],
    "4.4 what names only other gateways than mesh does not govern sidecars": [
      // As everything that is refused, it governs nobody.
      ["api/src/kinds/virtual-service/fields.ts", '(name === "mesh" ? undefined', "(true ? undefined"],
    ],
  },
};

export const sourceMatches: TurnedBranches = {
  tests: "packages/compiler/src/routing/match.test.ts",
  branches: {
    "4.4 a match that names gateways holds for a workload only when mesh is among them": [
      [match, 'match.gateways.includes("mesh")', "true"],
      [match, "match.gateways !== undefined && match.gateways.length > 0", "match.gateways !== undefined"],
    ],
  },
};

const rules = "api/src/kinds/virtual-service/rules.ts";
const unreachable = "api/src/kinds/virtual-service/unreachable-routes.ts";
const retryConditions = "api/src/kinds/virtual-service/retry-conditions.ts";
const fields = "api/src/kinds/virtual-service/fields.ts";

/** What `api` says of routes before they are compiled. */
export const virtualServiceRules: TurnedBranches = {
  tests: "packages/api/src/kinds/virtual-service/rules.test.ts",
  branches: {
    "4.4: weights of several destinations that add up to zero are refused": [
      [
        rules,
        "destinations.some((each) => (each.weight ?? 0) > 0)",
        "destinations.some((each) => (each.weight ?? 1) > 0)",
      ],
    ],
    "4.4: one weight above zero is enough": [
      [
        rules,
        "destinations.some((each) => (each.weight ?? 0) > 0)",
        "destinations.every((each) => (each.weight ?? 0) > 0)",
      ],
    ],
    "4.4: a single destination needs no weight": [[rules, "destinations.length < 2", "destinations.length < 1"]],
    "4.4: exactly one of exact, prefix and regex": [
      [
        fields,
        'exclusive: [["exact", "prefix", "regex"]],\n  checks: [rules.matchIsNotEmpty],',
        "checks: [rules.matchIsNotEmpty],",
      ],
    ],
    "4.4: an empty match of a header asks for presence": [
      [
        fields,
        'exclusive: [["exact", "prefix", "regex"]],\n});',
        'exclusive: [["exact", "prefix", "regex"]],\n  checks: [rules.matchIsNotEmpty],\n});',
      ],
    ],
    "4.4: a mirror of 0 % is fine": [[fields, 'decimal(0, 100), "Percentage', 'decimal(1, 100), "Percentage']],
    "4.6: attempts: 0 switches retries off": [[fields, "integer(0, 100)", "integer(1, 100)"]],
    "4.4: sourceLabels beside gateways have no effect": [
      [rules, "match.gateways === undefined || match.gateways.length === 0", "match.gateways !== undefined"],
    ],
    "4.4: timeout and retries beside a fault are said to have no effect": [
      [rules, "if (route.fault === undefined) return;", "if (route.fault !== undefined) return;"],
    ],
    "4.4: one entry of a match without conditions matches everything": [
      [unreachable, "entriesOf(other).some((wider)", "entriesOf(other).every((wider)"],
    ],
    "4.4: what stands below a route without a match can never match": [
      [
        unreachable,
        "route?.match === undefined || route.match.length === 0 ? [{}]",
        "route?.match === undefined || route.match.length === 0 ? []",
      ],
    ],
    "4.4: a prefix of / without other conditions matches everything": [
      [unreachable, 'wide.uri.prefix === "/"', 'wide.uri.prefix !== "/"'],
    ],
    "4.6: numbers in retryOn are status codes": [
      [retryConditions, "!/^[1-5]\\d\\d$/.test(word)", "/^[1-5]\\d\\d$/.test(word)"],
    ],
  },
};

export const unreachableRoutes: TurnedBranches = {
  tests: "packages/api/src/kinds/virtual-service/unreachable-routes.test.ts",
  branches: {
    '4.4: below ${above} the match ${below} ${isReached ? "can be reached" : "is never reached"}': [
      [unreachable, "impliesEach(narrow.headers, wide.headers) &&", ""],
      [unreachable, "wide.port === undefined || wide.port === narrow.port", "wide.port === undefined"],
      [unreachable, "wide.port === undefined || wide.port === narrow.port", "true"],
      [unreachable, "(narrow.gateways?.length ?? 0) > 0 ? {} : narrow", "narrow"],
      [unreachable, "(wide.gateways?.length ?? 0) > 0) return true;", "(wide.gateways?.length ?? 0) < 0) return true;"],
      [
        unreachable,
        "if (exact !== undefined) return narrow.exact === exact;",
        "if (exact !== undefined) return narrow.exact !== exact;",
      ],
    ],
  },
};

export const virtualServiceReferences: TurnedBranches = {
  tests: "packages/api/src/references/references.test.ts",
  branches: {
    "4.4: a short name is looked up in the resource's own namespace": [
      [
        "api/src/references/virtual-services.ts",
        "resolveHost(destination.host, namespace)",
        'resolveHost(destination.host, "default")',
      ],
    ],
    "4.4: of two VirtualServices for one host the second is told who wins and why": [
      ["api/src/references/resource-set.ts", ".sort(compareAge)", ".sort((a, b) => compareAge(b, a))"],
      ["api/src/references/virtual-services.ts", "winner.service !== service", "winner.service === service"],
    ],
  },
};
