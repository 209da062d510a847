import { httpCall } from "../local-mesh/admin-client.ts";
import type { MeshRunner } from "../local-mesh/mesh-runner.ts";
import { readSamples } from "./prometheus-text.ts";
import type { ServiceFigures, ServiceTotals } from "./service-figures.ts";
import { addSamples, durationMetric, emptyTotals, figuresBetween, requestsMetric } from "./service-figures.ts";

interface Sum {
  readonly atMs: number;
  readonly totals: ReadonlyMap<string, ServiceTotals>;
}

const windowMs = 10_000;
const scrapeLimitMs = 1000;

/** The last ten seconds of every service, out of what the proxies count. */
export class TrafficWindow {
  readonly #runner: MeshRunner;
  readonly #sums: Sum[] = [];

  constructor(runner: MeshRunner) {
    this.#runner = runner;
  }

  /** Asks every proxy, and says what changed in the window. Empty the first time. */
  async look(): Promise<ServiceFigures[]> {
    const now: Sum = { atMs: performance.now(), totals: await this.#sum() };
    this.#sums.push(now);
    while (this.#sums.length > 2 && now.atMs - (this.#sums[1] as Sum).atMs >= windowMs) this.#sums.shift();
    const [first] = this.#sums;
    if (first === undefined || first === now) return [];
    const seconds = (now.atMs - first.atMs) / 1000;
    return [...now.totals]
      .map(([service, totals]) => figuresBetween(service, first.totals.get(service) ?? emptyTotals(), totals, seconds))
      .sort((a, b) => a.service.localeCompare(b.service));
  }

  async #sum(): Promise<Map<string, ServiceTotals>> {
    const totals = new Map<string, ServiceTotals>();
    const scrapes = [...this.#runner.replicas.values()].map(async ({ sidecar }) => {
      const address = await sidecar.adminAddress();
      if (address === undefined) return;
      const { text } = await httpCall(address, "GET", "/stats/prometheus", { timeoutMs: scrapeLimitMs });
      addSamples(
        totals,
        readSamples(text, (name) => name === requestsMetric || name === durationMetric),
      );
    });
    // A proxy that is being started again is missing for a moment.
    await Promise.allSettled(scrapes);
    return totals;
  }
}
