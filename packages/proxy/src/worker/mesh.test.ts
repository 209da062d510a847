import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { type AddressInfo, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { connect as connectTls } from "node:tls";
import {
  connectRaw,
  type EchoedRequest,
  type EchoServer,
  type RawServer,
  startEchoServer,
  startRawServer,
  ThrowawayCa,
} from "@heddle/testkit";
import {
  bootstrap,
  clientTls,
  cluster,
  httpListener,
  route,
  serverTls,
  type TlsMaterial,
} from "../testing/bootstrap-json.ts";
import { untilLogged } from "../testing/log-file.ts";
import { accessLog, peerMetadata, standardMetrics } from "../testing/mesh-json.ts";
import { TestProxy } from "../testing/test-proxy.ts";

// web (outbound proxy) → reviews (two inbound proxies) → application, as the mesh has it.

const webUri = "spiffe://cluster.local/ns/shop/sa/web";
const reviewsUri = "spiffe://cluster.local/ns/shop/sa/reviews";

let ca: ThrowawayCa;
let web: TlsMaterial;
let reviews: TlsMaterial;
let app: EchoServer;
let raw: RawServer;
/** An application that reads a request and dies. */
let losing: Server;
let requestsLost = 0;
let outbound: TestProxy;
let inbound: TestProxy;
let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "heddle-mesh-"));
  ca = await ThrowawayCa.create();
  const anchorsPem = ca.certificatePem;
  web = { ...(await ca.issue(webUri)), anchorsPem };
  reviews = { ...(await ca.issue(reviewsUri)), anchorsPem };
  app = await startEchoServer();
  raw = await startRawServer();
  losing = createServer((socket) => {
    socket.on("error", () => socket.destroy());
    socket.once("data", () => {
      requestsLost += 1;
      socket.resetAndDestroy();
    });
  });
  await new Promise<void>((resolve) => losing.listen(0, "127.0.0.1", resolve));
  const denyDelete = {
    name: "rbac",
    typed_config: {
      "@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
      rules: {
        action: "ALLOW",
        policies: {
          "ns[shop]-policy[reviews]-rule[0]": {
            permissions: [
              { header: { name: ":method", string_match: { exact: "GET" } } },
              { header: { name: ":method", string_match: { exact: "POST" } } },
            ],
            principals: [{ authenticated: { principal_name: { exact: webUri } } }],
          },
        },
      },
    },
  };
  const forwardCert = { forward_client_cert_details: "APPEND_FORWARD", set_current_client_cert_details: { uri: true } };
  inbound = await TestProxy.start(
    bootstrap(
      [
        httpListener({
          name: "healthy",
          direction: "INBOUND",
          transportSocket: serverTls(reviews),
          routes: [route("/raw", "raw"), route("/", "app")],
          filters: [peerMetadata("reviews", "INBOUND", reviewsUri), standardMetrics("DESTINATION"), denyDelete],
          manager: {
            ...forwardCert,
            ...accessLog(
              join(folder, "inbound.log"),
              "%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %DOWNSTREAM_PEER_URI_SAN% %DOWNSTREAM_TLS_VERSION% %REQ(:PATH)%",
            ),
          },
        }),
        httpListener({
          name: "open",
          direction: "INBOUND",
          routes: [route("/", "app")],
          filters: [peerMetadata("reviews", "INBOUND", reviewsUri), standardMetrics("DESTINATION")],
        }),
        httpListener({
          name: "broken",
          direction: "INBOUND",
          transportSocket: serverTls(reviews),
          routes: [route("/", "dead")],
          manager: forwardCert,
        }),
        httpListener({
          name: "losing",
          direction: "INBOUND",
          transportSocket: serverTls(reviews),
          routes: [route("/", "losing")],
          manager: forwardCert,
        }),
      ],
      [
        cluster("app", [app.port], {
          metadata: {
            filter_metadata: {
              istio: { services: [{ host: "reviews.shop.svc.cluster.local", name: "reviews", namespace: "shop" }] },
            },
          },
        }),
        cluster("raw", [raw.port]),
        cluster("dead", [1]),
        cluster("losing", [(losing.address() as AddressInfo).port]),
      ],
    ),
  );
  const retry = {
    retry_policy: {
      retry_on: "connect-failure,refused-stream",
      num_retries: 3,
      retry_back_off: { base_interval: "0.001s" },
    },
  };
  const toReviews = (name: string, ports: readonly number[], uri = reviewsUri): Record<string, unknown> =>
    cluster(name, ports, { transport_socket: clientTls(web, uri) });
  const brokenPort = inbound.port("broken");
  const healthyPort = inbound.port("healthy");
  outbound = await TestProxy.start(
    bootstrap(
      [
        httpListener({
          name: "outbound",
          direction: "OUTBOUND",
          routes: [
            route("/either", "either", retry),
            route("/lost", "lost", {
              retry_policy: { retry_on: "reset", num_retries: 3, retry_back_off: { base_interval: "0.001s" } },
            }),
            route("/broken", "broken"),
            route("/impostor", "impostor"),
            route("/raw", "healthy"),
            route("/", "healthy"),
          ],
          filters: [peerMetadata("web", "OUTBOUND", webUri), standardMetrics("SOURCE")],
          manager: accessLog(
            join(folder, "outbound.log"),
            "%RESPONSE_CODE% %RESPONSE_FLAGS% %UPSTREAM_PEER_URI_SAN% %UPSTREAM_TRANSPORT_FAILURE_REASON%",
          ),
        }),
      ],
      [
        toReviews("healthy", [healthyPort]),
        toReviews("broken", [brokenPort]),
        // Both endpoints are asked in turn, so of four attempts at least one meets the broken one first.
        toReviews("either", [brokenPort, healthyPort]),
        toReviews("lost", [inbound.port("losing"), healthyPort]),
        toReviews("impostor", [healthyPort], "spiffe://cluster.local/ns/shop/sa/somebody-else"),
      ],
    ),
  );
});

after(async () => {
  await outbound?.[Symbol.asyncDispose]();
  await inbound?.[Symbol.asyncDispose]();
  await app?.close();
  await raw?.[Symbol.asyncDispose]();
  losing?.close();
  await rm(folder, { recursive: true, force: true });
});

async function ask(request: string, body = ""): Promise<{ head: string; body: string }> {
  const client = await connectRaw(outbound.port("outbound"));
  try {
    await client.send(
      `${request} HTTP/1.1\r\nhost: reviews\r\nconnection: close\r\n${body === "" ? "" : `content-length: ${body.length}\r\n`}\r\n${body}`,
    );
    return await client.response();
  } finally {
    client.socket.destroy();
  }
}

test("a request crosses two proxies over mutual TLS and the application sees who asked", async () => {
  const { head, body } = await ask("GET /hello");
  assert.match(head, /^HTTP\/1\.1 200 /);
  const headers = new Map((JSON.parse(body) as EchoedRequest).rawHeaders);
  assert.match(headers.get("x-forwarded-client-cert") ?? "", new RegExp(`URI=${webUri}`));
  assert.ok(!headers.has("baggage"), "what proxies tell each other stays between them");
});

/** A worker tells of a series that is new to it in a message, which may come after the request has been balanced. */
async function untilCounted(
  proxy: TestProxy,
  labels: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<void> {
  while (proxy.generation.metrics.total("istio_requests_total", labels) === 0 && !signal.aborted) await delay(5);
}

test("Istio's metrics name both ends, on both sides", { timeout: 10_000 }, async ({ signal }) => {
  await ask("GET /metrics");
  const names = {
    source_workload: "web-v1",
    source_app: "web",
    source_version: "v1",
    source_workload_namespace: "shop",
    source_canonical_service: "web",
    source_canonical_revision: "v1",
    source_cluster: "Kubernetes",
  };
  await untilCounted(
    inbound,
    {
      ...names,
      reporter: "destination",
      source_principal: webUri,
      destination_principal: reviewsUri,
      destination_workload: "reviews-v1",
      destination_service: "reviews.shop.svc.cluster.local",
      connection_security_policy: "mutual_tls",
      response_code: "200",
    },
    signal,
  );
  await untilCounted(
    outbound,
    {
      ...names,
      reporter: "source",
      source_principal: webUri,
      destination_principal: reviewsUri,
      response_code: "200",
    },
    signal,
  );
  assert.match(await inbound.admin("/stats/prometheus"), /istio_requests_total\{reporter="destination"/);
});

test("what a caller without a certificate says of itself is not believed, and does not reach the application", {
  timeout: 10_000,
}, async ({ signal }) => {
  const baggage = "k8s.deployment.name=admin,k8s.namespace.name=shop,user=alice";
  const response = await fetch(`http://127.0.0.1:${inbound.port("open")}/`, { headers: { baggage } });
  const { rawHeaders } = (await response.json()) as EchoedRequest;
  assert.equal(new Map(rawHeaders).get("baggage"), "user=alice");
  const labels = { reporter: "destination", connection_security_policy: "none" };
  await untilCounted(inbound, { ...labels, source_workload: "unknown" }, signal);
  assert.equal(inbound.generation.metrics.total("istio_requests_total", { ...labels, source_workload: "admin" }), 0);
});

test("a request that policy refuses is denied by name, in the answer and in the log", async () => {
  const { head, body } = await ask("DELETE /x");
  assert.match(head, /^HTTP\/1\.1 403 Forbidden/);
  assert.equal(body, "RBAC: access denied");
  assert.doesNotMatch(head, /heddle-unprocessed/);
  await untilLogged(join(folder, "inbound.log"), `403 - rbac_access_denied_matched_policy[none] ${webUri} TLSv1.3 /x`);
});

test("a POST that one inbound proxy could not give to its application goes to another endpoint", async () => {
  const before = app.requests;
  for (let i = 0; i < 4; i++) {
    const { head, body } = await ask("POST /either", "once");
    assert.match(head, /^HTTP\/1\.1 200 /);
    assert.equal((JSON.parse(body) as EchoedRequest).body, "once");
  }
  assert.equal(app.requests, before + 4, "the application saw each exactly once");
});

test("a request whose application died before it answered is tried elsewhere where the policy retries resets", async () => {
  const before = requestsLost;
  for (let i = 0; i < 4; i++) assert.match((await ask("GET /lost")).head, /^HTTP\/1\.1 200 /);
  assert.ok(requestsLost > before, "one of them met the application that dies");
});

test("without another endpoint the client gets the error and not what proxies say to each other", async () => {
  const { head } = await ask("POST /broken", "x");
  assert.match(head, /^HTTP\/1\.1 503 /);
  assert.doesNotMatch(head, /heddle-unprocessed/);
});

test("an application cannot say that it has not seen a request", async () => {
  const asked = ask("GET /raw");
  const peer = await raw.next();
  assert.doesNotMatch(await peer.until("\r\n\r\n"), /heddle-unprocessed/);
  await peer.send(
    "HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nheddle-unprocessed: 1\r\ncontent-length: 0\r\n\r\n",
  );
  const { head } = await asked;
  assert.match(head, /^HTTP\/1\.1 503 /);
  assert.doesNotMatch(head, /heddle-unprocessed/);
});

test("an endpoint with another identity than expected gets nothing", async () => {
  const before = app.requests;
  const { head, body } = await ask("GET /impostor");
  assert.match(head, /^HTTP\/1\.1 503 /);
  assert.match(body, /TLS error/);
  assert.equal(app.requests, before);
  await untilLogged(join(folder, "outbound.log"), "503 UF - TLS_error:");
});

test("a client without a certificate, or in plaintext, is not served", async () => {
  const port = inbound.port("healthy");
  const plain = await connectRaw(port);
  await plain.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
  assert.doesNotMatch(await plain.untilEnd(), /HTTP\//);
  plain.socket.destroy();
  const outcome = await new Promise<string>((resolve) => {
    const socket = connectTls({ port, host: "127.0.0.1", rejectUnauthorized: false });
    socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    socket.on("data", (chunk) => resolve(chunk.toString()));
    socket.on("close", () => resolve("closed"));
    socket.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
  });
  assert.doesNotMatch(outcome, /HTTP\//);
});

test("secrets are redacted wherever configuration is shown", async () => {
  const dump = await inbound.admin("/config_dump?include_eds");
  assert.match(dump, /"\[redacted\]"/);
  assert.doesNotMatch(dump, /PRIVATE KEY/);
  assert.match(dump, /virtual_hosts/);
});

test("the log says which identity the endpoint was shown, and none where it was shown none", async (t) => {
  const open = new AsyncDisposableStack();
  t.after(() => open.disposeAsync());
  const direct = { match: { prefix: "/" }, direct_response: { status: 200 } };
  const transportSocket = serverTls(reviews, { require_client_certificate: false });
  const server = open.use(
    await TestProxy.start(bootstrap([httpListener({ name: "in", transportSocket, routes: [direct] })], [])),
  );
  const ofFilesUri = "spiffe://cluster.local/ns/shop/sa/of-files";
  const ofFiles = clientTls({ ...(await ca.issue(ofFilesUri)), anchorsPem: ca.certificatePem }, reviewsUri);
  const anonymous = structuredClone(ofFiles) as { typed_config: { common_tls_context: Record<string, unknown> } };
  delete anonymous.typed_config.common_tls_context["tls_certificates"];
  const to = (name: string, transport_socket: object) => cluster(name, [server.port("in")], { transport_socket });
  const log = join(folder, "shown.log");
  const listener = httpListener({
    name: "out",
    direction: "OUTBOUND",
    routes: [route("/files", "files"), route("/anonymous", "anonymous")],
    filters: [peerMetadata("web", "OUTBOUND", webUri)],
    manager: accessLog(log, "%REQ(:PATH)% %RESPONSE_CODE% %UPSTREAM_LOCAL_URI_SAN% %UPSTREAM_PEER_URI_SAN%"),
  });
  const client = open.use(
    await TestProxy.start(bootstrap([listener], [to("files", ofFiles), to("anonymous", anonymous)])),
  );
  for (const path of ["/files", "/anonymous"]) await fetch(`http://127.0.0.1:${client.port("out")}${path}`);
  await untilLogged(log, `/files 200 ${ofFilesUri} ${reviewsUri}\n/anonymous 200 - ${reviewsUri}\n`);
});
