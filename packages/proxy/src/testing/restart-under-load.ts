import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { CounterWatch } from "./counter-watch.ts";
import { childrenOf, listenerPort, ProxyProcess, temporaryFolder } from "./proxy-process.ts";
import { SteadyLoad } from "./steady-load.ts";

/** Generations start beside a load that takes all of the machine. */
const patienceMs = 100_000;

export interface RestartResult {
  readonly answered: Readonly<Record<string, number>>;
  /** What clients lost. */
  readonly failures: readonly string[];
  /** Counters that were smaller than before. */
  readonly stepsBack: readonly string[];
  /** How often the counters were read. */
  readonly reads: number;
  /** Requests of each HTTP listener, as its clients and as the counters of the last generation have it. */
  readonly requests: Readonly<Record<string, number>>;
  readonly counted: Readonly<Record<string, number | undefined>>;
}

/**
 * Restarts a proxy of two workers under load, one hand-over after the other; the load goes on until it has had at least this many answers.
 *
 * @param restarts a request and more is answered before, between and after them
 */
export async function restartUnderLoad(t: TestContext, restarts: number, atLeast: number): Promise<RestartResult> {
  const open = new AsyncDisposableStack();
  t.after(() => open.disposeAsync());
  const load = open.use(await SteadyLoad.prepare());
  const config = join(await temporaryFolder(t), "envoy.json");
  await writeFile(config, JSON.stringify(load.bootstrap()));
  const proxy = open.use(new ProxyProcess(["-c", config, "--concurrency", "2"], { patienceMs }));
  const admin = await proxy.ready();
  const [web, grpc, tcp] = await Promise.all(["web", "grpc", "tcp"].map((name) => listenerPort(admin, name)));
  const watch = new CounterWatch(admin);
  load.begin({ web: web!, grpc: grpc!, tcp: tcp! });
  const share = atLeast / (restarts + 1);
  for (let restart = 1; restart <= restarts; restart++) {
    await answers(load, share * restart);
    proxy.kill("SIGHUP");
    await proxy.ready(restart + 1);
  }
  await answers(load, atLeast);
  await load.stop();
  // Until the last word of each generation that drained is said.
  while ((await childrenOf(proxy.process.pid!)).length > 1) await pause();
  await watch.stop();
  const { failures, answered, requests } = load;
  const counted = Object.fromEntries(
    Object.keys(requests).map((name) => [
      name,
      watch.value(`envoy_http_downstream_rq_total{envoy_http_conn_manager_prefix="${name}"}`),
    ]),
  );
  return { failures, answered, stepsBack: watch.stepsBack, reads: watch.reads, requests, counted };
}

async function answers(load: SteadyLoad, count: number): Promise<void> {
  while (load.total < count && load.failures.length === 0) await pause();
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 20));
}
