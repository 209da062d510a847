import type { HeaderMutationConfig } from "../config/header-mutation.ts";
import type {
  FilterOverride,
  FilterOverrides,
  RedirectActionConfig,
  RouteActionConfig,
  RouteConfig,
  RouteTableConfig,
  VirtualHostConfig,
  WeightedClusterConfig,
} from "../config/route.ts";
import { bindFault } from "./fault.ts";
import { BoundHeaderMutation } from "./header-mutation.ts";
import { bindRbacFilter } from "./rbac.ts";
import { withoutQuery } from "./path-match.ts";
import { compileRewrite, encodeUtf8AsLatin1 } from "./regex.ts";
import { BoundRetryPolicy } from "./retry-policy.ts";
import { RouteMatcher, shareOf } from "./route-match.ts";
import type {
  BoundFilterOverride,
  BoundFilterOverrides,
  BoundRoute,
  BoundRouteTable,
  BoundVirtualHost,
  BoundWeightedCluster,
} from "./types.ts";
import { VirtualHostIndex } from "./virtual-host-index.ts";

/** Binds a whole table: matchers compiled, domains indexed, header mutations of all levels put into their order. */
export function bindRouteTable(config: RouteTableConfig): BoundRouteTable {
  const overrides = mergedOverrides(config.filterOverrides, undefined);
  const virtualHosts = config.virtualHosts.map((host) => bindVirtualHost(config, overrides, host));
  return {
    name: config.name,
    config,
    virtualHosts,
    index: new VirtualHostIndex(virtualHosts.map((host) => ({ domains: host.config.domains, host }))),
    overrides,
  };
}

function bindVirtualHost(
  table: RouteTableConfig,
  tableOverrides: BoundFilterOverrides,
  config: VirtualHostConfig,
): BoundVirtualHost {
  const overrides = mergedOverrides(config.filterOverrides, tableOverrides);
  const routes: BoundRoute[] = [];
  const host: BoundVirtualHost = { name: config.name, config, routes, overrides };
  for (const route of config.routes) routes.push(bindRoute(table, host, route));
  return host;
}

function bindRoute(table: RouteTableConfig, virtualHost: BoundVirtualHost, config: RouteConfig): BoundRoute {
  const { action } = config;
  const overrides = mergedOverrides(config.filterOverrides, virtualHost.overrides);
  const weighted = action.kind === "route" ? bindWeighted(action, overrides) : [];
  const hostRewrite = action.kind === "route" ? action.hostRewrite : undefined;
  return {
    name: config.name,
    config,
    virtualHost,
    matcher: new RouteMatcher(config.match),
    action,
    requestHeaders: mutationInOrder(
      table,
      table.requestHeaders,
      virtualHost.config.requestHeaders,
      config.requestHeaders,
    ),
    responseHeaders: mutationInOrder(
      table,
      table.responseHeaders,
      virtualHost.config.responseHeaders,
      config.responseHeaders,
    ),
    overrides,
    weighted,
    totalWeight: weighted.at(-1)?.upTo ?? 0,
    retry: action.kind === "route" && action.retry !== undefined ? new BoundRetryPolicy(action.retry) : undefined,
    mirrors:
      action.kind !== "route"
        ? []
        : action.mirrors.map(({ cluster, fraction, appendShadowSuffix }) => ({
            cluster,
            fraction: fraction === undefined ? 1 : shareOf(fraction),
            appendShadowSuffix,
          })),
    rewritePath: pathRewrite(config),
    rewriteHost: hostRewrite?.kind === "path-regex" ? pathRegexHost(hostRewrite.rewrite) : undefined,
    provenance: config.provenance,
  };
}

/** Route, virtual host, table; the other way round when the most specific is to win. */
function mutationInOrder(
  table: RouteTableConfig,
  ofTable: HeaderMutationConfig,
  ofHost: HeaderMutationConfig,
  ofRoute: HeaderMutationConfig,
): BoundHeaderMutation {
  const levels = [ofRoute, ofHost, ofTable];
  return new BoundHeaderMutation(table.mostSpecificHeaderMutationsWins ? levels.reverse() : levels);
}

function bindWeighted(action: RouteActionConfig, routeOverrides: BoundFilterOverrides): BoundWeightedCluster[] {
  if (action.cluster.kind !== "weighted") return [];
  let upTo = 0;
  return action.cluster.clusters.map((config: WeightedClusterConfig) => {
    upTo += config.weight;
    return {
      cluster: config.cluster,
      clusterHeader: config.clusterHeader,
      weight: config.weight,
      upTo,
      hostRewrite: config.hostRewrite,
      requestHeaders: new BoundHeaderMutation([config.requestHeaders]),
      responseHeaders: new BoundHeaderMutation([config.responseHeaders]),
      overrides: mergedOverrides(config.filterOverrides, routeOverrides),
    };
  });
}

function mergedOverrides(own: FilterOverrides, outer: BoundFilterOverrides): BoundFilterOverrides {
  const entries = Object.entries(own);
  if (entries.length === 0) return outer;
  return new Map([...(outer ?? []), ...entries.map(([name, override]) => [name, bindOverride(override)] as const)]);
}

function bindOverride(override: FilterOverride): BoundFilterOverride {
  switch (override.kind) {
    case "disabled":
      return override;
    case "fault":
      return { kind: "fault", fault: bindFault(override.fault) };
    case "rbac":
      return { kind: "rbac", rbac: override.rbac === undefined ? undefined : bindRbacFilter(override.rbac) };
  }
}

/** The rewrite of a route or redirect, query kept. A prefix rewrite replaces what the path matcher matched. */
function pathRewrite(config: RouteConfig): ((path: string) => string) | undefined {
  const { action } = config;
  if (action.kind === "direct") return undefined;
  const { prefix, regex } = rewriteOf(action);
  if (regex !== undefined) {
    const rewrite = compileRewrite(regex.regex, regex.substitution);
    return (path) => {
      const plain = withoutQuery(path);
      return rewrite(plain) + path.slice(plain.length);
    };
  }
  if (prefix === "") return undefined;
  const replacement = encodeUtf8AsLatin1(prefix);
  const match = config.match.path;
  if (match.kind === "prefix" || match.kind === "path-separated-prefix") {
    const matched = encodeUtf8AsLatin1(match.value).length;
    return (path) => replacement + path.slice(matched);
  }
  return (path) => replacement + path.slice(withoutQuery(path).length);
}

function rewriteOf(action: RouteActionConfig | RedirectActionConfig): {
  prefix: string;
  regex: { readonly regex: string; readonly substitution: string } | undefined;
} {
  if (action.kind === "route") return { prefix: action.prefixRewrite, regex: action.regexRewrite };
  switch (action.path.kind) {
    case "prefix-rewrite":
      return { prefix: action.path.prefix, regex: undefined };
    case "regex-rewrite":
      return { prefix: "", regex: action.path.rewrite };
    default:
      return { prefix: "", regex: undefined };
  }
}

function pathRegexHost(rewrite: { readonly regex: string; readonly substitution: string }): (path: string) => string {
  const replace = compileRewrite(rewrite.regex, rewrite.substitution);
  return (path) => replace(withoutQuery(path));
}
