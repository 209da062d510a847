import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { connectRaw, untilRefused } from "@heddle/testkit";
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
  for (const path of ["/logging?level=debug", "/drain_listeners", "/quitquitquit", "/certs/renew"]) {
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
  assert.match(await proxy.admin("/help"), /\/config_dump/);
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
  ["/config_dump?mask=x", "GET"],
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
