import type { HttpDirectResponse, HttpRedirect, HttpRoute, HttpRouteDestination } from "@heddle/api";
import { parseDuration } from "@heddle/core";
import {
  type DirectResponseActionSchema,
  type MessageInitShape,
  RedirectAction_RedirectResponseCode,
  type RedirectActionSchema,
  RouteAction_ClusterNotFoundResponseCode,
  type RouteActionSchema,
  type WeightedCluster_ClusterWeightSchema,
} from "@heddle/xds/api";
import type { Audience } from "../audience.ts";
import { compileRetryPolicy } from "../retries/compile.ts";
import { duration } from "../wire.ts";
import { destinationCluster, type DestinationResolver } from "./destination-cluster.ts";
import { type CompiledHeaders, compileHeaders, headerFields } from "./headers.ts";
import { compileMirrors } from "./mirror.ts";

export type RouteActionInit = Omit<MessageInitShape<typeof RouteActionSchema>, "$typeName">;
type ClusterWeightInit = Omit<MessageInitShape<typeof WeightedCluster_ClusterWeightSchema>, "$typeName">;

/**
 * The action of a route that forwards.
 *
 * @param routeHeaders operations of the route itself; a single destination's own are appended to them in the answer
 * @param defaultAuthority host that requests get when the route does not rewrite it; undefined: they keep theirs
 */
export function compileRouteAction(
  route: HttpRoute,
  routeHeaders: CompiledHeaders,
  requestPort: number,
  defaultAuthority: string | undefined,
  resolver: DestinationResolver,
  audience: Audience,
): { action: RouteActionInit; headers: CompiledHeaders } {
  const destinations = route.route ?? [];
  const [first] = destinations;
  const isSingle = destinations.length === 1 && first !== undefined;
  const own = isSingle ? compileHeaders(first.headers) : undefined;
  // Of a route's own two ways to change the host at most one is used (HDL0019); it wins over its destination's, as in Istio.
  const authority = route.rewrite?.authority || routeHeaders.authority || own?.authority;
  const rewritten = authority ?? (isSingle ? defaultAuthority : undefined);
  const retryPolicy = compileRetryPolicy(route.retries, audience);
  // Envoy would wait 15 seconds; Istio's default is to wait for ever (istio.md 4.4).
  const timeoutMs = (route.timeout === undefined ? undefined : parseDuration(route.timeout)) ?? 0;

  const action: RouteActionInit = {
    clusterSpecifier: isSingle
      ? { case: "cluster", value: destinationCluster(first.destination, requestPort, resolver) }
      : {
          case: "weightedClusters",
          value: {
            clusters: destinations
              // A destination without weight beside others gets nothing.
              .filter(({ weight }) => (weight ?? 0) > 0)
              .map((destination) =>
                compileWeight(
                  destination,
                  requestPort,
                  authority === undefined ? defaultAuthority : undefined,
                  resolver,
                ),
              ),
          },
        },
    clusterNotFoundResponseCode: RouteAction_ClusterNotFoundResponseCode.SERVICE_UNAVAILABLE,
    timeout: duration(timeoutMs),
    // A gRPC caller's own deadline counts, as far as the timeout goes. The newer `max_stream_duration` Istio leaves alone, because a stream would end by it.
    maxGrpcTimeout: duration(timeoutMs),
    ...(retryPolicy === undefined ? {} : { retryPolicy }),
    ...(rewritten === undefined ? {} : { hostRewriteSpecifier: { case: "hostRewriteLiteral", value: rewritten } }),
    ...pathRewrite(route),
    requestMirrorPolicies: compileMirrors(route, requestPort, resolver),
  };
  return { action, headers: own === undefined ? routeHeaders : concatenate(routeHeaders, own) };
}

function compileWeight(
  destination: HttpRouteDestination,
  requestPort: number,
  defaultAuthority: string | undefined,
  resolver: DestinationResolver,
): ClusterWeightInit {
  const headers = compileHeaders(destination.headers);
  const authority = headers.authority ?? defaultAuthority;
  return {
    name: destinationCluster(destination.destination, requestPort, resolver),
    weight: destination.weight ?? 0,
    ...headerFields(headers),
    ...(authority === undefined ? {} : { hostRewriteSpecifier: { case: "hostRewriteLiteral", value: authority } }),
  };
}

function concatenate(a: CompiledHeaders, b: CompiledHeaders): CompiledHeaders {
  return {
    requestHeadersToAdd: [...a.requestHeadersToAdd, ...b.requestHeadersToAdd],
    requestHeadersToRemove: [...a.requestHeadersToRemove, ...b.requestHeadersToRemove],
    responseHeadersToAdd: [...a.responseHeadersToAdd, ...b.responseHeadersToAdd],
    responseHeadersToRemove: [...a.responseHeadersToRemove, ...b.responseHeadersToRemove],
    authority: a.authority ?? b.authority,
  };
}

function pathRewrite({ rewrite }: HttpRoute): Pick<RouteActionInit, "regexRewrite" | "prefixRewrite"> {
  const regex = rewrite?.uriRegexRewrite;
  if (regex !== undefined) return { regexRewrite: { pattern: { regex: regex.match }, substitution: regex.rewrite } };
  return rewrite?.uri === undefined || rewrite.uri === "" ? {} : { prefixRewrite: rewrite.uri };
}

const redirectCodes: Readonly<Record<number, RedirectAction_RedirectResponseCode>> = {
  301: RedirectAction_RedirectResponseCode.MOVED_PERMANENTLY,
  302: RedirectAction_RedirectResponseCode.FOUND,
  303: RedirectAction_RedirectResponseCode.SEE_OTHER,
  307: RedirectAction_RedirectResponseCode.TEMPORARY_REDIRECT,
  308: RedirectAction_RedirectResponseCode.PERMANENT_REDIRECT,
};

/** @param requestPort the port that clients name; undefined: the request's own says it, which is what a redirect keeps anyway */
export function compileRedirect(
  redirect: HttpRedirect,
  requestPort: number | undefined,
): Omit<MessageInitShape<typeof RedirectActionSchema>, "$typeName"> {
  const port = redirect.derivePort === "FROM_REQUEST_PORT" ? (requestPort ?? 0) : (redirect.port ?? 0);
  // The scheme of a mesh's own listeners is http. A scheme's own port is not written out.
  const scheme = redirect.scheme || "http";
  const isImplied = (port === 80 && scheme === "http") || (port === 443 && scheme === "https");
  return {
    hostRedirect: redirect.authority ?? "",
    portRedirect: isImplied ? 0 : port,
    ...(redirect.scheme === undefined || redirect.scheme === ""
      ? {}
      : { schemeRewriteSpecifier: { case: "schemeRedirect", value: redirect.scheme } }),
    ...(redirect.prefixRewrite !== undefined
      ? { pathRewriteSpecifier: { case: "prefixRewrite", value: redirect.prefixRewrite } }
      : redirect.uri === undefined || redirect.uri === ""
        ? {}
        : { pathRewriteSpecifier: { case: "pathRedirect", value: redirect.uri } }),
    responseCode: redirectCodes[redirect.redirectCode ?? 301] ?? RedirectAction_RedirectResponseCode.MOVED_PERMANENTLY,
  };
}

export function compileDirectResponse(
  response: HttpDirectResponse,
): Omit<MessageInitShape<typeof DirectResponseActionSchema>, "$typeName"> {
  const { status, body } = response;
  if (body?.bytes !== undefined) {
    return { status, body: { specifier: { case: "inlineBytes", value: Uint8Array.fromBase64(body.bytes) } } };
  }
  if (body?.string !== undefined) return { status, body: { specifier: { case: "inlineString", value: body.string } } };
  return { status };
}
