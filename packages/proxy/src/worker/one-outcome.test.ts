import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { connectRaw } from "@heddle/testkit";
import fc from "fast-check";
import { bootstrap, cluster, httpListener, route } from "../testing/bootstrap-json.ts";
import { untilLogged } from "../testing/log-file.ts";
import { accessLog, peerMetadata, standardMetrics } from "../testing/mesh-json.ts";
import { TestProxy } from "../testing/test-proxy.ts";

// Whatever both sides do to a request, it is counted and logged once: the ledger, Istio's metrics and the access log agree with
// what the clients sent.

/** What the application does with a request, told by its path. */
const upstreamDeeds = ["answer", "close", "refuse", "reset", "half", "garbage", "silence", "early"] as const;
/** What the client does once the application has its request. */
const clientDeeds = ["read", "reset", "half-close", "leave-body"] as const;
/** How the proxy is told to treat it. */
const routes = ["plain", "retry", "hurry"] as const;

type UpstreamDeed = (typeof upstreamDeeds)[number];
type ClientDeed = (typeof clientDeeds)[number];

const answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";

let app: Server;
let proxy: TestProxy;
let folder: string;
/** Told for each request that reached the application, by its number. */
const seen = new Map<string, () => void>();
const sockets = new Set<Socket>();

function serve(socket: Socket): void {
  sockets.add(socket);
  socket.on("close", () => sockets.delete(socket));
  socket.on("error", () => socket.destroy());
  let received = "";
  socket.on("data", (bytes) => {
    received += bytes.toString("latin1");
    const [, deed, number] = /^\w+ \/\w+\/([\w-]+)\/(\d+) HTTP[^]*?\r\n\r\n/.exec(received) ?? [];
    if (deed === undefined || number === undefined) return;
    // Of a body no more is read than came with the head: what it is does not matter here.
    received = "";
    seen.get(number)?.();
    respond(socket, deed as UpstreamDeed);
  });
}

function respond(socket: Socket, deed: UpstreamDeed): void {
  switch (deed) {
    case "answer":
      socket.write(answer);
      break;
    case "close":
      socket.end(answer.replace("content-length", "connection: close\r\ncontent-length"));
      break;
    case "refuse":
      socket.write("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n");
      break;
    case "reset":
      socket.resetAndDestroy();
      break;
    case "half":
      socket.end(answer.replace("content-length: 2", "content-length: 9"));
      break;
    case "garbage":
      socket.end("not HTTP\r\n\r\n");
      break;
    case "early":
      socket.write(`HTTP/1.1 100 Continue\r\n\r\n${answer}`);
      break;
    case "silence":
      break;
  }
}

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "heddle-outcome-"));
  app = createServer(serve);
  await new Promise<void>((resolve) => app.listen(0, "127.0.0.1", resolve));
  const retry_policy = {
    retry_on: "5xx,reset",
    num_retries: 2,
    retry_back_off: { base_interval: "0.001s", max_interval: "0.002s" },
  };
  proxy = await TestProxy.start(
    bootstrap(
      [
        httpListener({
          name: "web",
          direction: "OUTBOUND",
          routes: [
            route("/retry", "app", { retry_policy, timeout: "0.1s" }),
            route("/hurry", "app", { timeout: "0.02s" }),
            route("/", "app", { timeout: "0.2s" }),
          ],
          filters: [peerMetadata("web", "OUTBOUND", ""), standardMetrics("SOURCE")],
          manager: accessLog(join(folder, "access.log"), "%REQ(:PATH)% %RESPONSE_FLAGS%"),
        }),
      ],
      [cluster("app", [(app.address() as AddressInfo).port])],
    ),
  );
});

after(async () => {
  await proxy?.[Symbol.asyncDispose]();
  for (const socket of sockets) socket.destroy();
  app?.close();
  await rm(folder, { recursive: true, force: true });
});

async function carryOut(path: string, number: string, deed: ClientDeed): Promise<void> {
  const arrived = new Promise<void>((resolve) => seen.set(number, resolve));
  const client = await connectRaw(proxy.port("web"));
  try {
    const body = deed === "leave-body" ? "content-length: 9\r\n\r\nhalf" : "content-length: 4\r\n\r\nbody";
    await client.send(`PUT ${path} HTTP/1.1\r\nhost: app\r\n${body}`);
    // The proxy may have run out of time before the application saw anything of it.
    await Promise.race([arrived, once(client.socket, "data"), once(client.socket, "close")]);
    if (deed === "reset" || deed === "leave-body") client.reset();
    else if (deed === "half-close") client.end();
    // A break in the middle of an answer closes the connection; everything else is an answer.
    if (deed === "read") {
      await client.until("HTTP/1.1 ");
      client.end();
    }
    if (deed === "half-close") await client.untilEnd();
  } finally {
    client.socket.destroy();
    seen.delete(number);
  }
}

const pathOf = (line: string): string => line.split(" ")[0] ?? "";

async function logged(): Promise<string[]> {
  const text = await readFile(join(folder, "access.log"), "utf8").catch(() => "");
  return text.split("\n").filter((line) => line !== "");
}

test("a client that goes away before its answer is logged as such", async () => {
  await carryOut("/away/silence/0", "0", "reset");
  await proxy.whenBalanced();
  await untilLogged(join(folder, "access.log"), "/away/silence/0 DC");
});

test("whatever both sides do, each request is counted and logged once", { timeout: 120_000 }, async () => {
  const before = proxy.ledger();
  let sent = before.started;
  const paths = (await logged()).map(pathOf);
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({
          route: fc.constantFrom(...routes),
          upstream: fc.constantFrom(...upstreamDeeds),
          client: fc.constantFrom(...clientDeeds),
        }),
        { minLength: 1, maxLength: 16 },
      ),
      async (plan) => {
        await Promise.all(
          plan.map(async ({ route: name, upstream, client }) => {
            const number = String(++sent);
            const path = `/${name}/${upstream}/${number}`;
            paths.push(path);
            await carryOut(path, number, client);
          }),
        );
        await proxy.whenBalanced();
        const { started, ended } = proxy.ledger();
        assert.deepEqual({ started, ended }, { started: sent, ended: sent });
        assert.equal(proxy.generation.metrics.total("envoy_http_downstream_rq_active"), 0);
      },
    ),
    { numRuns: 40 },
  );

  // Istio's metrics and the log are told by the worker a moment after the ledger.
  const { generation } = proxy;
  const giveUpAt = performance.now() + 10_000;
  while (
    (generation.metrics.total("istio_requests_total") < sent || (await logged()).length < sent) &&
    performance.now() < giveUpAt
  )
    await new Promise((resolve) => setTimeout(resolve, 10));
  assert.equal(generation.metrics.total("istio_requests_total"), sent);
  assert.deepEqual((await logged()).map(pathOf).sort(), paths.sort());
});
