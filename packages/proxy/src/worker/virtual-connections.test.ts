import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test, type TestContext } from "node:test";
import { type EchoedRequest, type EchoServer, freePort, startEchoServer, ThrowawayCa } from "@heddle/testkit";
import {
  bootstrap,
  clientTls,
  cluster,
  httpListener,
  route,
  serverTls,
  type TlsMaterial,
} from "../testing/bootstrap-json.ts";
import { carriedCluster, type CarriedEndpoint, carrierListeners, chainsOf } from "../testing/carrier-json.ts";
import { untilLogged } from "../testing/log-file.ts";
import { accessLog, peerMetadata, standardMetrics } from "../testing/mesh-json.ts";
import { TestProxy } from "../testing/test-proxy.ts";

// HTTP on connections inside carriers, beside the same on connections by themselves: nobody who counts, judges, logs or retries sees a difference.

type Json = Record<string, unknown>;

const webUri = "spiffe://cluster.local/ns/shop/sa/web";
const appUri = "spiffe://cluster.local/ns/shop/sa/app";
const serverName = "outbound_.8080_._.app.shop.svc.cluster.local";
const ways = ["own", "virtual"] as const;
type Way = (typeof ways)[number];

let folder: string;
let web: TlsMaterial;
let server: TlsMaterial;
let app: EchoServer;
let inbound: TestProxy;
let outbound: TestProxy;
let doors: Readonly<Record<Way, Door>>;
/** Whom `/held` has to wait for. */
let held: { readonly isBegun: Promise<void>; readonly begin: () => void; readonly release: () => void };

/** Passes on to a port what comes, until everything is cut. */
class Door implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(port: number) {
    this.#server = createServer((client) => {
      const onward = connect(port, "127.0.0.1");
      client.pipe(onward).pipe(client);
      for (const socket of [client, onward]) {
        this.#sockets.add(socket);
        socket.on("error", () => socket.destroy());
        socket.on("close", () => this.#sockets.delete(socket));
      }
    });
  }

  async listen(): Promise<this> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return this;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    this.cut();
  }
}

/** What every request meets, whichever way it comes: who may do what, figures, and a line in the log. */
function served(log: string): Json {
  const onlyWeb = {
    name: "rbac",
    typed_config: {
      "@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
      rules: {
        action: "ALLOW",
        policies: {
          web: {
            permissions: [
              {
                and_rules: {
                  rules: [
                    { requested_server_name: { exact: serverName } },
                    { not_rule: { url_path: { path: { prefix: "/closed" } } } },
                  ],
                },
              },
            ],
            principals: [
              {
                and_ids: {
                  ids: [
                    { authenticated: { principal_name: { exact: webUri } } },
                    { direct_remote_ip: { address_prefix: "127.0.0.1", prefix_len: 32 } },
                  ],
                },
              },
            ],
          },
        },
      },
    },
  };
  return {
    direction: "INBOUND",
    routes: [route("/unreachable", "nowhere"), route("/", "app")],
    filters: [peerMetadata("app", "INBOUND", appUri), standardMetrics("DESTINATION"), onlyWeb],
    manager: {
      forward_client_cert_details: "APPEND_FORWARD",
      set_current_client_cert_details: { uri: true },
      ...accessLog(
        join(folder, `${log}.log`),
        "%REQ(:PATH)% %RESPONSE_CODE% %RESPONSE_CODE_DETAILS% %PROTOCOL% %DOWNSTREAM_PEER_URI_SAN% %DOWNSTREAM_LOCAL_URI_SAN% " +
          "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT% %REQUESTED_SERVER_NAME% %DOWNSTREAM_TLS_VERSION%",
      ),
    },
  };
}

function startInbound(): Promise<TestProxy> {
  const refusals = accessLog(join(folder, "tunnel.log"), "%REQ(:METHOD)% %REQ(:AUTHORITY)% %RESPONSE_CODE%");
  const [entry] = refusals["access_log"] as Json[];
  const refused = {
    status_code_filter: { comparison: { op: "GE", value: { default_value: 400, runtime_key: "unused" } } },
  };
  return TestProxy.start(
    bootstrap(
      [
        httpListener({
          name: "own",
          ...served("own"),
          transportSocket: serverTls(server, {}, ["istio-http/1.1"]),
        } as Parameters<typeof httpListener>[0]),
        ...carrierListeners({
          filterChains: chainsOf(
            httpListener({ name: "inside", ...served("virtual") } as Parameters<typeof httpListener>[0]),
          ).map((chain) => ({ ...chain, filter_chain_match: { destination_port: 8080 } })),
          transportSocket: serverTls(server, {}, ["h2"]),
          filters: [peerMetadata("app", "INBOUND", appUri)],
          manager: { access_log: [{ ...entry, filter: refused }] },
        }),
      ],
      [
        cluster("app", [app.port], {
          metadata: {
            filter_metadata: {
              istio: { services: [{ host: "app.shop.svc.cluster.local", name: "app", namespace: "shop" }] },
            },
          },
        }),
        cluster("nowhere", [1]),
      ],
    ),
  );
}

function named(socket: Json): Json {
  const config = socket["typed_config"] as Json;
  return { ...socket, typed_config: { ...config, sni: serverName } };
}

/** Endpoints that are reached by connections by themselves alone, or inside carriers alone. */
function reached(
  way: Way,
  destination: string,
  endpoints: readonly CarriedEndpoint[],
  uri = appUri,
  authority = "127.0.0.1:8080",
): Json {
  const name = `${way}-${destination}`;
  const transport_socket = named(clientTls(web, uri, ["istio-http/1.1"]));
  if (way === "own")
    return cluster(
      name,
      endpoints.map(({ own }) => own),
      { transport_socket },
    );
  const carrierSocket = named(clientTls(web, uri, ["h2"]));
  return carriedCluster({ name, endpoints, carrierSocket, authority, more: { transport_socket } });
}

/** A way to each of some destinations, by the first segment of the path. */
function startOutbound(clusters: (way: Way) => readonly Json[]): Promise<TestProxy> {
  const retry = (on: string): Json => ({
    retry_policy: { retry_on: on, num_retries: 3, retry_back_off: { base_interval: "0.001s" } },
  });
  return TestProxy.start(
    bootstrap(
      ways.map((way) =>
        httpListener({
          name: way,
          direction: "OUTBOUND",
          routes: [
            route("/either", `${way}-either`, retry("connect-failure,refused-stream")),
            route("/again", `${way}-live`, retry("reset")),
            ...["dead", "impostor", "elsewhere"].map((name) => route(`/${name}`, `${way}-${name}`)),
            route("/", `${way}-live`),
          ],
          filters: [peerMetadata("web", "OUTBOUND", webUri), standardMetrics("SOURCE")],
          manager: accessLog(
            join(folder, `out-${way}.log`),
            "%REQ(:PATH)% %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %UPSTREAM_PEER_URI_SAN%",
          ),
        }),
      ),
      ways.flatMap((way) => clusters(way)),
    ),
  );
}

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "heddle-virtual-"));
  const ca = await ThrowawayCa.create();
  web = { ...(await ca.issue(webUri)), anchorsPem: ca.certificatePem };
  server = { ...(await ca.issue(appUri)), anchorsPem: ca.certificatePem };
  app = await startEchoServer({
    respond: (request, response) => {
      if (!request.url?.includes("held")) return false;
      held.begin();
      void heldBack.then(() => response.end("held"));
      return true;
    },
  });
  hold();
  inbound = await startInbound();
  doors = {
    own: await new Door(inbound.port("own")).listen(),
    virtual: await new Door(inbound.port("carriers")).listen(),
  };
  const live = { own: doors.own.port, carriers: doors.virtual.port };
  const closed = await freePort();
  const dead = { own: closed, carriers: closed };
  outbound = await startOutbound((way) => [
    reached(way, "live", [live]),
    reached(way, "dead", [dead]),
    reached(way, "either", [dead, live]),
    reached(way, "impostor", [live], "spiffe://cluster.local/ns/shop/sa/somebody-else"),
    reached(way, "elsewhere", [live], appUri, "127.0.0.1:9999"),
  ]);
});

after(async () => {
  await outbound?.[Symbol.asyncDispose]();
  for (const way of ways) await doors?.[way][Symbol.asyncDispose]();
  await inbound?.[Symbol.asyncDispose]();
  await app?.close();
  await rm(folder, { recursive: true, force: true });
});

/** Two proxies of a test's own, whose ends are what it is about. */
async function startPair(t: TestContext, httpOptions?: Json): Promise<{ server: TestProxy; client: TestProxy }> {
  const open = new AsyncDisposableStack();
  t.after(() => open.disposeAsync());
  const proxy = open.use(await startInbound());
  const place = { own: proxy.port("own"), carriers: proxy.port("carriers") };
  const client = await startOutbound((way) => [
    withOptions(reached(way, "live", [place]), httpOptions),
    ...["dead", "either", "impostor"].map((name) => reached(way, name, [place])),
    reached(way, "elsewhere", [place], appUri, "127.0.0.1:9999"),
  ]);
  open.use(client);
  return { server: proxy, client };
}

/** With Envoy's `HttpProtocolOptions` beside what the cluster says of carriers. */
function withOptions(made: Json, options: Json | undefined): Json {
  if (options === undefined) return made;
  const name = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
  return {
    ...made,
    typed_extension_protocol_options: {
      ...(made["typed_extension_protocol_options"] as Json | undefined),
      [name]: {
        "@type": `type.googleapis.com/${name}`,
        explicit_http_config: { http_protocol_options: {} },
        ...options,
      },
    },
  };
}

let heldBack: Promise<void>;
/** From now on `/held` waits until it is released. */
function hold(): void {
  let begin: () => void = () => {};
  let release: () => void = () => {};
  const isBegun = new Promise<void>((resolve) => (begin = resolve));
  heldBack = new Promise<void>((resolve) => (release = resolve));
  held = { isBegun, begin, release };
}

function ask(way: Way, path: string, init: RequestInit = {}, proxy = outbound): Promise<Response> {
  return fetch(`http://127.0.0.1:${proxy.port(way)}${path}`, init);
}

/** The line of this path. */
async function lineOf(log: string, path: string): Promise<string> {
  await untilLogged(join(folder, `${log}.log`), `${path} `);
  const lines = (await readFile(join(folder, `${log}.log`), "utf8")).split("\n");
  return lines.filter((line) => line.startsWith(`${path} `)).join("\n");
}

/** Istio's figure of requests, whose first count a worker tells in a message. */
async function untilCounted(proxy: TestProxy, labels: Readonly<Record<string, string>>, count: number): Promise<void> {
  const giveUpAt = performance.now() + 10_000;
  for (;;) {
    const found = proxy.generation.metrics.total("istio_requests_total", labels);
    if (found === count) return;
    assert.ok(performance.now() < giveUpAt, `${found} requests, not ${count}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test("policy, the log and the application know of a request inside a carrier what they know of any", async () => {
  const seen = [];
  for (const way of ways) {
    const open = await ask(way, "/open");
    const { rawHeaders } = (await open.json()) as EchoedRequest;
    const denied = await ask(way, "/closed");
    seen.push({
      open: open.status,
      certificate: new Map(rawHeaders).get("x-forwarded-client-cert"),
      denied: [denied.status, await denied.text()],
      lines: [await lineOf(way, "/open"), await lineOf(way, "/closed")],
      clients: [await lineOf(`out-${way}`, "/open"), await lineOf(`out-${way}`, "/closed")],
    });
  }
  const [own, virtual] = seen;
  assert.deepEqual(virtual, own);
  assert.match(own?.certificate ?? "", new RegExp(`^By=${appUri};Hash=[0-9a-f]{64};URI=${webUri}$`));
  assert.deepEqual([own?.open, own?.denied], [200, [403, "RBAC: access denied"]]);
  assert.deepEqual(own?.lines, [
    `/open 200 via_upstream HTTP/1.1 ${webUri} ${appUri} 127.0.0.1 ${serverName} TLSv1.3`,
    `/closed 403 rbac_access_denied_matched_policy[none] HTTP/1.1 ${webUri} ${appUri} 127.0.0.1 ${serverName} TLSv1.3`,
  ]);
});

test("each request is counted once on either side, and CONNECT neither counts nor has a line unless it is refused", async (t) => {
  const { server: counting, client } = await startPair(t);
  const count = 12;
  const answers = await Promise.all(
    Array.from({ length: count }, (_, index) => ask("virtual", `/counted/${index}`, {}, client)),
  );
  for (const answer of answers) assert.equal(((await answer.json()) as EchoedRequest).method, "GET");
  for (const [proxy, reporter] of [
    [client, "source"],
    [counting, "destination"],
  ] as const) {
    const names = { source_principal: webUri, destination_principal: appUri, connection_security_policy: "mutual_tls" };
    await untilCounted(proxy, { reporter, response_code: "200", ...(reporter === "source" ? {} : names) }, count);
    await untilCounted(proxy, { reporter }, count);
  }
  for (let index = 0; index < count; index += 1) {
    assert.match(await lineOf("virtual", `/counted/${index}`), /^[^\n]+ 200 via_upstream [^\n]+$/);
  }
  const connects = counting.generation.metrics.total("envoy_http_downstream_cx_upgrades_total", {
    envoy_http_conn_manager_prefix: "carriers",
  });
  assert.ok(connects > 0);
  assert.equal((await ask("virtual", "/elsewhere", {}, client)).status, 503);
  await untilLogged(join(folder, "tunnel.log"), "\n");
  assert.equal(await readFile(join(folder, "tunnel.log"), "utf8"), "CONNECT 127.0.0.1:9999 404\n");
  await untilCounted(counting, { reporter: "destination" }, count);
});

test("a carrier that cannot be made, or whose server is another, is flagged like a connection that cannot", async () => {
  for (const path of ["/dead", "/impostor"]) {
    const [own, virtual] = await Promise.all(
      ways.map(async (way) => {
        const answer = await ask(way, path, { method: "POST", body: "x" });
        return { status: answer.status, line: await lineOf(`out-${way}`, path) };
      }),
    );
    assert.equal(own?.status, 503);
    assert.match(own.line, / 503 UF /);
    assert.deepEqual(virtual, own);
  }
});

test("a request whose carrier cannot be made goes to another endpoint, whatever its method", async () => {
  for (const way of ways) {
    // Endpoints take turns, so that of four some meet the dead one first.
    for (let index = 0; index < 4; index += 1) {
      const answer = await ask(way, `/either/${index}`, { method: "POST", body: "once" });
      assert.equal(answer.status, 200);
      assert.equal(((await answer.json()) as EchoedRequest).body, "once");
    }
  }
});

test("a request that the server's proxy could not give to its application is told so inside a carrier, too", async () => {
  const [own, virtual] = await Promise.all(
    ways.map(async (way) => {
      const answer = await ask(way, "/unreachable", { method: "POST", body: "x" });
      return { status: answer.status, line: await lineOf(`out-${way}`, "/unreachable") };
    }),
  );
  assert.equal(own?.status, 503);
  assert.deepEqual(virtual, own);
});

test("a carrier that breaks ends what is in progress inside as a connection that breaks, and resets are tried again", async () => {
  for (const way of ways) {
    hold();
    const asked = ask(way, `/held/${way}`, { method: "POST", body: "x" });
    await held.isBegun;
    doors[way].cut();
    const answer = await asked;
    assert.equal(answer.status, 503);
    assert.match(await lineOf(`out-${way}`, `/held/${way}`), / 503 UC /);
    held.release();

    hold();
    const again = ask(way, `/again/held/${way}`);
    await held.isBegun;
    doors[way].cut();
    held.release();
    assert.equal((await again).status, 200);
  }
  await outbound.whenBalanced();
});

test("no request is lost where each connection inside a carrier serves but one, however many there are", async (t) => {
  const { server: serving, client } = await startPair(t, {
    common_http_protocol_options: { max_requests_per_connection: 1 },
  });
  // More than a server lets a client reset.
  let left = 1500;
  const statuses = new Map<number, number>();
  const loops = Array.from({ length: 16 }, async () => {
    while (left > 0) {
      left -= 1;
      const answer = await ask("virtual", "/one", { method: "POST", body: "x" }, client);
      await answer.arrayBuffer();
      statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
    }
  });
  await Promise.all(loops);
  assert.deepEqual([...statuses], [[200, 1500]]);
  const total = (version: number, listener: string): number =>
    serving.generation.metrics.total(`envoy_http_downstream_cx_http${version}_total`, {
      envoy_http_conn_manager_prefix: listener,
    });
  assert.deepEqual([total(2, "carriers"), total(1, "inside")], [1, 1500]);
});

test("a proxy that drains is done when what is in progress inside carriers is, and waits for nobody who is idle there", async (t) => {
  const { server: leaving, client } = await startPair(t);
  hold();
  const count = 10;
  const asked = Array.from({ length: count }, (_, index) =>
    ask("virtual", `/held/${index}`, { method: "POST", body: "x" }, client),
  );
  const begun = app.requestsBegun;
  while (app.requestsBegun < begun + count) await new Promise((resolve) => setImmediate(resolve));
  // Of these some stay idle.
  await Promise.all(Array.from({ length: count }, async () => (await ask("virtual", "/open", {}, client)).text()));
  const drained = leaving.generation.drain(3_600_000);
  held.release();
  for (const answer of await Promise.all(asked)) assert.deepEqual([answer.status, await answer.text()], [200, "held"]);
  await drained;
});
