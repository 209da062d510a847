import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import { startEchoServer, ThrowawayCa } from "@heddle/testkit";
import { bootstrap, clientTls, cluster, httpListener, route, serverTls } from "../testing/bootstrap-json.ts";
import { carriedCluster, carrierListeners, chainsOf } from "../testing/carrier-json.ts";
import { adminGet, childrenOf, listenerPort, ProxyProcess, temporaryFolder } from "../testing/proxy-process.ts";
import { TestProxy } from "../testing/test-proxy.ts";

const uri = "spiffe://cluster.local/ns/shop/sa/web";

test("no request that rides in carriers is lost while the proxy behind them is restarted, though none may be sent twice", async (t) => {
  const open = new AsyncDisposableStack();
  t.after(() => open.disposeAsync());
  // As many at once as connections that are wanted inside.
  const together: ServerResponse[] = [];
  const app = open.use(
    await startEchoServer({
      respond: (request, response) => {
        if (request.url !== "/together") return false;
        together.push(response);
        if (together.length === 30) for (const each of together) each.end();
        return true;
      },
    }),
  );
  const ca = await ThrowawayCa.create();
  const material = { ...(await ca.issue(uri)), anchorsPem: ca.certificatePem };
  const config = join(await temporaryFolder(t), "envoy.json");
  const carriers = carrierListeners({
    filterChains: chainsOf(httpListener({ name: "inside", routes: [route("/", "app")] })),
    transportSocket: serverTls(material, {}, ["h2"]),
  });
  await writeFile(config, JSON.stringify(bootstrap(carriers, [cluster("app", [app.port])])));
  // So long that a drain which ends does so because nothing is left.
  const times = ["--drain-time-s", "600", "--parent-shutdown-time-s", "600"];
  const proxy = open.use(new ProxyProcess(["-c", config, ...times], { patienceMs: 100_000 }));
  const admin = await proxy.ready();
  const port = await listenerPort(admin, "carriers");
  const client = open.use(
    await TestProxy.start(
      bootstrap(
        [httpListener({ name: "mesh", direction: "OUTBOUND", routes: [route("/", "mesh")] })],
        [
          carriedCluster({
            name: "mesh",
            endpoints: [{ own: 1, carriers: port }],
            carrierSocket: clientTls(material, uri, ["h2"]),
          }),
        ],
      ),
    ),
  );
  const url = `http://127.0.0.1:${client.port("mesh")}`;
  // More than are used afterwards: the others are idle when the proxy behind the carrier is restarted.
  await Promise.all(Array.from({ length: 30 }, async () => (await fetch(`${url}/together`)).arrayBuffer()));
  const load = { isOver: false, answered: 0, failures: [] as string[] };
  const loops = Array.from({ length: 8 }, async () => {
    while (!load.isOver) {
      const answer = await fetch(`${url}/x`, { method: "POST", body: "x" });
      const text = await answer.text();
      if (answer.status === 200) load.answered += 1;
      else load.failures.push(`${answer.status} ${text}`);
    }
  });
  const answers = async (count: number): Promise<void> => {
    const wanted = load.answered + count;
    while (load.answered < wanted && load.failures.length === 0) await pause();
  };
  await answers(100);
  proxy.kill("SIGHUP");
  await proxy.ready(2);
  // Until the one before has drained, so that all carriers have moved.
  while ((await childrenOf(proxy.process.pid!)).length > 1) await pause();
  await answers(100);
  load.isOver = true;
  await Promise.all(loops);
  assert.deepEqual(load.failures, []);
  assert.equal(app.requests, together.length + load.answered, "the application saw each exactly once");
  assert.match(
    await adminGet(admin, "/stats/prometheus"),
    /envoy_http_downstream_cx_http2_total\{[^}]*"carriers"\} [1-9]/,
  );
});

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 20));
}
