import assert from "node:assert/strict";
import { mkdir, rename, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import type { TLSSocket } from "node:tls";
import { connectRaw, type IssuedIdentity, ThrowawayCa } from "@heddle/testkit";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { type Logger, silentLogger } from "@heddle/core";
import { MetricWriter } from "@heddle/telemetry";
import { CLUSTER_TYPE, ClusterSchema, fromJson, LISTENER_TYPE, typeRegistry } from "@heddle/xds/api";
import { adsBootstrap, AdsControlPlane } from "../testing/ads-control-plane.ts";
import { cluster, httpListener, protocolOptions, route } from "../testing/bootstrap-json.ts";
import type { SocketBroker } from "./socket-broker.ts";
import { Configuration } from "./configuration.ts";
import { TlsFiles } from "./tls-files.ts";
import { adminGet, listenerPort, type ProxyProcess, startProxy, temporaryFolder } from "../testing/proxy-process.ts";

const name = "shop.example";
const web = "spiffe://cluster.local/ns/default/sa/web";

interface Scene {
  readonly proxy: ProxyProcess;
  readonly port: number;
  readonly admin: number;
  /** Answers the request to `/held` that waits. */
  readonly release: () => void;
  readonly heldAt: Promise<void>;
}

/** A proxy whose control plane names these files for TLS to a server that says which certificate it was shown. */
async function scene(t: TestContext, ca: ThrowawayCa, files: { ca: string; own?: string }): Promise<Scene> {
  const { chainPem, privateKeyPem } = await ca.issue("", { uris: [], dnsNames: [name] });
  let release = (): void => {};
  let onHeld = (): void => {};
  const heldAt = new Promise<void>((resolve) => {
    onHeld = resolve;
  });
  const options = { cert: chainPem, key: privateKeyPem, requestCert: true, rejectUnauthorized: false };
  const server = createServer(options, (request, response) => {
    const answer = (): void => {
      response.end((request.socket as TLSSocket).getPeerCertificate().serialNumber?.toLowerCase() ?? "nobody");
    };
    if (request.url !== "/held") return answer();
    release = answer;
    onHeld();
  });
  server.on("tlsClientError", () => undefined);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const controlPlane = new AdsControlPlane();
  await controlPlane.start();
  t.after(() => controlPlane[Symbol.asyncDispose]());
  const file = (filename: string) => ({ filename });
  const own = files.own;
  const secured = cluster("up", [(server.address() as AddressInfo).port], {
    // Each request its own connection: what is told is of its own handshake.
    ...protocolOptions({
      common_http_protocol_options: { max_requests_per_connection: 1 },
      explicit_http_config: { http_protocol_options: {} },
    }),
    transport_socket: {
      name: "tls",
      typed_config: {
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        sni: name,
        common_tls_context: {
          ...(own === undefined
            ? {}
            : { tls_certificates: [{ certificate_chain: file(`${own}.pem`), private_key: file(`${own}.key`) }] }),
          validation_context: {
            trusted_ca: file(files.ca),
            match_typed_subject_alt_names: [{ san_type: "DNS", matcher: { exact: name } }],
          },
        },
      },
    },
  });
  const listener = httpListener({ name: "web", routes: [route("/", "up")] });
  controlPlane.set({ [CLUSTER_TYPE]: [secured], [LISTENER_TYPE]: [JSON.parse(JSON.stringify(listener))] });
  const { proxy } = await startProxy(t, adsBootstrap(controlPlane.port));
  const admin = await proxy.ready();
  return { proxy, admin, port: await listenerPort(admin, "web"), release: () => release(), heldAt };
}

async function ask(port: number, path = "/"): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers: { connection: "close" } });
  return response.status === 200 ? await response.text() : String(response.status);
}

async function until(port: number, expected: string): Promise<void> {
  while ((await ask(port)) !== expected);
}

function serialOf({ serialNumber }: IssuedIdentity): string {
  return serialNumber.toLowerCase();
}

async function counted(admin: number, outcome: string): Promise<number> {
  const text = await adminGet(admin, `/stats?filter=tls_files.${outcome}`);
  return Number(/: (\d+)/.exec(text)?.[1] ?? Number.NaN);
}

test("new connections use what the files of a cluster's TLS hold now, open ones stay, and what cannot be used changes nothing", {
  timeout: 100_000,
}, async (t) => {
  const folder = await temporaryFolder(t);
  const ca = await ThrowawayCa.create();
  const path = (file: string): string => join(folder, file);
  const present = async (identity: IssuedIdentity): Promise<void> => {
    await writeFile(path("own.pem"), identity.chainPem);
    await writeFile(path("own.key"), identity.privateKeyPem);
  };
  const [first, second, third] = [await ca.issue(web), await ca.issue(web), await ca.issue(web)];
  await writeFile(path("ca.pem"), ca.certificatePem);
  await present(first);
  const { proxy, port, admin, release, heldAt } = await scene(t, ca, { ca: path("ca.pem"), own: path("own") });
  assert.equal(await ask(port), serialOf(first));
  const client = await connectRaw(port);
  t.after(() => client[Symbol.asyncDispose]());
  await client.send("GET /held HTTP/1.1\r\nhost: x\r\n\r\n");
  await heldAt;

  await present(second);
  await until(port, serialOf(second));
  assert.ok((await counted(admin, "used")) >= 1);
  release();
  assert.equal((await client.response()).body, serialOf(first));

  // The key of another certificate.
  await writeFile(path("own.pem"), third.chainPem);
  await proxy.logged(/ warn .*cannot be used.*own\.pem.*key values mismatch/);
  assert.equal(await ask(port), serialOf(second));
  assert.ok((await counted(admin, "refused")) >= 1);
  await writeFile(path("own.key"), third.privateKeyPem);
  await until(port, serialOf(third));

  await writeFile(path("ca.pem"), "nothing\n");
  await proxy.logged(/ warn .*cannot be used.*ca\.pem.*trust anchors cannot be read/);
  assert.equal(await ask(port), serialOf(third));
});

test("authorities behind a link that is changed, as in a mounted Secret, are those of new connections", {
  timeout: 100_000,
}, async (t) => {
  const folder = await temporaryFolder(t);
  const [ca, other] = [await ThrowawayCa.create(), await ThrowawayCa.create()];
  const mount = async (version: string, pem: string): Promise<void> => {
    await mkdir(join(folder, version));
    await writeFile(join(folder, version, "ca.pem"), pem);
    await symlink(version, join(folder, "..data_tmp"));
    await rename(join(folder, "..data_tmp"), join(folder, "..data"));
  };
  await mount("..1", ca.certificatePem);
  await symlink(join("..data", "ca.pem"), join(folder, "ca.pem"));
  const { port } = await scene(t, ca, { ca: join(folder, "ca.pem") });
  assert.equal(await ask(port), "nobody");
  await mount("..2", other.certificatePem);
  await until(port, "503");
  await mount("..3", other.certificatePem + ca.certificatePem);
  await until(port, "nobody");
});

test("an error while files are read anew is logged, and they are used at the next look though they have not changed again", {
  timeout: 100_000,
}, async (t) => {
  const folder = await temporaryFolder(t);
  const file = join(folder, "ca.pem");
  const replace = async (): Promise<void> => writeFile(file, (await ThrowawayCa.create()).certificatePem);
  await replace();
  const json = cluster("up", [1], {
    transport_socket: {
      name: "tls",
      typed_config: {
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        common_tls_context: { validation_context: { trusted_ca: { filename: file } } },
      },
    },
  });
  const message = fromJson(ClusterSchema, json as never, { registry: typeRegistry });
  // Clusters need no socket.
  const configuration = new Configuration({} as SocketBroker, undefined, silentLogger);
  const added = [{ name: "up", version: "1", message, resource: anyPack(ClusterSchema, message) }];
  const update = { type: CLUSTER_TYPE, added, removed: [], isFull: true };
  assert.deepEqual(await configuration.applyUpdate(update), { rejected: [] });
  let onLine: (line: string) => void = () => {};
  const line = (level: string) => (text: string, fields?: Readonly<Record<string, unknown>>) =>
    onLine(`${level} ${text} ${JSON.stringify(fields)}`);
  const logger: Logger = { ...silentLogger, info: line("info"), error: line("error") };
  const next = (): Promise<string> => new Promise((resolve) => (onLine = resolve));
  const files = new TlsFiles(configuration, new MetricWriter({ announce: () => {} }), logger);
  t.after(() => files.close());
  files.follow();

  configuration.onChange(() => {
    throw new Error("broken");
  });
  const failed = next();
  await replace();
  assert.match(await failed, /^error files of TLS could not be read anew \{"error":"broken"\}$/);
  configuration.onChange(() => {});
  const used = next();
  await writeFile(join(folder, "other"), "");
  assert.match(await used, /^info files of TLS have changed, and new connections use them /);
});
