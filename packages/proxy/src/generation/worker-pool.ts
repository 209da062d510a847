import type { Logger, LogLevel, RandomSource } from "@heddle/core";
import { secretToTransfer } from "@heddle/engine/config";
import type { MetricReader } from "@heddle/telemetry";
import { RestartBackOff } from "../supervisor/back-off.ts";
import type { ClusterView } from "../worker/cluster-views.ts";
import type { ListenerSocket } from "../worker/messages.ts";
import type { ActiveChange } from "./active-configuration.ts";
import { WorkerHandle } from "./worker-handle.ts";

export interface WorkerPoolOptions {
  readonly count: number;
  readonly metrics: MetricReader;
  readonly logger: Logger;
  readonly random: RandomSource;
  readonly logLevel: () => LogLevel;
  /** Everything that a worker needs which starts now. */
  readonly everything: () => { readonly change: ActiveChange; readonly sockets: readonly ListenerSocket[] };
}

interface Slot {
  readonly index: number;
  readonly backOff: RestartBackOff;
  worker: WorkerHandle | undefined;
  startedAt: number;
  restartTimer: NodeJS.Timeout | undefined;
}

/** The traffic workers: configured together, and each replaced when it crashes or stalls. */
export class WorkerPool {
  readonly #options: WorkerPoolOptions;
  readonly #slots: Slot[];
  #isStopping = false;

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
    this.#slots = Array.from({ length: options.count }, (_, index) => ({
      index,
      backOff: new RestartBackOff(options.random),
      worker: undefined,
      startedAt: 0,
      restartTimer: undefined,
    }));
  }

  /** Starts all workers with what there is to serve now; resolves with the first problem when all serve. */
  async start(): Promise<string | undefined> {
    return firstProblem(await Promise.all(this.#slots.map((slot) => this.#startWorker(slot))));
  }

  /** Resolves when every worker serves the change. */
  async configure(change: ActiveChange, sockets: readonly ListenerSocket[]): Promise<string | undefined> {
    const configuration = toTransfer(change, sockets);
    return firstProblem(await Promise.all(this.#workers.map((worker) => worker.configure(configuration))));
  }

  /** Clusters as all workers together see them. */
  async describe(): Promise<readonly ClusterView[]> {
    return mergeViews(await Promise.all(this.#workers.map((worker) => worker.describe())));
  }

  setLogLevel(level: LogLevel): void {
    for (const worker of this.#workers) worker.setLogLevel(level);
  }

  /** Resolves when no connection is left. */
  async drain(): Promise<void> {
    this.#isStopping = true;
    for (const slot of this.#slots) clearTimeout(slot.restartTimer);
    await Promise.all(this.#workers.map((worker) => worker.drain()));
  }

  async close(): Promise<void> {
    this.#isStopping = true;
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }

  get #workers(): WorkerHandle[] {
    return this.#slots.flatMap(({ worker }) => worker ?? []);
  }

  #startWorker(slot: Slot): Promise<string | undefined> {
    const { logger, metrics, logLevel, everything } = this.#options;
    slot.startedAt = performance.now();
    const worker = new WorkerHandle(slot.index, logger, logLevel(), {
      onSeries: (announcements) => announcements.forEach((announcement) => metrics.add(announcement)),
      onGone: (reason) => this.#onGone(slot, reason),
    });
    slot.worker = worker;
    const { change, sockets } = everything();
    return worker.configure(toTransfer(change, sockets));
  }

  #onGone(slot: Slot, reason: string): void {
    slot.worker = undefined;
    if (this.#isStopping) return;
    const delayMs = slot.backOff.nextDelayMs(performance.now() - slot.startedAt);
    this.#options.logger.error("a traffic worker is gone and is started again", {
      worker: slot.index,
      reason,
      delayMs: Math.round(delayMs),
    });
    slot.restartTimer = setTimeout(() => void this.#startWorker(slot), delayMs);
  }
}

function toTransfer(
  change: ActiveChange,
  sockets: readonly ListenerSocket[],
): Parameters<WorkerHandle["configure"]>[0] {
  return {
    delta: change.delta,
    secrets: {
      set: change.secrets.set.map(({ source, secret }) => ({ source, secret: secretToTransfer(secret) })),
      remove: change.secrets.remove,
    },
    sockets,
  };
}

function firstProblem(problems: readonly (string | undefined)[]): string | undefined {
  return problems.find((problem) => problem !== undefined);
}

/** Adds up what several workers say of the same endpoints. */
function mergeViews(views: readonly (readonly ClusterView[])[]): readonly ClusterView[] {
  const merged = new Map<string, ClusterView>();
  for (const view of views.flat()) {
    const known = merged.get(view.name);
    if (known === undefined) {
      merged.set(view.name, view);
      continue;
    }
    const endpoints = known.endpoints.map((endpoint) => {
      const other = view.endpoints.find((candidate) => candidate.address === endpoint.address);
      if (other === undefined) return endpoint;
      const stats = Object.fromEntries(
        Object.entries(endpoint.stats).map(([name, value]) => [name, value + (other.stats[name] ?? 0)]),
      );
      return { ...endpoint, stats };
    });
    merged.set(view.name, { ...known, endpoints });
  }
  return [...merged.values()];
}
