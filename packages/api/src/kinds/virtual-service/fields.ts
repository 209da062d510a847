import {
  boolean,
  decimal,
  field,
  formatted,
  integer,
  list,
  map,
  maxInt32,
  object,
  oneOf,
  text,
} from "../../schema/field-table.ts";
import {
  base64,
  dnsLabel,
  duration,
  headerName,
  hostName,
  labelKey,
  labelValue,
  regex,
  urlPath,
  wildcardHost,
} from "../../schema/formats.ts";
import { anyText, refinedFormat } from "../../schema/text-format.ts";
import { headerFormat } from "./header-format.ts";
import { retryConditions } from "./retry-conditions.ts";
import * as rules from "./rules.ts";
import { laterRoutesCanMatch } from "./unreachable-routes.ts";
import type * as spec from "./spec.ts";

const port = integer(1, 65_535);

const percent = object<spec.Percent>({
  fields: { value: field(decimal(0, 100), "Percentage from 0 to 100; fractions are allowed.") },
});

/** Matches a part of the request that is always there. */
const requiredMatch = object<spec.StringMatch>({
  fields: {
    exact: field(text(), "Equal to this text."),
    prefix: field(text(), "Begins with this text."),
    regex: field(formatted(regex), "Matched as a whole by this RE2 expression."),
  },
  exclusive: [["exact", "prefix", "regex"]],
  checks: [rules.matchIsNotEmpty],
});

/** Matches something that may be absent: `{}` asks for its presence. */
const presenceMatch = object<spec.StringMatch>({
  fields: {
    exact: field(text({ minLength: 0 }), "Equal to this text."),
    prefix: field(text(), "Begins with this text."),
    regex: field(formatted(regex), "Matched as a whole by this RE2 expression."),
  },
  exclusive: [["exact", "prefix", "regex"]],
});

const headerMatches = map(headerName, presenceMatch, { hasLowerCaseKeys: true });
/** A name is valid and not supported yet, so that nobody is told that he misspelt "mesh". */
const gateways = list(
  formatted(
    refinedFormat(anyText, {
      name: "gateway",
      what: "the name of a gateway",
      hint: "",
      problem: () => undefined,
      notYet: (name) => (name === "mesh" ? undefined : "Remove gateways, or write mesh: it stands for all sidecars."),
    }),
  ),
);

const httpMatch = object<spec.HttpMatch>({
  fields: {
    name: field(text(), "Name of the match; it is added to the route's name in logs."),
    uri: field(requiredMatch, "Path of the request, without the query; a prefix is compared letter by letter."),
    method: field(requiredMatch, "Method of the request."),
    authority: field(requiredMatch, "Host of the request."),
    headers: field(headerMatches, "Headers that must match; an empty match asks only for presence."),
    withoutHeaders: field(headerMatches, "Headers that must not match; an empty match asks for absence."),
    queryParams: field(
      map(anyText, presenceMatch),
      "Query parameters that must match; an empty match asks only for presence.",
    ),
    port: field(port, "Port of the service that is called."),
    sourceLabels: field(map(labelKey, formatted(labelValue, { minLength: 0 })), "Labels of the calling workload."),
    sourceNamespace: field(formatted(dnsLabel), "Namespace of the calling workload."),
    gateways: field(gateways, "Where the match holds; only mesh so far."),
    ignoreUriCase: field(boolean, "Compares exact and prefix of uri without regard to case.", { default: false }),
  },
  notYet: {
    scheme: "Inside the mesh every request is http; remove the match.",
    statPrefix: "Statistics per route are in istio_requests_total.",
  },
  checks: [rules.matchGatewaysHideSource, rules.ignoreCaseNeedsUri],
});

const destination = object<spec.Destination>({
  fields: {
    host: field(formatted(hostName), "Service that gets the request.", { required: true }),
    subset: field(formatted(dnsLabel), "Subset that a DestinationRule of the host defines."),
    port: field(
      object<spec.PortSelector>({ fields: { number: field(port, "Port of the service.", { required: true }) } }),
      "Port of the service; may be left out when it has one.",
    ),
  },
});

const operationHint =
  "Header names are made of letters, digits and dashes; the host of a request is changed by rewrite.authority, other pseudo-headers not at all.";

const operationName = refinedFormat(headerName, {
  name: "header name",
  what: "a header name that may be changed",
  hint: operationHint,
  problem: (value) => (value.toLowerCase() === "host" ? "is the host of the request" : undefined),
});

const requestOperationName = {
  ...headerName,
  hint: operationHint,
  problem: (value: string) => (/^(?:host|:authority)$/i.test(value) ? undefined : headerName.problem(value)),
};

const headerValues = map(operationName, formatted(headerFormat, { minLength: 0 }), { hasLowerCaseKeys: true });
/** Istio lets requests change their host here, too; it is the same as rewrite.authority. */
const requestHeaderValues = map(requestOperationName, formatted(headerFormat, { minLength: 0 }), {
  hasLowerCaseKeys: true,
});

const removedHeaders = field(list(formatted(operationName)), "Headers to remove.");

const requestOperations = object<spec.HeaderOperations>({
  fields: {
    set: field(requestHeaderValues, "Headers to overwrite; host and :authority change the host."),
    add: field(requestHeaderValues, "Headers to append; host and :authority change the host."),
    remove: removedHeaders,
  },
});

const responseOperations = object<spec.HeaderOperations>({
  fields: {
    set: field(headerValues, "Headers to overwrite."),
    add: field(headerValues, "Headers to append."),
    remove: removedHeaders,
  },
});

const headers = object<spec.Headers>({
  fields: {
    request: field(requestOperations, "Changes to the request before it is sent on."),
    response: field(responseOperations, "Changes to the response before it is returned."),
  },
});

const routeDestination = object<spec.HttpRouteDestination>({
  fields: {
    destination: field(destination, "Where the request goes.", { required: true }),
    weight: field(integer(0, maxInt32), "Share of the requests, relative to the sum of all weights."),
    headers: field(headers, "Header changes for requests that go here."),
  },
});

const redirect = object<spec.HttpRedirect>({
  fields: {
    uri: field(formatted(urlPath), "Path of the new location."),
    prefixRewrite: field(formatted(urlPath), "Replaces the matched prefix in the new location."),
    authority: field(text(), "Host of the new location."),
    scheme: field(oneOf(["http", "https"]), "Scheme of the new location."),
    port: field(port, "Port of the new location."),
    derivePort: field(
      oneOf(["FROM_PROTOCOL_DEFAULT", "FROM_REQUEST_PORT"]),
      "Takes the port from the scheme or from the request.",
    ),
    redirectCode: field(integer(301, 308), "Status code of the redirect.", { default: 301 }),
  },
  exclusive: [
    ["uri", "prefixRewrite"],
    ["port", "derivePort"],
  ],
  checks: [rules.redirectChangesSomething, rules.redirectCodeIsRedirect],
});

const directResponse = object<spec.HttpDirectResponse>({
  fields: {
    status: field(integer(200, 599), "Status code of the answer.", { required: true }),
    body: field(
      object<spec.HttpBody>({
        fields: {
          string: field(text({ minLength: 0, maxLength: 1_048_576 }), "Body as text."),
          bytes: field(formatted(base64, { minLength: 0, maxLength: 1_398_104 }), "Body as base64."),
        },
        exclusive: [["string", "bytes"]],
      }),
      "Body of the answer; empty when absent.",
    ),
  },
});

const rewrite = object<spec.HttpRewrite>({
  fields: {
    uri: field(
      formatted(urlPath),
      "Replaces the matched prefix of the path, or the whole path when the match is exact or an expression.",
    ),
    authority: field(text(), "Replaces the host."),
    uriRegexRewrite: field(
      object<spec.RegexRewrite>({
        fields: {
          match: field(formatted(regex), "RE2 expression for the parts of the path to replace.", { required: true }),
          rewrite: field(text({ minLength: 0 }), "Replacement; \\1 to \\9 stand for capture groups.", {
            required: true,
          }),
        },
        checks: [rules.rewriteGroupsExist],
      }),
      "Rewrites the path by a regular expression.",
    ),
  },
  exclusive: [["uri", "uriRegexRewrite"]],
  checks: [rules.rewriteChangesSomething],
});

const retries = object<spec.HttpRetry>({
  fields: {
    attempts: field(
      integer(0, 100),
      "How often a failed request is sent again; 0, and leaving it out, switch retries off.",
    ),
    perTryTimeout: field(formatted(duration), "Time limit of each attempt; absent means the route's timeout."),
    retryOn: field(
      formatted(retryConditions),
      "Failures to retry: words of Envoy's x-envoy-retry-on and status codes, separated by commas.",
    ),
    backoff: field(formatted(duration), "Shortest pause before a retry.", { default: "25ms" }),
    retryIgnorePreviousHosts: field(boolean, "Whether a retry avoids endpoints that have failed already.", {
      default: true,
    }),
  },
  notYet: { retryRemoteLocalities: "There are no localities yet; a retry may go to every endpoint of the service." },
  checks: [rules.retriesAreOnWhenConfigured],
});

const fault = object<spec.HttpFault>({
  fields: {
    delay: field(
      object<spec.FaultDelay>({
        fields: {
          fixedDelay: field(formatted(duration), "How long the request waits.", { required: true }),
          percentage: field(percent, "Share of the requests that wait; none when absent."),
        },
        notYet: { exponentialDelay: "Use fixedDelay.", percent: "Use percentage: { value: … }." },
      }),
      "Makes requests wait before they are sent on.",
    ),
    abort: field(
      object<spec.FaultAbort>({
        fields: {
          httpStatus: field(integer(200, 599), "Status code of the answer.", { required: true }),
          percentage: field(percent, "Share of the requests that are answered; none when absent."),
        },
        notYet: { grpcStatus: "Use httpStatus.", http2Error: "Use httpStatus." },
      }),
      "Answers requests in place of the service.",
    ),
  },
  checks: [rules.faultDoesSomething],
});

const httpRoute = object<spec.HttpRoute>({
  fields: {
    name: field(text(), "Name of the route, for logs and explanations."),
    match: field(
      list(httpMatch),
      "When the route is taken: any entry; within an entry all of its fields. Absent means always.",
    ),
    route: field(list(routeDestination, { minItems: 1 }), "Services that get the request, by weight."),
    redirect: field(redirect, "Answers with a redirect."),
    directResponse: field(directResponse, "Answers with a fixed response."),
    rewrite: field(rewrite, "Changes path or host before the request is sent on."),
    timeout: field(formatted(duration), "Time limit for the whole request, retries included; absent means none."),
    retries: field(retries, "What is retried, and how often."),
    fault: field(fault, "Failures to inject on purpose."),
    mirror: field(destination, "Service that gets a copy of each request; its answers are dropped."),
    mirrorPercentage: field(percent, "Share of the requests that mirror copies; all when absent."),
    mirrors: field(
      list(
        object<spec.HttpMirror>({
          fields: {
            destination: field(destination, "Service that gets the copies.", { required: true }),
            percentage: field(percent, "Share of the requests that are copied; all when absent."),
          },
        }),
      ),
      "Services that get copies of requests; their answers are dropped.",
    ),
    headers: field(headers, "Header changes for every request and response of the route."),
  },
  notYet: {
    delegate: "Put the routes into this VirtualService.",
    corsPolicy: "Let the application answer cross-origin requests.",
    mirrorPercent: "Use mirrorPercentage: { value: … }.",
    mirror_percent: "Use mirrorPercentage: { value: … }.",
  },
  exclusive: [
    ["route", "redirect", "directResponse"],
    ["mirror", "mirrors"],
  ],
  checks: [
    rules.routeHasAnAction,
    rules.weightsAreAboveZero,
    rules.actionsHaveOnlyTheirFields,
    rules.mirrorPercentageNeedsMirror,
    rules.prefixRewriteNeedsPrefix,
    rules.faultHidesTimeoutAndRetries,
    rules.perTryTimeoutFitsTimeout,
    rules.hostIsChangedOnce,
  ],
});

export const virtualServiceFields = object<spec.VirtualServiceSpec>({
  fields: {
    hosts: field(
      list(formatted(wildcardHost), { minItems: 1, uniqueBy: (host: string) => host.toLowerCase() }),
      "Hosts whose requests are routed; a name without dots lies in the resource's namespace.",
      { required: true },
    ),
    gateways: field(gateways, "Where the routes hold; only mesh so far."),
    http: field(list(httpRoute, { minItems: 1 }), "Routes, tried from top to bottom; the first match is taken.", {
      required: true,
    }),
    exportTo: field(list(oneOf(["*"], ["."])), "Namespaces that see the resource; only * (all) so far."),
  },
  notYet: {
    tcp: "Only HTTP is routed by rules so far.",
    tls: "Only HTTP is routed by rules so far.",
  },
  checks: [laterRoutesCanMatch],
});
