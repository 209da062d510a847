import assert from "node:assert/strict";
import { test } from "node:test";
import { type JsonObject, RouteConfigurationSchema } from "@heddle/xds/api";
import { fromEnvoyJson, problemsOf, routesJson, routeTo, typeUrls } from "../testing/harness.ts";
import { loadRouteConfiguration } from "./route-table.ts";

const parse = (json: JsonObject) => loadRouteConfiguration(fromEnvoyJson(RouteConfigurationSchema, json));
const route = "virtual_hosts[0].routes[0]";
const refusedRoute = (json: JsonObject): string[] =>
  problemsOf(parse(routesJson([json]))).map((problem) => problem.replace(`${route}.`, ""));
const refusedAction = (action: JsonObject): string[] =>
  refusedRoute(routeTo("a", action)).map((problem) => problem.replace("route.", ""));

test("a table of RDS names the clusters that must exist only when it asks for that", () => {
  const routes = [
    routeTo("a", { request_mirror_policies: [{ cluster: "m" }] }),
    {
      match: { prefix: "/" },
      route: {
        weighted_clusters: {
          clusters: [
            { name: "b", weight: 1 },
            { name: "c", weight: 1 },
          ],
        },
      },
    },
    { match: { prefix: "/" }, route: { cluster_header: "x-cluster" } },
    { match: { prefix: "/" }, redirect: { path_redirect: "/" } },
  ];
  const required = (more: JsonObject): readonly unknown[] | undefined => {
    const loaded = parse(routesJson(routes, more));
    return loaded.config === undefined ? undefined : loaded.requiredClusters;
  };
  assert.deepEqual(required({}), []);
  assert.deepEqual(required({ validate_clusters: false }), []);
  assert.deepEqual(required({ validate_clusters: true }), [
    { name: "a", path: `${route}.route.cluster` },
    { name: "m", path: `${route}.route.request_mirror_policies[0].cluster` },
    { name: "b", path: "virtual_hosts[0].routes[1].route.weighted_clusters.clusters[0].name" },
    { name: "c", path: "virtual_hosts[0].routes[1].route.weighted_clusters.clusters[1].name" },
  ]);
});

test("tables and virtual hosts that are ambiguous or empty are refused", () => {
  const hosts = (...domains: string[][]): JsonObject => ({
    name: "t",
    virtual_hosts: domains.map((own, index) => ({ name: `h${index}`, domains: own })),
  });
  assert.deepEqual(problemsOf(parse(hosts(["a.x", "*"], ["A.X"]))), [
    'virtual_hosts: the domain "a.x" is listed twice',
  ]);
  assert.deepEqual(problemsOf(parse(hosts([]))), ["virtual_hosts[0].domains: the list is empty"]);
  for (const domain of ["", "a*b", "*a*", "**", "a.*.b"])
    assert.deepEqual(problemsOf(parse(hosts([domain]))), [`virtual_hosts[0].domains[0]: "${domain}" is not a domain`]);
  assert.deepEqual(parse(hosts(["*", "a", "*a", "a*", "*.a"])).problems, []);
  assert.deepEqual(
    problemsOf(
      parse({
        name: "t",
        virtual_hosts: [
          { name: "h", domains: ["a"] },
          { name: "h", domains: ["b"] },
        ],
      }),
    ),
    ['virtual_hosts[1].name: "h" is used twice'],
  );
  assert.deepEqual(problemsOf(parse({ virtual_hosts: [{ domains: ["a"] }] })), [
    "name: the field is empty",
    "virtual_hosts[0].name: the field is empty",
  ]);
});

test("a route needs a path, an action and a destination", () => {
  assert.deepEqual(refusedRoute({ match: {}, route: { cluster: "a" } }), ["match: the match has no path"]);
  assert.deepEqual(refusedRoute({ match: { prefix: "/" } }), [`${route}: the route has no action`]);
  assert.deepEqual(refusedRoute({ match: { prefix: "/" }, route: {} }), ["route: the route leads nowhere"]);
  assert.deepEqual(refusedRoute({ match: { prefix: "/" }, route: { cluster: "" } }), [
    "route.cluster: the field is empty",
  ]);
  assert.deepEqual(refusedRoute({ match: { path_separated_prefix: "/a/" }, route: { cluster: "a" } }), [
    'match.path_separated_prefix: "/a/" is not a path prefix',
  ]);
  assert.deepEqual(refusedRoute({ match: { safe_regex: { regex: "(" } }, route: { cluster: "a" } }), [
    "match.safe_regex.regex: error parsing regexp: missing closing ): `(`",
  ]);
  assert.deepEqual(
    refusedRoute({ match: { safe_regex: { regex: "a" }, case_sensitive: false }, route: { cluster: "a" } }),
    ["match.case_sensitive: it has no effect on a regex"],
  );
  assert.deepEqual(
    refusedRoute({ match: { path_separated_prefix: "/a" }, route: { cluster: "a", prefix_rewrite: "/" } }),
    ["route: a path_separated_prefix cannot be rewritten to /"],
  );
  assert.deepEqual(refusedRoute({ match: { prefix: "/", grpc: {} }, route: { cluster: "a" } }), [
    "match.grpc: envoy.config.route.v3.RouteMatch.grpc is not supported",
  ]);
});

test("actions with values that cannot be are refused", () => {
  assert.deepEqual(refusedAction({ timeout: "-1s" }), ["timeout: the duration is negative"]);
  assert.deepEqual(
    refusedAction({ prefix_rewrite: "/x", regex_rewrite: { pattern: { regex: "a" }, substitution: "b" } }),
    ["regex_rewrite: prefix_rewrite is set, too"],
  );
  assert.deepEqual(refusedAction({ regex_rewrite: { pattern: { regex: "(a)" }, substitution: "\\2" } }), [
    "regex_rewrite: the substitution names group 2, and the pattern has 1",
  ]);
  assert.deepEqual(refusedAction({ regex_rewrite: { substitution: "x" } }), [
    "regex_rewrite.pattern.regex: the field is empty",
  ]);
  assert.deepEqual(
    refusedAction({ request_mirror_policies: [{ cluster: "" }, { cluster: "b", trace_sampled: true }] }),
    [
      "request_mirror_policies[0].cluster: the field is empty",
      "request_mirror_policies[1].trace_sampled: mirrored requests are never sampled",
    ],
  );
  const weighted = (...clusters: JsonObject[]): string[] =>
    refusedRoute({ match: { prefix: "/" }, route: { weighted_clusters: { clusters } } }).map((problem) =>
      problem.replace("route.weighted_clusters.", ""),
    );
  assert.deepEqual(weighted({ name: "a", weight: 0 }), ["clusters: the weights add up to zero"]);
  assert.deepEqual(weighted({ weight: 1 }), ["clusters[0]: exactly one of name and cluster_header is needed"]);
  assert.deepEqual(weighted({ name: "a", cluster_header: "x", weight: 1 }), [
    "clusters[0]: exactly one of name and cluster_header is needed",
  ]);
  assert.deepEqual(
    refusedRoute({ match: { prefix: "/" }, redirect: { port_redirect: 70_000, scheme_redirect: "ftp" } }),
    ["redirect.port_redirect: 70000 is not between 0 and 65535", 'redirect.scheme_redirect: "ftp" is not supported'],
  );
  assert.deepEqual(refusedRoute({ match: { prefix: "/" }, direct_response: { status: 99 } }), [
    "direct_response.status: 99 is not between 200 and 599",
  ]);
});

test("upgrades that cannot be are refused: CONNECT-UDP, one named twice, and connect_config of another than CONNECT", () => {
  const upgrades = (...configs: JsonObject[]): string[] =>
    refusedAction({ upgrade_configs: configs }).map((problem) => problem.replace("upgrade_configs", ""));
  assert.deepEqual(upgrades({ upgrade_type: "CONNECT-UDP" }), ['[0].upgrade_type: "CONNECT-UDP" is not supported']);
  assert.deepEqual(upgrades({ upgrade_type: "connect" }, { upgrade_type: "CONNECT" }), [
    '[1].upgrade_type: "CONNECT" is named twice',
  ]);
  assert.deepEqual(upgrades({ upgrade_type: "websocket", connect_config: {} }), [
    '[0].connect_config: "websocket" has none',
  ]);
  assert.deepEqual(refusedRoute({ match: { connect_matcher: {}, case_sensitive: false }, route: { cluster: "a" } }), [
    "match.case_sensitive: CONNECT has no path whose case could matter",
  ]);
});

test("retry policies with unknown conditions or impossible back-offs are refused", () => {
  const retry = (policy: JsonObject): string[] =>
    refusedAction({ retry_policy: policy }).map((problem) => problem.replace("retry_policy.", ""));
  assert.deepEqual(retry({ retry_on: "5xx,envoy-ratelimited,503" }), [
    'retry_on: the condition "envoy-ratelimited" is not supported',
    'retry_on: the condition "503" is not supported',
  ]);
  assert.deepEqual(retry({ retry_back_off: { max_interval: "1s" } }), [
    "retry_back_off.base_interval: the base interval is missing or zero",
  ]);
  assert.deepEqual(retry({ retry_back_off: { base_interval: "1s", max_interval: "0.5s" } }), [
    "retry_back_off.max_interval: it is below the base interval",
  ]);
  assert.deepEqual(retry({ retriable_status_codes: [42] }), [
    "retriable_status_codes[0]: 42 is not between 100 and 599",
  ]);
  assert.deepEqual(retry({ retriable_headers: [{ name: ":status" }] }), [
    "retriable_headers[0].name: a response has no such header",
  ]);
  assert.deepEqual(retry({ rate_limited_retry_back_off: { reset_headers: [] } }), [
    "rate_limited_retry_back_off: envoy.config.route.v3.RetryPolicy.rate_limited_retry_back_off is not supported",
  ]);
  assert.deepEqual(retry({ retry_host_predicate: [{ name: "x", typed_config: { "@type": typeUrls.idempotent } }] }), [
    'retry_host_predicate[0].typed_config: "heddle.v1.IdempotentRequest" is not supported here',
  ]);
  assert.deepEqual(
    retry({ retry_options_predicates: [{ name: "x", typed_config: { "@type": typeUrls.previousHosts } }] }),
    [
      'retry_options_predicates[0].typed_config: "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate" is not supported here',
    ],
  );
});

test("header mutations that the wire or the rules forbid are refused", () => {
  const add = (option: JsonObject): string[] =>
    refusedRoute(routeTo("a", {}, { request_headers_to_add: [option] })).map((problem) =>
      problem.replace("request_headers_to_add[0].", ""),
    );
  assert.deepEqual(add({ header: { key: ":path", value: "/" } }), [
    'header.key: ":path" may not be changed as a header',
  ]);
  assert.deepEqual(add({ header: { key: "Host", value: "x" } }), ['header.key: "host" may not be changed as a header']);
  assert.deepEqual(add({ header: { key: "a b", value: "x" } }), ['header.key: "a b" is not a header name']);
  assert.deepEqual(add({ header: { key: "a", value: "x\ny" } }), ["header.value: the value holds control characters"]);
  assert.deepEqual(add({ header: { key: "a", value: "50%" } }), [
    "header.value: a % sign opens an operator that is not closed (write %% for a percent sign)",
  ]);
  assert.deepEqual(add({ header: { key: "a", value: "%START_TIME%" } }), [
    "header.value: the operator %START_TIME% is not supported in header values",
  ]);
  assert.deepEqual(add({ header: { key: "a", value: "%REQ()%" } }), ["header.value: %REQ()% names no header"]);
  assert.deepEqual(add({ header: { key: "a", value: "x" }, append: true, append_action: "ADD_IF_ABSENT" }), [
    "append: append and append_action are both set",
  ]);
  assert.deepEqual(refusedRoute(routeTo("a", {}, { response_headers_to_remove: [":status"] })), [
    'response_headers_to_remove[0]: ":status" may not be changed as a header',
  ]);
});

test("filter overrides of other types are refused", () => {
  const override = (config: JsonObject): string[] =>
    refusedRoute(routeTo("a", {}, { typed_per_filter_config: { x: config } }));
  assert.deepEqual(override({ "@type": typeUrls.router }), [
    'typed_per_filter_config["x"]: "envoy.extensions.filters.http.router.v3.Router" is not supported here',
  ]);
  assert.deepEqual(override({ "@type": typeUrls.fault, delay: { fixed_delay: "0s" } }), [
    'typed_per_filter_config["x"].delay.fixed_delay: the delay is zero',
  ]);
  assert.deepEqual(override({ "@type": typeUrls.fault, delay: { percentage: { numerator: 1 } } }), [
    'typed_per_filter_config["x"].delay: the delay is empty',
  ]);
  assert.deepEqual(override({ "@type": typeUrls.fault, abort: { percentage: { numerator: 1 } } }), [
    'typed_per_filter_config["x"].abort: the abort is empty',
  ]);
  assert.deepEqual(override({ "@type": typeUrls.fault, abort: { http_status: 99 } }), [
    'typed_per_filter_config["x"].abort.http_status: 99 is not between 200 and 599',
  ]);
});
