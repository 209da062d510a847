import assert from "node:assert/strict";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { ThrowawayCa } from "@heddle/testkit";
import {
  bootstrap,
  clientTls,
  cluster,
  httpListener,
  route,
  serverTls,
  type TlsMaterial,
} from "../testing/bootstrap-json.ts";
import { carriedCluster, carrierListeners, chainsOf } from "../testing/carrier-json.ts";
import { TestProxy } from "../testing/test-proxy.ts";

// How requests ride between two proxies: a few on connections of their own, many on connections that they share.

type Json = Record<string, unknown>;

const uri = "spiffe://cluster.local/ns/shop/sa/web";
const from = 10;
const limit = 4;

/** Answers when as many requests wait as `barrier` says. */
let barrier = 0;
const waiting: ServerResponse[] = [];
let app: Server;
let inbound: TestProxy;
let outbound: TestProxy;

before(async () => {
  app = createServer((request, response) => {
    request.resume();
    waiting.push(response);
    if (waiting.length < barrier) return;
    for (const each of waiting.splice(0)) each.end(request.httpVersion);
  });
  await new Promise<void>((resolve) => app.listen(0, "127.0.0.1", resolve));
  const ca = await ThrowawayCa.create();
  const material = { ...(await ca.issue(uri)), anchorsPem: ca.certificatePem };
  inbound = await TestProxy.start(
    bootstrap(
      [
        httpListener({
          name: "direct",
          direction: "INBOUND",
          routes: [route("/", "app")],
          transportSocket: serverTls(material, {}, ["istio-http/1.1"]),
        }),
        ...carrierListeners({
          filterChains: chainsOf(httpListener({ name: "inside", routes: [route("/", "app")] })),
          transportSocket: serverTls(material, {}, ["h2"]),
        }),
      ],
      [cluster("app", [(app.address() as AddressInfo).port])],
    ),
  );
  outbound = await TestProxy.start(
    bootstrap(
      ["mesh", "limited"].map((name) => httpListener({ name, direction: "OUTBOUND", routes: [route("/", name)] })),
      [
        carried("mesh", material, from),
        { ...carried("limited", material, limit), circuit_breakers: { thresholds: [{ max_connections: limit }] } },
      ],
    ),
  );
});

/** An endpoint that few requests reach at its own port, and many through the carriers of a proxy. */
function carried(name: string, material: TlsMaterial, min_concurrent_requests: number): Json {
  return carriedCluster({
    name,
    endpoints: [{ own: inbound.port("direct"), carriers: inbound.port("carriers") }],
    carrierSocket: clientTls(material, uri, ["h2"]),
    options: { min_concurrent_requests },
    more: { transport_socket: clientTls(material, uri, ["istio-http/1.1"]) },
  });
}

after(async () => {
  await outbound?.[Symbol.asyncDispose]();
  await inbound?.[Symbol.asyncDispose]();
  app?.closeAllConnections();
  app?.close();
});

/** So many requests at the same time, of which the application answers so many at once; all are answered. */
async function atOnce(count: number, name = "mesh", together = count): Promise<void> {
  barrier = together;
  const responses = await Promise.all(
    Array.from({ length: count }, (_, index) =>
      fetch(`http://127.0.0.1:${outbound.port(name)}/${index}`, { method: "POST", body: "x" }),
    ),
  );
  for (const response of responses) {
    assert.equal(response.status, 200);
    assert.equal(await response.text(), "1.1");
  }
  await outbound.whenBalanced();
}

/** Connections that the inner proxy has taken so far: by themselves, carriers, and inside those. */
function taken(): { direct: number; carriers: number; inside: number } {
  const total = (listener: string, version: number): number =>
    inbound.generation.metrics.total(`envoy_http_downstream_cx_http${version}_total`, {
      envoy_http_conn_manager_prefix: listener,
    });
  return { direct: total("direct", 1), carriers: total("carriers", 2), inside: total("inside", 1) };
}

test("few requests at once have connections of their own, many ride on connections inside a carrier", async () => {
  await atOnce(from - 1);
  assert.deepEqual(taken(), { direct: from - 1, carriers: 0, inside: 0 });
  await atOnce(60);
  assert.deepEqual(taken(), { direct: from - 1, carriers: 1, inside: 60 - (from - 1) });
  // Those few are still there when the many have gone.
  await atOnce(from - 1);
  assert.deepEqual(taken(), { direct: from - 1, carriers: 1, inside: 60 - (from - 1) });
});

test("all of a cluster's limit of connections is used, those inside a carrier among them, and no more", {
  timeout: 30_000,
}, async () => {
  const before = taken();
  await atOnce(limit - 1, "limited");
  await atOnce(4 * limit, "limited", limit);
  const { direct, inside } = taken();
  assert.deepEqual(
    { direct: direct - before.direct, inside: inside - before.inside },
    { direct: limit - 1, inside: 1 },
  );
});
