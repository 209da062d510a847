import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { CLUSTER_TYPE, LISTENER_TYPE, SECRET_TYPE } from "@heddle/xds/api";
import { adsBootstrap } from "../testing/ads-control-plane.ts";
import { bootstrap, cluster, httpListener, route } from "../testing/bootstrap-json.ts";
import { parseBootstrap } from "./parse.ts";

const full = `
node:
  id: sidecar~1
  cluster: web
  metadata: { NAMESPACE: shop, SERVICE_ACCOUNT: web }
  locality: { region: r, zone: z, sub_zone: s }
  user_agent_name: other
  user_agent_version: "1"
admin:
  address: { socket_address: { protocol: TCP, address: "::1", port_value: 9901 } }
static_resources:
  secrets:
    - name: ca
      validation_context: { trusted_ca: { inline_string: "-----BEGIN CERTIFICATE-----" } }
  clusters:
    - name: xds
      type: STATIC
      connect_timeout: 2s
      http2_protocol_options: {}
      load_assignment: { cluster_name: xds, endpoints: [ { lb_endpoints: [ { endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: 1 } } } } ] } ] }
dynamic_resources:
  lds_config: { ads: {}, resource_api_version: V3, initial_fetch_timeout: 0s }
  cds_config: { ads: {} }
  ads_config:
    api_type: DELTA_GRPC
    transport_api_version: V3
    set_node_on_first_message_only: true
    grpc_services: [ { envoy_grpc: { cluster_name: xds } } ]
`;

test("every accepted field of a bootstrap has its effect", () => {
  const { config, problems } = parseBootstrap(full);
  assert.deepEqual(problems, []);
  assert.ok(config?.ads);
  assert.equal(config.node.id, "sidecar~1");
  assert.equal(config.node.cluster, "web");
  const { region, zone, subZone } = config.node.locality ?? {};
  assert.deepEqual([region, zone, subZone], ["r", "z", "s"]);
  assert.deepEqual(config.nodeMetadata, { NAMESPACE: "shop", SERVICE_ACCOUNT: "web" });
  assert.deepEqual(config.admin, { host: "::1", port: 9901 });
  assert.deepEqual(
    config.resources.map(({ type, name }) => [type, name]),
    [[SECRET_TYPE, "ca"]],
  );
  const { delta, wantsClusters, wantsListeners, cluster } = config.ads;
  assert.deepEqual([delta, wantsClusters, wantsListeners, cluster.connectTimeoutMs], [true, true, true, 2000]);
});

test("JSON is read like YAML", () => {
  const { config } = parseBootstrap(JSON.stringify(adsBootstrap(1, "GRPC")));
  assert.equal(config?.ads?.delta, false);
});

test("the example has a listener and a cluster", async () => {
  const text = await readFile(new URL("../../../../examples/envoy/static.yaml", import.meta.url), "utf8");
  const types = parseBootstrap(text).config?.resources.map(({ type }) => type);
  assert.deepEqual(types, [CLUSTER_TYPE, LISTENER_TYPE]);
});

const refused: [title: string, text: string, line: number, path: string, message: RegExp][] = [
  ["a tab for indentation", "node:\n\tid: a", 2, "", /[Tt]ab/],
  ["a key twice", "node: { id: a }\nadmin: {}\nnode: { id: b }", 3, "", /unique/],
  ["a list where an object belongs", "node: []", 1, "node", /must be an object/],
  ["a number where a string belongs", "node:\n  id: 1\n  cluster: [x]", 3, "node.cluster", /must be a string/],
  [
    "an unknown field in the middle",
    "node:\n  id: a\nadmin:\n  adress: {}",
    4,
    "admin.adress",
    /is not a field of envoy\.config\.bootstrap\.v3\.Admin/,
  ],
  [
    "an unknown enum value",
    "admin: { address: { socket_address: { protocol: SCTP } } }",
    1,
    "admin.address.socket_address.protocol",
    /must be one of TCP, UDP/,
  ],
  [
    "an enum value that is not supported",
    "admin: { address: { socket_address: { protocol: UDP, address: 127.0.0.1, port_value: 1 } } }",
    1,
    "admin.address.socket_address.protocol",
    /UDP is not supported/,
  ],
  [
    "a bad duration",
    "dynamic_resources:\n  lds_config: { ads: {}, initial_fetch_timeout: soon }",
    2,
    "dynamic_resources.lds_config.initial_fetch_timeout",
    /^must be seconds with an s, like "15s" or "0.25s", not "soon"$/,
  ],
  [
    "a word where a number belongs",
    "admin: { address: { socket_address: { address: 127.0.0.1, port_value: many } } }",
    1,
    "admin.address.socket_address.port_value",
    /^must be a whole number from 0 to 4294967295, not "many"$/,
  ],
  [
    "a number that is too big",
    "admin: { address: { socket_address: { address: 127.0.0.1, port_value: 99999999999 } } }",
    1,
    "admin.address.socket_address.port_value",
    /^must be a whole number from 0 to 4294967295, not 99999999999$/,
  ],
  [
    "a time after which the proxy would be ready without its configuration",
    "dynamic_resources:\n  lds_config: { ads: {}, initial_fetch_timeout: 15s }",
    2,
    "dynamic_resources.lds_config.initial_fetch_timeout",
    /must be 0s/,
  ],
  [
    "two members of a oneof",
    "dynamic_resources:\n  lds_config: { ads: {}, path: x }",
    2,
    "dynamic_resources.lds_config.path",
    /excludes ads/,
  ],
  [
    "a field that has no effect here",
    "node: { id: a }\nstats_flush_interval: 5s",
    2,
    "stats_flush_interval",
    /not supported/,
  ],
  [
    "an admin field that has no effect here",
    "admin:\n  access_log_path: /dev/null\n  address: { socket_address: { address: 127.0.0.1, port_value: 1 } }",
    2,
    "admin.access_log_path",
    /not supported/,
  ],
  ["a pipe for the admin port", "admin:\n  address:\n    pipe: { path: /x }", 3, "admin.address.pipe", /not supported/],
  [
    "REST for xDS",
    "dynamic_resources:\n  ads_config:\n    api_type: REST\n    transport_api_version: V3",
    3,
    "dynamic_resources.ads_config.api_type",
    /REST is not supported/,
  ],
  [
    "a control plane that is no cluster",
    "dynamic_resources:\n  ads_config:\n    api_type: GRPC\n    transport_api_version: V3\n    grpc_services:\n      - envoy_grpc: { cluster_name: nowhere }",
    6,
    "dynamic_resources.ads_config.grpc_services[0].envoy_grpc.cluster_name",
    /no static cluster "nowhere"/,
  ],
  [
    "LDS from a file",
    "dynamic_resources:\n  lds_config: { path_config_source: { path: /x } }",
    2,
    "dynamic_resources.lds_config.path_config_source",
    /not supported/,
  ],
  [
    "ADS without its place",
    "dynamic_resources:\n  lds_config: { ads: {} }",
    1,
    "dynamic_resources",
    /ads_config is missing/,
  ],
  [
    "an extension that nobody knows",
    'static_resources:\n  clusters:\n    - name: a\n      type: STATIC\n      transport_socket:\n        name: x\n        typed_config:\n          "@type": type.googleapis.com/example.Unknown',
    8,
    "static_resources.clusters[0].transport_socket.typed_config.@type",
    /example\.Unknown is not supported/,
  ],
  [
    "a filter that is not supported",
    'static_resources:\n  listeners:\n    - name: a\n      filter_chains:\n        - filters:\n            - name: x\n              typed_config:\n                "@type": type.googleapis.com/envoy.extensions.filters.network.redis_proxy.v3.RedisProxy',
    8,
    "static_resources.listeners[0].filter_chains[0].filters[0].typed_config.@type",
    /RedisProxy is not supported$/,
  ],
  [
    "a resource's field that the proxy does not support",
    "static_resources:\n  clusters:\n    - name: a\n      type: STATIC\n      load_assignment: { cluster_name: a }\n      dns_lookup_family: V4_ONLY\n      outlier_detection: {}",
    7,
    "static_resources.clusters[0].outlier_detection",
    /not supported/,
  ],
  [
    "two resources of one name",
    "static_resources:\n  clusters:\n    - { name: a, type: STATIC, load_assignment: { cluster_name: a } }\n    - { name: a, type: STATIC, load_assignment: { cluster_name: a } }",
    4,
    "static_resources.clusters[1].name",
    /"a" is used twice/,
  ],
];
for (const [title, text, line, path, message] of refused) {
  test(`${title} is refused with its line, path and reason`, () => {
    const { config, problems } = parseBootstrap(text);
    assert.equal(config, undefined);
    const found = problems.find((problem) => problem.path === path && message.test(problem.message));
    assert.ok(found, JSON.stringify(problems));
    assert.equal(found.line, line, JSON.stringify(found));
  });
}

test("what the engine knows and this proxy cannot do yet is refused", () => {
  const listener = httpListener({ name: "web", routes: [] });
  const format = { omit_empty_values: true, text_format_source: { inline_string: "x" } };
  const type = "type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog";
  const { problems } = parseBootstrap(
    JSON.stringify(
      bootstrap(
        [
          {
            ...listener,
            access_log: [{ name: "log", typed_config: { "@type": type, log_format: format } }],
          },
        ],
        [],
      ),
    ),
  );
  assert.deepEqual(
    problems.map(({ path }) => path),
    ["static_resources.listeners[0].access_log[0].typed_config.log_format.omit_empty_values"],
  );
});

test("an access log operator that is not known is told where it stands", () => {
  const text = `static_resources:
  listeners:
    - name: web
      address: { socket_address: { address: 127.0.0.1, port_value: 0 } }
      filter_chains:
        - filters:
            - name: http
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: web
                route_config: { name: r }
                http_filters:
                  - name: router
                    typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }
                access_log:
                  - name: log
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog
                      log_format: { text_format_source: { inline_string: "%NO_SUCH_THING%" } }
`;
  assert.deepEqual(
    parseBootstrap(text).problems.map(({ path, line }) => [path, line]),
    [
      [
        "static_resources.listeners[0].filter_chains[0].filters[0].typed_config.access_log[0].typed_config.log_format",
        19,
      ],
    ],
  );
});

test("a static route to a cluster that is not there is refused, and one that need not be there is not", () => {
  const withTable = (more: object): ReturnType<typeof parseBootstrap> => {
    const virtualHosts = [{ name: "all", domains: ["*"], routes: [route("/", "nowhere"), route("/", "app")] }];
    const manager = { route_config: { name: "r", virtual_hosts: virtualHosts, ...more } };
    const listener = httpListener({ name: "web", routes: [], manager });
    return parseBootstrap(JSON.stringify(bootstrap([listener], [cluster("app", [1])])));
  };
  const [problem, ...others] = withTable({}).problems;
  assert.deepEqual(others, []);
  assert.match(
    problem?.path ?? "",
    /^static_resources\.listeners\[0\]\..*\.route_config\.virtual_hosts\[0\]\.routes\[0\]\.route\.cluster$/,
  );
  assert.match(problem?.message ?? "", /no cluster "nowhere"/);
  assert.deepEqual(withTable({ validate_clusters: false }).problems, []);
});

test("all problems are found at once", () => {
  const { problems } = parseBootstrap(
    "node: { idd: a }\nadmin: { adress: {} }\nstatic_resources: { clusters: [ { nam: x } ] }",
  );
  assert.deepEqual(
    problems.map(({ path, line }) => [path, line]),
    [
      ["node.idd", 1],
      ["admin.adress", 2],
      ["static_resources.clusters[0].nam", 3],
    ],
  );
});

test("of broken YAML the first problem is told: what the parser says after losing its way helps nobody", () => {
  const text = "static_resources:\n  clusters\n  - name: a\n    type: STATIC\n  - name: b\n    type: STATIC\n";
  const { problems } = parseBootstrap(text);
  assert.equal(problems.length, 1);
  assert.equal(problems[0]?.line, 2);
});

for (const { title, text, line, message } of [
  {
    title: "a bracket that is never closed",
    text: "node: { id: a }\nadmin:\n  address: [1, 2\nstatic_resources: {}\n",
    line: 4,
    message: /^a "\[" further up is not closed before this line$/,
  },
  { title: "a tab", text: "node:\n\tid: a\n", line: 2, message: /^A tab is used for indentation/ },
]) {
  test(`broken YAML is told in plain words: ${title}`, () => {
    const [problem] = parseBootstrap(text).problems;
    assert.equal(problem?.line, line);
    assert.match(problem?.message ?? "", message);
    assert.notEqual(problem?.hint ?? "", "");
  });
}

test("what is unknown or not supported is to be removed, or replaced by what is", () => {
  const text = `node: { idd: a }
admin: { adress: {} }
static_resources:
  clusters: [{ name: a, typ: STATIC }]
  listeners:
    - name: l
      listener_filters: [{ name: x, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.listener.nope.v3.Nope } }]
`;
  const hints = new Map(parseBootstrap(text).problems.map(({ path, hint }) => [path, hint]));
  assert.match(hints.get("node.idd") ?? "", /^Remove it, or use one of .*\bid\b/);
  assert.equal(hints.get("admin.adress"), "Remove it, or use one of address.");
  assert.match(hints.get("static_resources.clusters[0].typ") ?? "", /^Remove it, or correct its name: /);
  assert.match(
    hints.get("static_resources.listeners[0].listener_filters[0].typed_config.@type") ?? "",
    /^Remove this extension, or use one of .*tls_inspector/,
  );
});

test("an enum value that is not supported is told with those that are", () => {
  const text = "static_resources: { clusters: [{ name: a, type: STATIC, lb_policy: MAGLEV }] }";
  const problem = parseBootstrap(text).problems.find(({ path }) => path.endsWith("lb_policy"));
  assert.match(problem?.hint ?? "", /^use one of ROUND_ROBIN, LEAST_REQUEST, RANDOM/);
});
