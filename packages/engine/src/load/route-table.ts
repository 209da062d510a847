import {
  type Route,
  type RouteConfiguration,
  RouteConfigurationSchema,
  type RouteMatch,
  type VirtualHost,
  VirtualHost_TlsRequirementType,
} from "@heddle/xds/api";
import { duplicateDomains } from "../bind/virtual-host-index.ts";
import type { PathMatch, RouteConfig, RouteMatchConfig, RouteTableConfig, VirtualHostConfig } from "../config/route.ts";
import { acceptedFields } from "./accepted-fields.ts";
import { loadProvenance, loadRuntimeFraction } from "./core-types.ts";
import { unsupportedFields } from "./field-walker.ts";
import { loadFilterOverrides } from "./filter-overrides.ts";
import { loadHeaderMutation } from "./header-mutation.ts";
import { Loading, type Loaded, type LoadOptions, Path } from "./loading.ts";
import { requiredClusters } from "./required-clusters.ts";
import { loadRetryPolicy } from "./retry-policy.ts";
import {
  type InheritedAction,
  loadDirectResponse,
  loadMirrors,
  loadRedirect,
  loadRouteAction,
} from "./route-action.ts";
import { loadHeaderMatch, loadHeaderName, loadQueryParameterMatch, loadRegex } from "./string-match.ts";

/** Envoy's bound on direct response bodies where the table sets none. */
const defaultDirectBodyBytes = 4096;

export function loadRouteConfiguration(
  message: RouteConfiguration,
  options: LoadOptions = {},
): Loaded<RouteTableConfig> {
  const loading = new Loading(options);
  const at = new Path(options.path ?? "");
  loading.problems.push(...unsupportedFields(RouteConfigurationSchema, message, acceptedFields, at));
  loading.required(message.name, at.field("name"));
  return loading.finish(loadRouteTable(message, at, loading, "rds"));
}

/**
 * Also for tables inside a connection manager, whose name may be empty.
 *
 * @param source inline tables must name clusters that exist unless they say otherwise, those of RDS only when they ask for it
 *   (Envoy, `RouteConfiguration.validate_clusters`)
 */
export function loadRouteTable(
  table: RouteConfiguration,
  at: Path,
  loading: Loading,
  source: "inline" | "rds",
): RouteTableConfig {
  for (const domain of duplicateDomains(table.virtualHosts)) {
    loading.problem(
      at.field("virtual_hosts"),
      `the domain "${domain}" is listed twice`,
      "a domain belongs to one virtual host",
    );
  }
  const names = new Set<string>();
  const bodyLimit = table.maxDirectResponseBodySizeBytes ?? defaultDirectBodyBytes;
  const mirrors = loadMirrors(table.requestMirrorPolicies, at.field("request_mirror_policies"), loading);
  const hostsAt = at.field("virtual_hosts");
  const virtualHosts = table.virtualHosts.map((host, index) => {
    const where = hostsAt.index(index);
    if (names.has(host.name))
      loading.problem(where.field("name"), `"${host.name}" is used twice`, "names are unique in a table");
    names.add(host.name);
    return loadVirtualHost(host, { retry: undefined, mirrors }, bodyLimit, where, loading);
  });
  if (table.validateClusters ?? source === "inline")
    loading.requiredClusters.push(...requiredClusters(virtualHosts, hostsAt));
  return {
    name: table.name,
    virtualHosts,
    internalOnlyHeaders: table.internalOnlyHeaders.map((name, i) =>
      loadHeaderName(name, at.field("internal_only_headers").index(i), loading),
    ),
    requestHeaders: loadHeaderMutation(
      table.requestHeadersToAdd,
      table.requestHeadersToRemove,
      at,
      "request_headers",
      loading,
    ),
    responseHeaders: loadHeaderMutation(
      table.responseHeadersToAdd,
      table.responseHeadersToRemove,
      at,
      "response_headers",
      loading,
    ),
    mostSpecificHeaderMutationsWins: table.mostSpecificHeaderMutationsWins,
    ignorePortInHostMatching: table.ignorePortInHostMatching,
    filterOverrides: loadFilterOverrides(table.typedPerFilterConfig, at.field("typed_per_filter_config"), loading),
    provenance: loadProvenance(table.metadata),
  };
}

const tlsRequirements: Readonly<Record<VirtualHost_TlsRequirementType, VirtualHostConfig["requireTls"]>> = {
  [VirtualHost_TlsRequirementType.NONE]: "none",
  [VirtualHost_TlsRequirementType.EXTERNAL_ONLY]: "external-only",
  [VirtualHost_TlsRequirementType.ALL]: "all",
};

function loadVirtualHost(
  host: VirtualHost,
  outer: InheritedAction,
  bodyLimit: number,
  at: Path,
  loading: Loading,
): VirtualHostConfig {
  if (host.domains.length === 0)
    loading.problem(at.field("domains"), "the list is empty", 'give at least one domain; "*" for all');
  host.domains.forEach((domain, index) => {
    const isPlain =
      domain !== "" &&
      !domain.slice(1, -1).includes("*") &&
      !(domain.length > 1 && domain.startsWith("*") && domain.endsWith("*"));
    if (!isPlain)
      loading.problem(at.field("domains").index(index), `"${domain}" is not a domain`, "a * may stand first or last");
  });
  const mirrors = loadMirrors(host.requestMirrorPolicies, at.field("request_mirror_policies"), loading);
  const inherited: InheritedAction = {
    retry:
      host.retryPolicy === undefined
        ? outer.retry
        : loadRetryPolicy(host.retryPolicy, at.field("retry_policy"), loading),
    mirrors: mirrors.length === 0 ? outer.mirrors : mirrors,
  };
  return {
    name: loading.required(host.name, at.field("name")),
    domains: host.domains,
    routes: host.routes.map((route, index) =>
      loadRoute(route, inherited, bodyLimit, at.field("routes").index(index), loading),
    ),
    requireTls: tlsRequirements[host.requireTls] ?? "none",
    requestHeaders: loadHeaderMutation(
      host.requestHeadersToAdd,
      host.requestHeadersToRemove,
      at,
      "request_headers",
      loading,
    ),
    responseHeaders: loadHeaderMutation(
      host.responseHeadersToAdd,
      host.responseHeadersToRemove,
      at,
      "response_headers",
      loading,
    ),
    filterOverrides: loadFilterOverrides(host.typedPerFilterConfig, at.field("typed_per_filter_config"), loading),
    includeRequestAttemptCount: host.includeRequestAttemptCount,
    includeAttemptCountInResponse: host.includeAttemptCountInResponse,
    provenance: loadProvenance(host.metadata),
  };
}

function loadRoute(
  route: Route,
  inherited: InheritedAction,
  bodyLimit: number,
  at: Path,
  loading: Loading,
): RouteConfig {
  const match = loadRouteMatch(route.match, at.field("match"), loading);
  const action = loadAction(route, inherited, bodyLimit, at, loading);
  if (match.path.kind === "path-separated-prefix" && action.kind !== "direct" && rewritesPrefix(action) === "/") {
    // Envoy would produce //rest; the rewrite of a segment to nothing is written with a regex.
    loading.problem(at.field(action.kind), "a path_separated_prefix cannot be rewritten to /", "use regex_rewrite");
  }
  return {
    name: route.name,
    match,
    action,
    requestHeaders: loadHeaderMutation(
      route.requestHeadersToAdd,
      route.requestHeadersToRemove,
      at,
      "request_headers",
      loading,
    ),
    responseHeaders: loadHeaderMutation(
      route.responseHeadersToAdd,
      route.responseHeadersToRemove,
      at,
      "response_headers",
      loading,
    ),
    filterOverrides: loadFilterOverrides(route.typedPerFilterConfig, at.field("typed_per_filter_config"), loading),
    provenance: loadProvenance(route.metadata),
  };
}

function rewritesPrefix(action: Exclude<RouteConfig["action"], { kind: "direct" }>): string {
  if (action.kind === "route") return action.prefixRewrite;
  return action.path.kind === "prefix-rewrite" ? action.path.prefix : "";
}

function loadAction(
  route: Route,
  inherited: InheritedAction,
  bodyLimit: number,
  at: Path,
  loading: Loading,
): RouteConfig["action"] {
  const { action } = route;
  switch (action.case) {
    case "route":
      return loadRouteAction(action.value, inherited, at.field("route"), loading);
    case "redirect":
      return loadRedirect(action.value, at.field("redirect"), loading);
    case "directResponse":
      return loadDirectResponse(action.value, bodyLimit, at.field("direct_response"), loading);
    default:
      if (action.case === undefined)
        loading.problem(at, "the route has no action", "give route, redirect or direct_response");
      return { kind: "direct", status: 404, body: "" };
  }
}

function loadRouteMatch(match: RouteMatch | undefined, at: Path, loading: Loading): RouteMatchConfig {
  return {
    path: loadPathMatch(match, at, loading),
    headers: (match?.headers ?? []).map((matcher, index) =>
      loadHeaderMatch(matcher, at.field("headers").index(index), loading),
    ),
    queryParameters: (match?.queryParameters ?? []).map((matcher, index) =>
      loadQueryParameterMatch(matcher, at.field("query_parameters").index(index), loading),
    ),
    runtimeFraction: loadRuntimeFraction(match?.runtimeFraction),
  };
}

function loadPathMatch(match: RouteMatch | undefined, at: Path, loading: Loading): PathMatch {
  const caseSensitive = match?.caseSensitive ?? true;
  const specifier = match?.pathSpecifier;
  switch (specifier?.case) {
    case "prefix":
      return { kind: "prefix", value: specifier.value, caseSensitive };
    case "path":
      return { kind: "exact", value: specifier.value, caseSensitive };
    case "pathSeparatedPrefix":
      if (!/^[^?#]+[^?#/]$/.test(specifier.value)) {
        loading.problem(
          at.field("path_separated_prefix"),
          `"${specifier.value}" is not a path prefix`,
          "no query, no fragment, no slash at the end",
        );
      }
      return { kind: "path-separated-prefix", value: specifier.value, caseSensitive };
    case "safeRegex":
      if (!caseSensitive)
        loading.problem(at.field("case_sensitive"), "it has no effect on a regex", "write (?i) into the pattern");
      return { kind: "regex", regex: loadRegex(specifier.value, at.field("safe_regex"), loading) };
    case "connectMatcher":
      if (!caseSensitive)
        loading.problem(at.field("case_sensitive"), "CONNECT has no path whose case could matter", "remove it");
      return { kind: "connect" };
    default:
      if (specifier?.case === undefined)
        loading.problem(at, "the match has no path", 'give prefix ("/" for all), path or safe_regex');
      return { kind: "prefix", value: "/", caseSensitive };
  }
}
