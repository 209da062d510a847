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
  protocolOptions,
  route,
  serverTls,
} from "../testing/bootstrap-json.ts";
import { TestProxy } from "../testing/test-proxy.ts";

// How requests ride between two proxies: a few on connections of their own, many on connections that they share.

type Json = Record<string, unknown>;

const uri = "spiffe://cluster.local/ns/shop/sa/web";
const from = 10;

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
  const inner = (name: string, ...alpn: string[]): Json =>
    httpListener({
      name,
      direction: "INBOUND",
      routes: [route("/", "app")],
      transportSocket: serverTls(material, {}, alpn),
    });
  inbound = await TestProxy.start(
    bootstrap(
      [inner("new", "h2", "istio-http/1.1"), inner("old", "istio-http/1.1")],
      [cluster("app", [(app.address() as AddressInfo).port])],
    ),
  );
  const carried = (name: string): Json =>
    cluster(name, [inbound.port(name)], {
      transport_socket: clientTls(material, uri, ["h2", "istio-http/1.1"]),
      ...protocolOptions(
        { auto_config: { http_protocol_options: {}, http2_protocol_options: {} } },
        { "heddle.v1.CarrierOptions": { min_concurrent_requests: from } },
      ),
    });
  outbound = await TestProxy.start(
    bootstrap(
      ["new", "old"].map((name) => httpListener({ name, direction: "OUTBOUND", routes: [route("/", name)] })),
      [carried("new"), carried("old")],
    ),
  );
});

after(async () => {
  await outbound?.[Symbol.asyncDispose]();
  await inbound?.[Symbol.asyncDispose]();
  app?.closeAllConnections();
  app?.close();
});

/** So many requests that are in progress at the same time; all are answered. */
async function atOnce(listener: string, count: number): Promise<void> {
  barrier = count;
  const responses = await Promise.all(
    Array.from({ length: count }, (_, index) =>
      fetch(`http://127.0.0.1:${outbound.port(listener)}/${index}`, { method: "POST", body: "x" }),
    ),
  );
  for (const response of responses) {
    assert.equal(response.status, 200);
    assert.equal(await response.text(), "1.1");
  }
  await outbound.whenBalanced();
  await inbound.whenBalanced();
}

/** Connections that the inner proxy has taken so far, by what they speak. */
function taken(listener: string): { http1: number; http2: number } {
  const total = (kind: string): number =>
    inbound.generation.metrics.total(`envoy_http_downstream_cx_${kind}_total`, {
      envoy_http_conn_manager_prefix: listener,
    });
  return { http1: total("http1"), http2: total("http2") };
}

test("few requests at once have connections of their own, many share a carrier", async () => {
  await atOnce("new", from - 1);
  assert.deepEqual(taken("new"), { http1: from - 1, http2: 0 });
  await atOnce("new", 60);
  assert.deepEqual(taken("new"), { http1: from - 1, http2: 1 });
  // Those few are still there when the many have gone.
  await atOnce("new", from - 1);
  assert.deepEqual(taken("new"), { http1: from - 1, http2: 1 });
});

test("a peer that speaks no HTTP/2 serves any number over HTTP/1.1", async () => {
  await atOnce("old", 60);
  assert.deepEqual(taken("old"), { http1: 60, http2: 0 });
  await atOnce("old", 60);
  assert.equal(taken("old").http2, 0);
});
