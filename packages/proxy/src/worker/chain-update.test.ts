import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { connectRaw, ThrowawayCa } from "@heddle/testkit";
import { LISTENER_TYPE } from "@heddle/xds/api";
import { adsBootstrap, AdsControlPlane } from "../testing/ads-control-plane.ts";
import { httpListener, serverTls } from "../testing/bootstrap-json.ts";
import { TestProxy } from "../testing/test-proxy.ts";

// A connection is served by the chain that it chose, in its newest version, and never by one that would not have taken it.

type Json = Record<string, unknown>;

function chain(text: string, more: Json = {}): Json {
  const answer = { match: { prefix: "/" }, direct_response: { status: 200, body: { inline_string: text } } };
  const { filter_chains: chains } = httpListener({ name: "web", routes: [answer] }) as { filter_chains: Json[] };
  return { ...chains[0], ...more };
}

const listener = (...chains: readonly Json[]): Json =>
  JSON.parse(JSON.stringify({ ...httpListener({ name: "web", routes: [] }), filter_chains: chains })) as Json;

/** Asks on one connection before and after the change; returns both answers, "" for a connection that was closed. */
async function across(t: TestContext, before: Json, after: Json): Promise<[string, string]> {
  const open = new AsyncDisposableStack();
  t.after(() => open.disposeAsync());
  const controlPlane = open.use(new AdsControlPlane());
  await controlPlane.start();
  controlPlane.set({ [LISTENER_TYPE]: [before] });
  const proxy = open.use(await TestProxy.start(adsBootstrap(controlPlane.port)));
  const client = open.use(await connectRaw(proxy.port("web")));
  const ask = async (): Promise<string> => {
    await client.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    return (await client.response()).body;
  };
  const first = await ask();
  await controlPlane.synced(controlPlane.set({ [LISTENER_TYPE]: [after] }));
  return [first, await ask().catch(() => "")];
}

const raw = { filter_chain_match: { transport_protocol: "raw_buffer" } };

async function mutualTls(): Promise<Json> {
  const ca = await ThrowawayCa.create();
  const leaf = await ca.issue("spiffe://cluster.local/ns/shop/sa/web");
  return { transport_socket: serverTls({ ...leaf, anchorsPem: ca.certificatePem }) };
}

test("a new version of its chain serves the next request of an open connection", async (t) => {
  assert.deepEqual(await across(t, listener(chain("old")), listener(chain("new"))), ["old", "new"]);
});

test("an open plaintext connection is not served by a chain that now demands mutual TLS", async (t) => {
  const named = { name: "main" };
  const secured = { ...named, ...(await mutualTls()) };
  assert.deepEqual(await across(t, listener(chain("open", named)), listener(chain("secret", secured))), ["open", ""]);
});

test("chains without a name are not taken for each other when one is put before them", async (t) => {
  const secured = { filter_chain_match: { transport_protocol: "tls" }, ...(await mutualTls()) };
  const after = listener(chain("secret", secured), chain("open", raw));
  assert.deepEqual(await across(t, listener(chain("open", raw)), after), ["open", ""]);
});
