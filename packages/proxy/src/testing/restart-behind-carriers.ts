import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { startEchoServer, ThrowawayCa } from "@heddle/testkit";
import { bootstrap, clientTls, cluster, httpListener, route, serverTls } from "./bootstrap-json.ts";
import { carriedCluster, carrierListeners, chainsOf } from "./carrier-json.ts";
import { adminGet, childrenOf, listenerPort, ProxyProcess, temporaryFolder } from "./proxy-process.ts";
import { TestProxy } from "./test-proxy.ts";

const uri = "spiffe://cluster.local/ns/shop/sa/web";
/** Connections that are made inside, and what is used of them afterwards: the others are idle when the proxy is restarted. */
const connections = 30;
const requestsAtOnce = 8;

export interface CarriedResult {
  readonly answered: number;
  /** What clients got instead of an answer. */
  readonly failures: readonly string[];
  /** Requests that the application has read. */
  readonly served: number;
  /** The metrics of the last generation. */
  readonly metrics: string;
}

/**
 * Restarts a proxy, one hand-over after the other, while another proxy sends POSTs to it inside carriers without a break. The next one begins when the
 * generation before has drained, for which it has ten minutes: one that drains does so because nothing is left inside.
 *
 * @param answersBetween requests that are answered before, between and after the restarts
 */
export async function restartBehindCarriers(
  t: TestContext,
  restarts: number,
  answersBetween: number,
): Promise<CarriedResult> {
  const open = new AsyncDisposableStack();
  t.after(() => open.disposeAsync());
  const together: ServerResponse[] = [];
  const app = open.use(
    await startEchoServer({
      respond: (request, response) => {
        if (request.url !== "/together") return false;
        together.push(response);
        if (together.length === connections) for (const each of together) each.end();
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
  const times = ["--drain-time-s", "600", "--parent-shutdown-time-s", "600"];
  const proxy = open.use(new ProxyProcess(["-c", config, ...times], { patienceMs: 100_000 }));
  const admin = await proxy.ready();
  const endpoints = [{ own: 1, carriers: await listenerPort(admin, "carriers") }];
  const mesh = carriedCluster({ name: "mesh", endpoints, carrierSocket: clientTls(material, uri, ["h2"]) });
  const listener = httpListener({ name: "mesh", direction: "OUTBOUND", routes: [route("/", "mesh")] });
  const client = open.use(await TestProxy.start(bootstrap([listener], [mesh])));
  const url = `http://127.0.0.1:${client.port("mesh")}`;
  await Promise.all(Array.from({ length: connections }, async () => (await fetch(`${url}/together`)).arrayBuffer()));
  const load = { isOver: false, answered: 0, failures: [] as string[] };
  const loops = Array.from({ length: requestsAtOnce }, async () => {
    while (!load.isOver) {
      const answer = await fetch(`${url}/x`, { method: "POST", body: "x" });
      const text = await answer.text();
      if (answer.status === 200) load.answered += 1;
      else load.failures.push(`${answer.status} ${text}`);
    }
  });
  const answers = async (): Promise<void> => {
    const wanted = load.answered + answersBetween;
    while (load.answered < wanted && load.failures.length === 0) await pause();
  };
  for (let restart = 1; restart <= restarts; restart += 1) {
    await answers();
    proxy.kill("SIGHUP");
    await proxy.ready(restart + 1);
    while ((await childrenOf(proxy.process.pid!)).length > 1) await pause();
  }
  await answers();
  load.isOver = true;
  await Promise.all(loops);
  const { answered, failures } = load;
  assert.equal(together.length, connections);
  return {
    answered,
    failures,
    served: app.requests - together.length,
    metrics: await adminGet(admin, "/stats/prometheus"),
  };
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 20));
}
