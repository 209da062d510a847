import assert from "node:assert/strict";
import { test } from "node:test";
import { connect, type TLSSocket } from "node:tls";
import { once } from "node:events";
import { type IssuedIdentity, ThrowawayCa } from "@heddle/testkit";
import { LISTENER_TYPE, SECRET_TYPE } from "@heddle/xds/api";
import { adsBootstrap, AdsControlPlane, type JsonResources } from "../testing/ads-control-plane.ts";
import { httpListener } from "../testing/bootstrap-json.ts";
import { TestProxy } from "../testing/test-proxy.ts";

const ads = { ads: {}, resource_api_version: "V3" };

function resources(server: IssuedIdentity, anchorsPem: string, crlPem?: string): JsonResources {
  const listener = httpListener({
    name: "web",
    routes: [{ match: { prefix: "/" }, direct_response: { status: 200, body: { inline_string: "served" } } }],
    transportSocket: {
      name: "tls",
      typed_config: {
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        require_client_certificate: true,
        common_tls_context: {
          tls_certificate_sds_secret_configs: [{ name: "server", sds_config: ads }],
          validation_context_sds_secret_config: { name: "ROOTCA", sds_config: ads },
        },
      },
    },
  });
  return {
    [LISTENER_TYPE]: [listener],
    [SECRET_TYPE]: [
      {
        name: "server",
        tls_certificate: {
          certificate_chain: { inline_string: server.chainPem },
          private_key: { inline_string: server.privateKeyPem },
        },
      },
      {
        name: "ROOTCA",
        validation_context: {
          trusted_ca: { inline_string: anchorsPem },
          ...(crlPem === undefined ? {} : { crl: { inline_string: crlPem } }),
        },
      },
    ],
  };
}

async function open(port: number, identity: IssuedIdentity): Promise<TLSSocket> {
  const socket = connect({
    port,
    host: "127.0.0.1",
    cert: identity.chainPem,
    key: identity.privateKeyPem,
    rejectUnauthorized: false,
  });
  socket.on("error", () => {});
  await once(socket, "secureConnect");
  return socket;
}

async function ask(socket: TLSSocket): Promise<string> {
  socket.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
  const [answer] = (await once(socket, "data")) as [Buffer];
  return answer.toString();
}

test("secrets come over ADS; when an anchor is withdrawn, open connections of those it vouched for are closed and others stay", async (t) => {
  const disposables = new AsyncDisposableStack();
  t.after(() => disposables.disposeAsync());
  const [oldCa, newCa] = await Promise.all([ThrowawayCa.create(), ThrowawayCa.create()]);
  const server = await newCa.issue("spiffe://cluster.local/ns/shop/sa/reviews");
  const oldClient = await oldCa.issue("spiffe://cluster.local/ns/shop/sa/web");
  const newClient = await newCa.issue("spiffe://cluster.local/ns/shop/sa/web");
  const controlPlane = disposables.use(new AdsControlPlane());
  await controlPlane.start();
  controlPlane.set(resources(server, oldCa.certificatePem + newCa.certificatePem));
  const proxy = disposables.use(await TestProxy.start(adsBootstrap(controlPlane.port)));
  const port = proxy.port("web");
  const [doomed, kept] = await Promise.all([open(port, oldClient), open(port, newClient)]);
  assert.match(await ask(doomed), /served$/);
  assert.match(await ask(kept), /served$/);
  const closed = once(doomed, "close");
  await controlPlane.synced(controlPlane.set(resources(server, newCa.certificatePem)));
  await closed;
  assert.match(await ask(kept), /served$/);
  kept.destroy();
  const dump = await proxy.admin("/config_dump");
  assert.doesNotMatch(dump, /PRIVATE KEY/);
  const certs = JSON.parse(await proxy.admin("/certs"));
  assert.equal(
    certs.certificates[0].cert_chain[0].subject_alt_names[0].uri,
    "spiffe://cluster.local/ns/shop/sa/reviews",
  );
});

/** Asks on one connection without a pause, as a client under load does, until told to stop. */
class BusyClient {
  answers = 0;
  isStopped = false;
  readonly ended: Promise<void>;
  readonly #socket: TLSSocket;
  readonly #wakers: (() => void)[] = [];

  constructor(socket: TLSSocket) {
    this.#socket = socket;
    this.ended = this.#run();
  }

  async #run(): Promise<void> {
    while (!this.isStopped) {
      assert.match(await ask(this.#socket), /served$/);
      this.answers += 1;
      for (const wake of this.#wakers.splice(0)) wake();
    }
  }

  /** Resolves when so many more answers have come. */
  async moreAnswers(count: number): Promise<void> {
    const wanted = this.answers + count;
    while (this.answers < wanted) await new Promise<void>((resolve) => this.#wakers.push(resolve));
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    await this.ended;
    this.#socket.destroy();
  }
}

test("a new certificate and new anchors serve new connections while requests go on over the open ones, and none of those breaks", async (t) => {
  const disposables = new AsyncDisposableStack();
  t.after(() => disposables.disposeAsync());
  const [first, second] = await Promise.all([ThrowawayCa.create(), ThrowawayCa.create()]);
  const reviews = "spiffe://cluster.local/ns/shop/sa/reviews";
  const [before, after] = [await first.issue(reviews), await second.issue(reviews)];
  const client = await first.issue("spiffe://cluster.local/ns/shop/sa/web");
  const newcomer = await second.issue("spiffe://cluster.local/ns/shop/sa/web");
  const controlPlane = disposables.use(new AdsControlPlane());
  await controlPlane.start();
  controlPlane.set(resources(before, first.certificatePem));
  const proxy = disposables.use(await TestProxy.start(adsBootstrap(controlPlane.port)));
  const port = proxy.port("web");
  const serialOf = (socket: TLSSocket): string => socket.getPeerCertificate().serialNumber.toLowerCase();
  const opened = await Promise.all([1, 2, 3].map(() => open(port, client)));
  for (const socket of opened) assert.equal(serialOf(socket), before.serialNumber);
  const busy = opened.map((socket) => new BusyClient(socket));
  await Promise.all(busy.map((one) => one.moreAnswers(3)));
  // The certificate alone, then the anchors, twice each: the last anchors still hold the first authority's.
  const both = first.certificatePem + second.certificatePem;
  for (const [identity, anchors] of [
    [after, first.certificatePem],
    [after, both],
    [before, both],
    [after, both],
  ] as const) {
    await controlPlane.synced(controlPlane.set(resources(identity, anchors)));
    const fresh = await open(port, client);
    assert.equal(serialOf(fresh), identity.serialNumber);
    assert.match(await ask(fresh), /served$/);
    fresh.destroy();
    await Promise.all(busy.map((one) => one.moreAnswers(3)));
  }
  const welcomed = await open(port, newcomer);
  assert.match(await ask(welcomed), /served$/);
  welcomed.destroy();
  await Promise.all(busy.map((one) => one.stop()));
});

test("a revocation list that comes closes the connections of whom it names, refuses them at the handshake, and leaves others alone", async (t) => {
  const disposables = new AsyncDisposableStack();
  t.after(() => disposables.disposeAsync());
  const ca = await ThrowawayCa.create();
  const server = await ca.issue("spiffe://cluster.local/ns/shop/sa/reviews");
  const [bad, good] = [
    await ca.issue("spiffe://cluster.local/ns/shop/sa/web"),
    await ca.issue("spiffe://cluster.local/ns/shop/sa/web"),
  ];
  const controlPlane = disposables.use(new AdsControlPlane());
  await controlPlane.start();
  controlPlane.set(resources(server, ca.certificatePem, await ca.revoke([])));
  const proxy = disposables.use(await TestProxy.start(adsBootstrap(controlPlane.port)));
  const port = proxy.port("web");
  const [doomed, kept] = await Promise.all([open(port, bad), open(port, good)]);
  // Of before the list: its session must not bring it in again.
  assert.match(await ask(doomed), /served$/);
  const session = doomed.getSession();
  assert.ok(session);
  assert.match(await ask(kept), /served$/);
  const closed = once(doomed, "close");
  const list = await ca.revoke([bad.serialNumber]);
  await controlPlane.synced(controlPlane.set(resources(server, ca.certificatePem, list)));
  await closed;
  assert.match(await ask(kept), /served$/);
  kept.destroy();
  for (const resumed of [undefined, session]) {
    const refused = connect({
      port,
      host: "127.0.0.1",
      cert: bad.chainPem,
      key: bad.privateKeyPem,
      rejectUnauthorized: false,
      ...(resumed === undefined ? {} : { session: resumed }),
    });
    let answer = "";
    refused.on("error", () => {});
    refused.on("data", (bytes: Buffer) => (answer += bytes.toString()));
    refused.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    await once(refused, "close");
    assert.equal(answer, "");
  }
});
