import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fromJson } from "@bufbuild/protobuf";
import { connectRaw, untilRefused } from "@heddle/testkit";
import { ClusterSchema, typeRegistry } from "@heddle/xds/api";
import { BootstrapSchema } from "@heddle/xds/api/bootstrap";
import { bootstrap, cluster, httpListener, route } from "../testing/bootstrap-json.ts";
import { TestProxy } from "../testing/test-proxy.ts";

let proxy: TestProxy;

before(async () => {
  const routes = [
    { match: { path: "/direct" }, direct_response: { status: 200, body: { inline_string: "direct" } } },
    route("/", "app"),
  ];
  proxy = await TestProxy.start(bootstrap([httpListener({ name: "web", routes })], [cluster("app", [1, 2])]));
});

after(async () => {
  await proxy?.[Symbol.asyncDispose]();
});

async function raw(request: string): Promise<{ head: string; body: string }> {
  const client = await connectRaw(proxy.adminPort);
  try {
    await client.send(request);
    return await client.response({ head: request.startsWith("HEAD") });
  } finally {
    client.socket.destroy();
  }
}

const hosts: [host: string, status: number][] = [
  ["127.0.0.1", 200],
  ["127.0.0.1:9901", 200],
  ["localhost:9901", 200],
  ["[::1]:9901", 200],
  ["attacker.example", 403],
  ["attacker.example:9901", 403],
  ["127.0.0.1.attacker.example", 403],
  ["", 403],
];
for (const [host, status] of hosts) {
  test(`a request for the host "${host}" gets ${status}: a rebound name must not reach the admin port`, async () => {
    const { head } = await raw(`GET /ready HTTP/1.1\r\nhost: ${host}\r\n\r\n`);
    assert.match(head, new RegExp(`^HTTP/1\\.1 ${status} `));
  });
}

test("what changes something needs POST", async () => {
  const changing = ["/logging?level=debug", "/drain_listeners", "/quitquitquit", "/certs/renew"];
  for (const path of [...changing, "/cpu_profile", "/heap_snapshot"]) {
    const { head } = await raw(`GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`);
    assert.match(head, /^HTTP\/1\.1 405 /, path);
    assert.match(head, /allow: POST/i);
  }
  assert.equal(proxy.generation.state(), "LIVE");
});

test("a page of another origin cannot change anything", async () => {
  const request =
    "POST /drain_listeners HTTP/1.1\r\nhost: 127.0.0.1\r\norigin: http://attacker.example\r\ncontent-length: 0\r\n\r\n";
  assert.match((await raw(request)).head, /^HTTP\/1\.1 403 /);
  assert.equal(proxy.generation.state(), "LIVE");
});

test("the log level changes and is shown", async () => {
  assert.match(await proxy.admin("/logging?level=error", { method: "POST" }), /heddle: error/);
  assert.match(await proxy.admin("/logging?level=loud", { method: "POST" }), /unknown level "loud"/);
  assert.match(await proxy.admin("/logging?level=off", { method: "POST" }), /heddle: off/);
});

test("statistics come as text, JSON and for Prometheus, and can be filtered", async () => {
  await fetch(`http://127.0.0.1:${proxy.port("web")}/direct`);
  await proxy.whenBalanced();
  assert.match(await proxy.admin("/stats?filter=^http.web.*2xx"), /^http\.web\.downstream_rq_2xx: \d+\n$/);
  assert.doesNotMatch(await proxy.admin("/stats?usedonly"), /: 0$/m);
  const json = JSON.parse(await proxy.admin("/stats?format=json&filter=rq_total"));
  assert.ok(json.stats.some(({ name }: { name: string }) => name === "http.web.downstream_rq_total"));
  assert.match(
    await proxy.admin("/stats/prometheus"),
    /^envoy_http_downstream_rq_total\{envoy_http_conn_manager_prefix="web"\} \d+$/m,
  );
  for (const path of ["/stats", "/stats/prometheus"]) {
    assert.match(await proxy.admin(`${path}?filter=(`), /Invalid regex/);
  }
  for (const path of ["/stats/prometheus?", "/stats?format=prometheus&"]) {
    const text = await proxy.admin(`${path}filter=^heddle_requests_started`);
    assert.deepEqual(
      text.split("\n").filter((line) => line !== "" && !/(^| )heddle_requests_started_total/.test(line)),
      [],
    );
    assert.match(text, /^heddle_requests_started_total/m);
    assert.doesNotMatch(await proxy.admin(`${path}usedonly`), /^envoy_cluster\S*_total\S* 0$/m);
  }
});

test("clusters and listeners are shown in Envoy's forms", async () => {
  const text = await proxy.admin("/clusters");
  assert.match(text, /^app::127\.0\.0\.1:2::health_flags::healthy$/m);
  const json = JSON.parse(await proxy.admin("/clusters?format=json"));
  assert.equal(json.cluster_statuses[0].host_statuses[1].address.socket_address.port_value, 2);
  assert.equal(await proxy.admin("/listeners"), `web::127.0.0.1:${proxy.port("web")}\n`);
  const listeners = JSON.parse(await proxy.admin("/listeners?format=json"));
  assert.equal(listeners.listener_statuses[0].local_address.socket_address.port_value, proxy.port("web"));
});

test("configuration, version and help are shown", async () => {
  const dump = JSON.parse(await proxy.admin("/config_dump"));
  const types = dump.configs.map((config: { "@type": string }) => config["@type"].split(".").at(-1));
  assert.deepEqual(types, [
    "BootstrapConfigDump",
    "ClustersConfigDump",
    "ListenersConfigDump",
    "RoutesConfigDump",
    "SecretsConfigDump",
  ]);
  assert.equal(dump.configs[2].static_listeners[0].listener.name, "web");
  const info = JSON.parse(await proxy.admin("/server_info"));
  assert.equal(info.state, "LIVE");
  assert.match(info.version, /^heddle\//);
  assert.equal(info.command_line_options.restart_epoch, 0);
  const help = await proxy.admin("/help");
  for (const path of ["/config_dump", "/memory", "/runtime", "/cpu_profile", "/heap_snapshot"])
    assert.ok(help.includes(`  ${path} `), path);
});

test("the dump of configuration has Envoy's shape, and its messages can be read as Envoy's", async () => {
  const { configs } = JSON.parse(await proxy.admin("/config_dump?include_eds"));
  const [{ bootstrap: own }, clusters, listeners, , , endpoints] = configs;
  const read = fromJson(BootstrapSchema, own, { registry: typeRegistry });
  assert.equal(read.admin?.address?.address.case, "socketAddress");
  assert.deepEqual(
    read.staticResources?.listeners.map(({ name }) => name),
    ["web"],
  );
  for (const [schema, { cluster: message }] of [[ClusterSchema, clusters.static_clusters[0]]] as const) {
    const { "@type": type, ...fields } = message;
    assert.equal(type, "type.googleapis.com/envoy.config.cluster.v3.Cluster");
    assert.equal(fromJson(schema, fields, { registry: typeRegistry }).name, "app");
  }
  assert.match(listeners.static_listeners[0].last_updated, /^\d{4}-.*Z$/);
  assert.equal(endpoints.static_endpoint_configs[0].endpoint_config.cluster_name, "app");
});

test("a dump of configuration is narrowed by resource, by name and by mask", async () => {
  const dump = async (query: string): Promise<Record<string, unknown>[]> =>
    JSON.parse(await proxy.admin(`/config_dump?${query}`)).configs;
  const [listener] = await dump("resource=static_listeners");
  assert.equal(listener?.["@type"], "type.googleapis.com/envoy.admin.v3.ListenersConfigDump.StaticListener");
  assert.deepEqual(await dump("resource=static_clusters&mask=cluster.name"), [
    { "@type": "type.googleapis.com/envoy.admin.v3.ClustersConfigDump.StaticCluster", cluster: { name: "app" } },
  ]);
  assert.equal((await dump("resource=static_clusters&name_regex=a.*")).length, 1);
  assert.equal((await dump("resource=static_clusters&name_regex=a")).length, 0);
  const [all, clusters] = await dump("name_regex=nothing&mask=bootstrap.node.id,static_clusters");
  assert.deepEqual(all, {
    "@type": "type.googleapis.com/envoy.admin.v3.BootstrapConfigDump",
    bootstrap: { node: { id: "test" } },
  });
  assert.deepEqual(clusters?.["static_clusters"], []);
  assert.deepEqual(await dump("resource=bootstrap&mask=node.cluster"), [
    { "@type": "type.googleapis.com/envoy.config.bootstrap.v3.Bootstrap", node: { cluster: "test" } },
  ]);
  const unknown = await fetch(`http://127.0.0.1:${proxy.adminPort}/config_dump?resource=things`);
  assert.equal(unknown.status, 404);
  assert.match(await proxy.admin("/config_dump?name_regex=("), /name_regex/);
});

test("a listener shows what is going on there", async (t) => {
  const client = await connectRaw(proxy.port("web"));
  t.after(() => client.socket.destroy());
  await client.send("GET /direct HTTP/1.1\r\nhost: x\r\n\r\n");
  await client.response();
  const { listener_statuses: statuses } = JSON.parse(await proxy.admin("/listeners?format=json"));
  assert.ok(statuses[0].connections.active >= 1);
  assert.ok(statuses[0].connections.total >= statuses[0].connections.active);
});

test("memory is shown by thread", async () => {
  const { allocated, total_physical_bytes: resident, threads } = JSON.parse(await proxy.admin("/memory"));
  assert.ok(Number(allocated) > 1_000_000 && Number(resident) > Number(threads[0].heap_used));
  assert.deepEqual(
    threads.map(({ thread }: { thread: string }) => thread),
    ["main", "worker_0"],
  );
});

test("the runtime is shown in Envoy's form", async (t) => {
  const key = "overload.global_downstream_max_connections";
  const layers = [
    { name: "base", static_layer: { [key]: 9 } },
    { name: "top", static_layer: { [key]: 8 } },
  ];
  const own = await TestProxy.start(bootstrap([], [], { layered_runtime: { layers } }));
  t.after(() => own[Symbol.asyncDispose]());
  assert.deepEqual(JSON.parse(await own.admin("/runtime")), {
    layers: ["base", "top"],
    entries: { [key]: { layer_values: ["9", "8"], final_value: "8" } },
  });
});

test("a CPU profile of a worker and of the main thread is taken for a bounded time, one at a time", async () => {
  const post = { method: "POST" };
  const [first, second] = await Promise.all([
    proxy.admin("/cpu_profile?seconds=1", post),
    proxy.admin("/cpu_profile?seconds=1&thread=main", post),
  ]);
  const taken = [first, second].filter((text) => text.startsWith("{"));
  assert.equal(taken.length, 1);
  assert.ok(JSON.parse(taken[0]!).nodes.length > 0);
  assert.ok([first, second].some((text) => /one at a time/.test(text)));
  assert.ok(JSON.parse(await proxy.admin("/cpu_profile?seconds=1&thread=main", post)).nodes.length > 0);
  assert.match(await proxy.admin("/cpu_profile?seconds=61", post), /from 1 to 60/);
  assert.match(await proxy.admin("/cpu_profile?thread=7", post), /no thread "7"/);
});

test("a heap snapshot of a worker is streamed", async () => {
  const response = await fetch(`http://127.0.0.1:${proxy.adminPort}/heap_snapshot?thread=0`, { method: "POST" });
  assert.match(response.headers.get("content-disposition") ?? "", /heddle\.heapsnapshot/);
  assert.ok(JSON.parse(await response.text()).snapshot.node_count > 1000);
});

test("an unknown path is 404, and HEAD has no body", async () => {
  assert.match((await raw("GET /nothing HTTP/1.1\r\nhost: localhost\r\n\r\n")).head, /^HTTP\/1\.1 404 /);
  assert.match((await raw("HEAD /ready HTTP/1.1\r\nhost: localhost\r\n\r\n")).head, /^HTTP\/1\.1 200 /);
});

test("renewing a certificate without an authority says so", async () => {
  const response = await fetch(`http://127.0.0.1:${proxy.adminPort}/certs/renew`, { method: "POST" });
  assert.equal(response.status, 503);
  assert.match(await response.text(), /--ca-address/);
});

for (const [path, method] of [
  ["/config_dump?format=json", "GET"],
  ["/logging?paths=a:debug", "POST"],
  ["/certs?format=json", "GET"],
] as const) {
  test(`${method} ${path} is refused, because the parameter would be ignored`, async () => {
    const response = await fetch(`http://127.0.0.1:${proxy.adminPort}${path}`, { method });
    assert.equal(response.status, 400);
    assert.match(await response.text(), /does not support the parameter "\w+": it takes /);
  });
}

test("draining the listeners makes the proxy not ready and refuses new connections; one that is open says that it ends", async () => {
  const own = await TestProxy.start(
    bootstrap(
      [httpListener({ name: "web", routes: [{ match: { prefix: "/" }, direct_response: { status: 200 } }] })],
      [],
    ),
  );
  try {
    const port = own.port("web");
    const client = await connectRaw(port);
    await client.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    await client.response();
    assert.equal(await own.admin("/drain_listeners", { method: "POST" }), "OK\n");
    assert.equal(await own.admin("/ready"), "DRAINING\n");
    await untilRefused(port);
    await client.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    assert.match(await client.untilEnd(), /\r\nconnection: close\r\n/);
    client.socket.destroy();
  } finally {
    await own[Symbol.asyncDispose]();
  }
});
