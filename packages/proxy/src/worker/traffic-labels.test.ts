import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type EchoServer, startEchoServer, ThrowawayCa } from "@heddle/testkit";
import {
  bootstrap,
  clientTls,
  cluster,
  httpListener,
  route,
  serverTls,
  type TlsMaterial,
} from "../testing/bootstrap-json.ts";
import { peerMetadata, standardMetrics } from "../testing/mesh-json.ts";
import { TestProxy } from "../testing/test-proxy.ts";

// The proxy of web → the proxy of reviews → application, with connections of every kind between the two.

const webUri = "spiffe://cluster.local/ns/shop/sa/web";
const reviewsUri = "spiffe://cluster.local/ns/shop/sa/reviews";
const partnerUri = "spiffe://partner.example/ns/buying/sa/agent";
const hops = ["mesh", "foreign", "mutual", "simple", "plaintext"];

let app: EchoServer;
let inbound: TestProxy;
let outbound: TestProxy;

/** A cluster that stands for a service of this host. */
function serviceCluster(host: string, port: number, more: object = {}): Record<string, unknown> {
  const services = [{ host, name: host, namespace: "shop" }];
  return cluster(host, [port], { metadata: { filter_metadata: { istio: { services } } }, ...more });
}

before(async () => {
  const ca = await ThrowawayCa.create();
  const material = async (uri: string, dnsName = ""): Promise<TlsMaterial> => ({
    ...(await ca.issue(uri, uri === "" ? { uris: [], dnsNames: [dnsName] } : {})),
    anchorsPem: ca.certificatePem,
  });
  const web = await material(webUri);
  const reviews = await material(reviewsUri);
  const named = await material("", "shop.example");
  app = await startEchoServer();
  const serving: Readonly<Record<string, unknown>> = {
    mesh: serverTls(reviews),
    foreign: serverTls(reviews),
    mutual: serverTls(named),
    simple: serverTls(named, { require_client_certificate: false }),
    plaintext: undefined,
  };
  inbound = await TestProxy.start(
    bootstrap(
      hops.map((hop) =>
        httpListener({
          name: hop,
          direction: "INBOUND",
          ...(serving[hop] === undefined ? {} : { transportSocket: serving[hop] as Record<string, unknown> }),
          routes: [route("/", hop)],
          filters: [peerMetadata("reviews", "INBOUND", reviewsUri), standardMetrics("DESTINATION")],
        }),
      ),
      hops.map((hop) => serviceCluster(hop, app.port)),
    ),
  );
  /** As a DestinationRule with TLS of its own: the server is judged by its name. */
  const byName = (own: object): Record<string, unknown> => ({
    name: "tls",
    typed_config: {
      "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
      sni: "shop.example",
      common_tls_context: { ...own, validation_context: { trusted_ca: { inline_string: ca.certificatePem } } },
    },
  });
  const { chainPem, privateKeyPem } = await material("", "partner.example");
  const certificate = { certificate_chain: { inline_string: chainPem }, private_key: { inline_string: privateKeyPem } };
  const asking: Readonly<Record<string, unknown>> = {
    mesh: clientTls(web, reviewsUri),
    foreign: clientTls(await material(partnerUri), reviewsUri),
    mutual: byName({ tls_certificates: [certificate] }),
    simple: byName({}),
    plaintext: undefined,
  };
  outbound = await TestProxy.start(
    bootstrap(
      [
        httpListener({
          name: "outbound",
          direction: "OUTBOUND",
          routes: [...hops, "nowhere"].map((name) => route(`/${name}`, name)),
          filters: [peerMetadata("web", "OUTBOUND", webUri), standardMetrics("SOURCE")],
        }),
      ],
      [
        ...hops.map((hop) =>
          serviceCluster(hop, inbound.port(hop), asking[hop] === undefined ? {} : { transport_socket: asking[hop] }),
        ),
        serviceCluster("nowhere", 1),
      ],
    ),
  );
});

after(async () => {
  await outbound?.[Symbol.asyncDispose]();
  await inbound?.[Symbol.asyncDispose]();
  await app?.close();
});

/** Whom a proxy says to have counted for a service: source → destination, security. A series comes in a message, after the request. */
async function countedBy(proxy: TestProxy, service: string): Promise<string> {
  for (const giveUpAt = performance.now() + 10_000; ; ) {
    const series = proxy.generation.metrics.read().flat();
    for (const { family, labels } of series) {
      const own = new Map(labels);
      if (family.name !== "istio_requests_total" || own.get("destination_service") !== service) continue;
      const [source, destination] = [own.get("source_principal"), own.get("destination_principal")];
      return `${source} → ${destination}, ${own.get("connection_security_policy")}`;
    }
    assert.ok(performance.now() < giveUpAt, `nothing is counted for ${service}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

for (const { hop, ends, policy } of [
  { hop: "mesh", ends: `${webUri} → ${reviewsUri}`, policy: "mutual_tls" },
  { hop: "foreign", ends: `${partnerUri} → ${reviewsUri}`, policy: "mutual_tls" },
  { hop: "mutual", ends: "unknown → unknown", policy: "none" },
  { hop: "simple", ends: "unknown → unknown", policy: "none" },
  { hop: "plaintext", ends: "unknown → unknown", policy: "none" },
]) {
  test(`both principals are those of the connection between the proxies, as in Istio: ${hop}`, async () => {
    const response = await fetch(`http://127.0.0.1:${outbound.port("outbound")}/${hop}`);
    assert.equal(response.status, 200, await response.text());
    assert.equal(await countedBy(outbound, hop), `${ends}, unknown`);
    assert.equal(await countedBy(inbound, hop), `${ends}, ${policy}`);
  });
}

test("a request that found no connection has no principals", async () => {
  const response = await fetch(`http://127.0.0.1:${outbound.port("outbound")}/nowhere`);
  assert.equal(response.status, 503, await response.text());
  assert.equal(await countedBy(outbound, "nowhere"), "unknown → unknown, unknown");
});
