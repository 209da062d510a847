import type { HttpMatch, HttpRoute, VirtualServiceSpec } from "@heddle/api";
import {
  create,
  type MessageInitShape,
  type RouteConfiguration,
  RouteConfigurationSchema,
  type RouteSchema,
} from "@heddle/xds/api";
import type { Audience } from "../audience.ts";
import { defaultRouteName } from "../names.ts";
import { metadataOf, type Origin, provenanceKey, provenanceOf } from "../provenance.ts";
import { compileDirectResponse, compileRedirect, compileRouteAction } from "./action.ts";
import type { DestinationResolver } from "./destination-cluster.ts";
import { compileFault, faultFilterName } from "./fault.ts";
import { compileHeaders, headerFields } from "./headers.ts";
import { compileMatch, isCatchAll, type MatchSource, matchesSource } from "./match.ts";

type RouteInit = Omit<MessageInitShape<typeof RouteSchema>, "$typeName">;

/** The VirtualService that speaks for a service. */
export interface RoutingRules {
  readonly origin: Origin;
  readonly spec: VirtualServiceSpec;
  /** From {@link sourceMask}. */
  readonly mask: string;
}

/** Of a service, what its routes need. */
export interface RoutedService {
  readonly host: string;
  readonly name: string;
  readonly namespace: string;
  readonly port: number;
}

/**
 * Which match entries can hold for requests of one workload, `1` or `0` each, in the order of the file; empty when no entry asks about
 * the source, so that the workloads that no entry tells apart share one table.
 */
export function sourceMask(spec: VirtualServiceSpec, source: MatchSource): string {
  const matches = (spec.http ?? []).flatMap((route) => route.match ?? []);
  const asks = ({ gateways, sourceLabels, sourceNamespace }: HttpMatch) =>
    (gateways ?? sourceLabels ?? sourceNamespace) !== undefined;
  if (!matches.some(asks)) return "";
  return matches.map((match) => (matchesSource(match, source) ? "1" : "0")).join("");
}

const tableSettings = {
  // A route to a cluster that does not exist answers 503 NC; it does not take the table down (istio.md 4.4).
  validateClusters: false,
  // What the API allows, as in Istio; Envoy would refuse the table at 4 KiB.
  maxDirectResponseBodySizeBytes: 1024 * 1024,
};

/**
 * The table behind a service's own listener in ports mode. Requests name the service when the client was given its name, else the
 * proxy's own address; the latter are given the service's name, and what they would have named is taken to be its full name.
 */
export function compileServiceTable(
  name: string,
  service: RoutedService,
  rules: RoutingRules | undefined,
  resolver: DestinationResolver,
  audience: Audience,
): RouteConfiguration {
  const { host, port } = service;
  const common = { service, rules, resolver, audience };
  const anyHost = { authority: host, defaultAuthority: `${host}:${port}`, redirectPort: undefined };
  return create(RouteConfigurationSchema, {
    name,
    virtualHosts: [
      {
        name: `${host}:${port}`,
        domains: serviceDomains(service),
        routes: compileRoutes({ ...common, authority: undefined, defaultAuthority: undefined, redirectPort: port }),
        includeRequestAttemptCount: true,
      },
      {
        name: `*:${port}`,
        domains: ["*"],
        routes: compileRoutes({ ...common, ...anyHost }),
        includeRequestAttemptCount: true,
      },
    ],
    ...tableSettings,
  });
}

/** Whatever host a request names, it is for one service, and the host stays as it is: at the edge, and where calls are intercepted. */
export function compileOpenTable(
  name: string,
  service: RoutedService,
  rules: RoutingRules | undefined,
  resolver: DestinationResolver,
  audience: Audience,
): RouteConfiguration {
  const routes = compileRoutes({
    service,
    rules,
    resolver,
    audience,
    authority: undefined,
    defaultAuthority: undefined,
    redirectPort: undefined,
  });
  return create(RouteConfigurationSchema, {
    name,
    virtualHosts: [{ name: `*:${service.port}`, domains: ["*"], routes, includeRequestAttemptCount: true }],
    ...tableSettings,
  });
}

/** Every name that a client in the mesh may use, with and without the port. */
function serviceDomains({ host, name, namespace, port }: RoutedService): string[] {
  const names = [host, `${name}.${namespace}.svc`, `${name}.${namespace}`, name];
  return names.flatMap((domain) => [domain, `${domain}:${port}`]);
}

interface RouteContext {
  readonly service: RoutedService;
  readonly rules: RoutingRules | undefined;
  readonly resolver: DestinationResolver;
  readonly audience: Audience;
  /** What `authority` matches are decided against now; undefined: against the request's own, later. */
  readonly authority: string | undefined;
  /** Host that requests get unless a rule says otherwise; undefined: they keep theirs. */
  readonly defaultAuthority: string | undefined;
  /** What `FROM_REQUEST_PORT` writes; undefined: the request's own port is kept. */
  readonly redirectPort: number | undefined;
}

/** Routes in order of the file, up to the first that matches everything (istio.md 4.4). */
function compileRoutes(context: RouteContext): RouteInit[] {
  const routes: RouteInit[] = [];
  let entry = 0;
  for (const [index, route] of (context.rules?.spec.http ?? []).entries()) {
    const matches: readonly (HttpMatch | undefined)[] = route.match?.length ? route.match : [undefined];
    for (const [matchIndex, match] of matches.entries()) {
      const isConcerned = match === undefined || context.rules?.mask[entry++] !== "0";
      const compiled = isConcerned ? compileMatch(match, context.service.port, context.authority) : undefined;
      if (compiled === undefined) continue;
      const rule = match === undefined ? `http[${index}]` : `http[${index}].match[${matchIndex}]`;
      routes.push({ ...compileRoute(route, match, rule, context), match: compiled });
      if (isCatchAll(compiled)) return routes;
    }
  }
  // Rules that hold nothing for this workload leave it with the route that it would have without them, as in Istio.
  return routes.length > 0 ? routes : [defaultRoute(context)];
}

function compileRoute(route: HttpRoute, match: HttpMatch | undefined, rule: string, context: RouteContext): RouteInit {
  const own = compileHeaders(route.headers);
  const metadata = context.rules && metadataOf({ [provenanceKey]: provenanceOf(context.rules.origin, rule) });
  const fields = {
    name: [route.name ?? "", match?.name ?? ""].filter((part) => part !== "").join("."),
    ...(metadata === undefined ? {} : { metadata }),
    ...(route.fault === undefined ? {} : { typedPerFilterConfig: { [faultFilterName]: compileFault(route.fault) } }),
  };
  if (route.redirect !== undefined) {
    const action = { case: "redirect" as const, value: compileRedirect(route.redirect, context.redirectPort) };
    return { ...fields, ...headerFields(own), action };
  }
  if (route.directResponse !== undefined) {
    const action = { case: "directResponse" as const, value: compileDirectResponse(route.directResponse) };
    return { ...fields, ...headerFields(own), action };
  }
  const { defaultAuthority, resolver, audience, service } = context;
  const { action, headers } = compileRouteAction(route, own, service.port, defaultAuthority, resolver, audience);
  return { ...fields, ...headerFields(headers), action: { case: "route", value: action } };
}

function defaultRoute({ service, defaultAuthority, resolver, audience }: RouteContext): RouteInit {
  const { host, port } = service;
  const route = { route: [{ destination: { host, port: { number: port } } }] };
  const plain = { ...resolver, hostOf: (name: string) => name };
  const { action } = compileRouteAction(route, compileHeaders(undefined), port, defaultAuthority, plain, audience);
  return {
    name: defaultRouteName,
    match: compileMatch(undefined, port, undefined),
    action: { case: "route", value: action },
  };
}

/** Full names of the hosts that a table may send requests to, so that its proxy is given their clusters. */
export function destinationHosts(spec: VirtualServiceSpec, hostOf: (host: string) => string): string[] {
  const hosts = new Set<string>();
  for (const route of spec.http ?? []) {
    for (const { destination } of route.route ?? []) hosts.add(hostOf(destination.host));
    if (route.mirror !== undefined) hosts.add(hostOf(route.mirror.host));
    for (const { destination } of route.mirrors ?? []) hosts.add(hostOf(destination.host));
  }
  return [...hosts].sort();
}
