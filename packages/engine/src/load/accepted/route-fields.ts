import type { AcceptedFields } from "../field-walker.ts";
import {
  nameForPeople,
  provenance,
  overrides,
  retryLimits,
  rbac,
  through,
  withoutEffect,
  proven,
  enumerated,
  upgrades,
} from "./proofs.ts";

const actionLoads = "engine/src/load/route-table.test.ts › actions with values that cannot be are refused";
const matchersLoad = "engine/src/load/string-match.test.ts › string, header and query matchers arrive in every form";
const domains =
  "engine/src/bind/virtual-host-index.test.ts › exact domains win over suffixes, suffixes over prefixes, and longer over shorter ones";
const tableHost =
  "engine/src/steps/decide-request.test.ts › the virtual host is found by its domains, with or without the port";
const tls = "engine/src/steps/redirect.test.ts › a virtual host that requires TLS redirects";
const internalOnly =
  "engine/src/steps/decide-request.test.ts › headers that are internal only are removed from outsiders";
const routeMatch =
  "engine/src/steps/decide-request.test.ts › a route matches by path, headers, query parameters and fraction";
const routeName = "engine/src/steps/decide-request.test.ts › a route's name is kept for logs";
const mutationOrder =
  "engine/src/steps/request-rewrite.test.ts › header mutations run from the weighted cluster to the table, or the other way round";
const mutation =
  "engine/src/steps/request-rewrite.test.ts › a header is appended, added, overwritten or removed as its action says";
const clusters = "engine/src/steps/decide-request.test.ts › a route leads to a cluster by name, by header or by weight";
const noCluster = "engine/src/steps/decide-request.test.ts › a cluster that does not exist gives the configured status";
const rewrites = "engine/src/steps/request-rewrite.test.ts › paths and hosts are rewritten";
const timeouts =
  "engine/src/steps/decide-request.test.ts › timeouts come from the route, the connection manager and the caller's headers";
const grpcTimeouts =
  "engine/src/steps/decide-request.test.ts › a gRPC caller's deadline holds as the route says, and each attempt is told what is left of it";
const mirrors =
  "engine/src/steps/decide-request.test.ts › mirrors are drawn by their fraction and inherited from the outside";
const redirects = "engine/src/steps/redirect.test.ts › a redirect changes scheme, host, port, path and query";
const direct = "engine/src/steps/redirect.test.ts › a direct response has the route's status and body";
const connect =
  "proxy/src/worker/connect.test.ts › CONNECT ends here or goes on, as the route says, in every pair of protocols";
const attemptCount =
  "engine/src/steps/retry.test.ts › the attempt count is told to the upstream and the caller when asked for";
const retries = "engine/src/steps/retry.test.ts › each retry condition retries what it names and nothing else";
const hostRetries = "engine/src/steps/retry.test.ts › the virtual host's retry policy holds for routes without one";
const backOff = "engine/src/steps/retry.test.ts › the back-off doubles from its base to its maximum, fully jittered";
const perTry = "engine/src/steps/retry.test.ts › a per-try timeout is retried like a reset";
const retryHosts = "engine/src/steps/retry.test.ts › endpoints that were tried are avoided";
const idempotent = "engine/src/steps/retry.test.ts › under IdempotentRequest only idempotent requests are sent again";
const headerForms = through(
  matchersLoad,
  "engine/src/bind/header-matcher.test.ts › a header matches by exact value, prefix, suffix and substring",
);
const headerRegex = through(
  matchersLoad,
  "engine/src/bind/header-matcher.test.ts › a header matches a regex as a whole, and bytes that are not UTF-8 are unreadable",
);
const headerRange = through(
  matchersLoad,
  "engine/src/bind/header-matcher.test.ts › a range is half-open and takes whole integers only",
);
const headerPresence = through(
  matchersLoad,
  "engine/src/bind/header-matcher.test.ts › presence and absence can be asked for, and inverted",
);
const headerMissing = through(
  matchersLoad,
  "engine/src/bind/header-matcher.test.ts › an inverted condition on a missing header matches only when missing is treated as empty",
);

/** Routes, matchers and retries. */
export const routeFields: AcceptedFields = {
  "envoy.config.route.v3.RouteConfiguration": {
    ...proven(tableHost, "name", "virtual_hosts", "ignore_port_in_host_matching"),
    ...proven(internalOnly, "internal_only_headers"),
    ...proven(
      mutationOrder,
      "response_headers_to_add",
      "response_headers_to_remove",
      "request_headers_to_add",
      "request_headers_to_remove",
      "most_specific_header_mutations_wins",
    ),
    ...proven(
      "proxy/src/generation/ads.test.ts › a listener that names a cluster nobody has defined is refused, unless it says that this is meant",
      "validate_clusters",
    ),
    ...proven(direct, "max_direct_response_body_size_bytes"),
    ...proven(mirrors, "request_mirror_policies"),
    ...proven(overrides, "typed_per_filter_config"),
    ...proven(provenance, "metadata"),
  },
  "envoy.config.route.v3.VirtualHost": {
    ...proven(tableHost, "name"),
    ...proven(through(tableHost, domains), "domains"),
    ...proven(routeMatch, "routes"),
    ...proven(tls, "require_tls"),
    ...proven(
      mutationOrder,
      "request_headers_to_add",
      "request_headers_to_remove",
      "response_headers_to_add",
      "response_headers_to_remove",
    ),
    ...proven(overrides, "typed_per_filter_config"),
    ...proven(attemptCount, "include_request_attempt_count", "include_attempt_count_in_response"),
    ...proven(hostRetries, "retry_policy"),
    ...proven(mirrors, "request_mirror_policies"),
    ...proven(provenance, "metadata"),
  },
  "envoy.config.route.v3.Route": {
    ...proven(routeName, "name"),
    ...proven(routeMatch, "match"),
    ...proven(clusters, "route"),
    ...proven(redirects, "redirect"),
    ...proven(direct, "direct_response"),
    ...proven(provenance, "metadata"),
    ...proven(overrides, "typed_per_filter_config"),
    ...proven(
      mutationOrder,
      "request_headers_to_add",
      "request_headers_to_remove",
      "response_headers_to_add",
      "response_headers_to_remove",
    ),
  },
  "envoy.config.route.v3.RouteMatch": {
    ...proven(
      routeMatch,
      "prefix",
      "path",
      "safe_regex",
      "path_separated_prefix",
      "case_sensitive",
      "runtime_fraction",
      "headers",
      "query_parameters",
    ),
    ...proven(connect, "connect_matcher"),
  },
  "envoy.config.route.v3.RouteMatch.ConnectMatcher": {},
  "envoy.config.core.v3.RuntimeFractionalPercent": proven(routeMatch, "default_value"),
  "envoy.type.v3.FractionalPercent": proven(routeMatch, "numerator", "denominator"),
  "envoy.config.route.v3.HeaderMatcher": {
    ...proven(headerForms, "name", "exact_match", "prefix_match", "suffix_match", "contains_match", "string_match"),
    ...proven(headerRegex, "safe_regex_match"),
    ...proven(headerRange, "range_match"),
    ...proven(headerPresence, "present_match", "invert_match"),
    ...proven(headerMissing, "treat_missing_header_as_empty"),
  },
  "envoy.type.v3.Int64Range": proven(headerRange, "start", "end"),
  "envoy.config.route.v3.QueryParameterMatcher": proven(routeMatch, "name", "string_match", "present_match"),
  "envoy.type.matcher.v3.StringMatcher": {
    ...proven(headerForms, "exact", "prefix", "suffix", "contains", "ignore_case"),
    ...proven(headerRegex, "safe_regex"),
  },
  "envoy.type.matcher.v3.RegexMatcher": {
    ...proven(withoutEffect("RE2 is the only engine", headerRegex.proof), "google_re2"),
    ...proven(headerRegex, "regex"),
  },
  "envoy.type.matcher.v3.RegexMatcher.GoogleRE2": {},
  "envoy.type.matcher.v3.RegexMatchAndSubstitute": proven(rewrites, "pattern", "substitution"),
  "envoy.type.matcher.v3.PathMatcher": proven(rbac, "path"),
  "envoy.config.core.v3.HeaderValueOption": {
    ...proven(mutation, "header", "append", "keep_empty_value"),
    ...enumerated(
      mutation,
      "append_action",
      "APPEND_IF_EXISTS_OR_ADD",
      "ADD_IF_ABSENT",
      "OVERWRITE_IF_EXISTS_OR_ADD",
      "OVERWRITE_IF_EXISTS",
    ),
  },
  "envoy.config.core.v3.HeaderValue": proven(mutation, "key", "value"),
  "envoy.config.route.v3.RouteAction": {
    ...proven(clusters, "cluster", "cluster_header", "weighted_clusters"),
    ...proven(noCluster, "cluster_not_found_response_code"),
    ...proven(
      rewrites,
      "prefix_rewrite",
      "regex_rewrite",
      "host_rewrite_literal",
      "auto_host_rewrite",
      "host_rewrite_header",
      "host_rewrite_path_regex",
      "append_x_forwarded_host",
    ),
    ...proven(timeouts, "timeout", "idle_timeout", "max_stream_duration"),
    ...proven(grpcTimeouts, "max_grpc_timeout", "grpc_timeout_offset"),
    ...proven(retries, "retry_policy"),
    ...proven(mirrors, "request_mirror_policies"),
    ...proven(upgrades, "upgrade_configs"),
  },
  "envoy.config.route.v3.RouteAction.UpgradeConfig": {
    ...proven(upgrades, "upgrade_type", "enabled"),
    ...proven(connect, "connect_config"),
  },
  "envoy.config.route.v3.RouteAction.UpgradeConfig.ConnectConfig": {},
  "envoy.config.route.v3.RouteAction.MaxStreamDuration": {
    ...proven(timeouts, "max_stream_duration"),
    ...proven(grpcTimeouts, "grpc_timeout_header_max", "grpc_timeout_header_offset"),
  },
  "envoy.config.route.v3.RouteAction.RequestMirrorPolicy": {
    ...proven(mirrors, "cluster", "runtime_fraction", "disable_shadow_host_suffix_append"),
    ...proven(through(actionLoads, mirrors), "trace_sampled"),
  },
  "envoy.config.route.v3.WeightedCluster": proven(clusters, "clusters", "header_name"),
  "envoy.config.route.v3.WeightedCluster.ClusterWeight": {
    ...proven(clusters, "name", "cluster_header", "weight"),
    ...proven(
      mutationOrder,
      "request_headers_to_add",
      "request_headers_to_remove",
      "response_headers_to_add",
      "response_headers_to_remove",
    ),
    ...proven(overrides, "typed_per_filter_config"),
    ...proven(rewrites, "host_rewrite_literal"),
  },
  "envoy.config.route.v3.RetryPolicy": {
    ...proven(retries, "retry_on", "retriable_status_codes", "retriable_headers", "retriable_request_headers"),
    ...proven(retryLimits, "num_retries"),
    ...proven(perTry, "per_try_timeout", "per_try_idle_timeout"),
    ...proven(retryHosts, "retry_host_predicate", "host_selection_retry_max_attempts"),
    ...proven(backOff, "retry_back_off"),
    ...proven(idempotent, "retry_options_predicates"),
  },
  "envoy.config.route.v3.RetryPolicy.RetryHostPredicate": {
    ...proven(withoutEffect(nameForPeople, retryHosts), "name"),
    ...proven(retryHosts, "typed_config"),
  },
  "envoy.config.route.v3.RetryPolicy.RetryBackOff": proven(backOff, "base_interval", "max_interval"),
  "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate": {},
  "envoy.config.core.v3.TypedExtensionConfig": {
    ...proven(withoutEffect(nameForPeople, idempotent), "name"),
    ...proven(idempotent, "typed_config"),
  },
  "heddle.v1.IdempotentRequest": {},
  "envoy.config.route.v3.RedirectAction": proven(
    redirects,
    "https_redirect",
    "scheme_redirect",
    "host_redirect",
    "port_redirect",
    "path_redirect",
    "prefix_rewrite",
    "regex_rewrite",
    "response_code",
    "strip_query",
  ),
  "envoy.config.route.v3.DirectResponseAction": proven(direct, "status", "body"),
};
