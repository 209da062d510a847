import assert from "node:assert/strict";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import { connectRaw, type IssuedIdentity, ThrowawayCa } from "@heddle/testkit";
import { CLUSTER_TYPE, LISTENER_TYPE, SECRET_TYPE } from "@heddle/xds/api";
import { adsBootstrap, AdsControlPlane, type JsonResources } from "../testing/ads-control-plane.ts";
import { cluster, httpListener, route } from "../testing/bootstrap-json.ts";
import { TestProxy } from "../testing/test-proxy.ts";

type Json = Record<string, unknown>;

const ads = { ads: {}, resource_api_version: "V3" };
const tlsPackage = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3";

interface Upstream {
  readonly port: number;
  connections: number;
}

/** A server of HTTPS that asks for a certificate and counts its connections. */
async function startUpstream(t: TestContext, { chainPem, privateKeyPem }: IssuedIdentity): Promise<Upstream> {
  const server = createServer(
    { cert: chainPem, key: privateKeyPem, requestCert: true, rejectUnauthorized: false },
    (_request, response) => response.end("served"),
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const upstream: Upstream = { port: (server.address() as AddressInfo).port, connections: 0 };
  server.on("secureConnection", () => (upstream.connections += 1));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return upstream;
}

function inline({ chainPem, privateKeyPem }: IssuedIdentity): Json {
  return { certificate_chain: { inline_string: chainPem }, private_key: { inline_string: privateKeyPem } };
}

function secret(name: string, identity: IssuedIdentity): Json {
  return { name, tls_certificate: inline(identity) };
}

function clusterOf(name: string, upstream: Upstream, ca: ThrowawayCa, certificate: Json, more: Json = {}): Json {
  return cluster(name, [upstream.port], {
    transport_socket: {
      name: "tls",
      typed_config: {
        "@type": `${tlsPackage}.UpstreamTlsContext`,
        common_tls_context: {
          ...certificate,
          validation_context: { trusted_ca: { inline_string: ca.certificatePem } },
        },
      },
    },
    ...more,
  });
}

async function ask(proxy: TestProxy, path: string): Promise<void> {
  const client = await connectRaw(proxy.port("web"));
  await client.send(`GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`);
  assert.equal((await client.response()).body, "served");
  client.socket.destroy();
}

// In state of the world each change brings what has not changed as well.
for (const api of ["DELTA_GRPC", "GRPC"] as const)
  test(`a change of a secret, or of one cluster with a certificate of its own, leaves the connections of other clusters in use (${api})`, async (t) => {
    const disposables = new AsyncDisposableStack();
    t.after(() => disposables.disposeAsync());
    const ca = await ThrowawayCa.create();
    const [first, second] = [await ca.issue("spiffe://a.b/one"), await ca.issue("spiffe://a.b/one")];
    const [named, written] = [await startUpstream(t, first), await startUpstream(t, first)];
    const controlPlane = disposables.use(new AdsControlPlane());
    await controlPlane.start();
    const resources = (
      client: IssuedIdentity,
      server: IssuedIdentity,
      own: IssuedIdentity,
      timeout: string,
    ): JsonResources => ({
      [LISTENER_TYPE]: [
        httpListener({ name: "web", routes: [route("/named", "named"), route("/written", "written")] }),
        httpListener({
          name: "secured",
          routes: [route("/", "named")],
          transportSocket: {
            name: "tls",
            typed_config: {
              "@type": `${tlsPackage}.DownstreamTlsContext`,
              common_tls_context: { tls_certificate_sds_secret_configs: [{ name: "server", sds_config: ads }] },
            },
          },
        }),
      ],
      [CLUSTER_TYPE]: [
        clusterOf("named", named, ca, {
          tls_certificate_sds_secret_configs: [{ name: "client", sds_config: ads }],
        }),
        clusterOf("written", written, ca, { tls_certificates: [inline(own)] }, { connect_timeout: timeout }),
      ],
      [SECRET_TYPE]: [secret("client", client), secret("server", server)],
    });
    controlPlane.set(resources(first, first, first, "1s"));
    const proxy = disposables.use(await TestProxy.start(adsBootstrap(controlPlane.port, api)));
    const counts = async (): Promise<number[]> => {
      await ask(proxy, "/named");
      await ask(proxy, "/written");
      return [named.connections, written.connections];
    };
    assert.deepEqual(await counts(), [1, 1]);
    const change = async (resources: JsonResources): Promise<void> => controlPlane.synced(controlPlane.set(resources));
    // The listener's certificate, which no cluster uses.
    await change(resources(first, second, first, "1s"));
    assert.deepEqual(await counts(), [1, 1]);
    // A cluster, with the same certificate inside, and with another one: its own connections alone are new.
    await change(resources(first, second, first, "2s"));
    assert.deepEqual(await counts(), [1, 2]);
    await change(resources(first, second, second, "2s"));
    assert.deepEqual(await counts(), [1, 3]);
    // What the other cluster uses.
    await change(resources(second, second, second, "2s"));
    assert.deepEqual(await counts(), [2, 3]);
  });
