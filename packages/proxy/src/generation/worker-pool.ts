import type { Readable } from "node:stream";
import { type Logger, type LogLevel, type RandomSource, RestartBackOff } from "@heddle/core";
import { secretToTransfer } from "@heddle/engine/config";
import type { CheckedHealth } from "@heddle/engine";
import { type BlockAnnouncement, type MetricAnnouncement, MetricReader } from "@heddle/telemetry";
import type { TapSetup } from "../tap/request-taps.ts";
import type { ClusterView } from "../worker/cluster-views.ts";
import type { ListenerSocket } from "../worker/messages.ts";
import { lostOutcome, requestsEnded, requestsStarted } from "../worker/ledger-names.ts";
import { createSessionSetup, type SessionSetup } from "../worker/shared-sessions.ts";
import { SharedLoad } from "../overload/shared-load.ts";
import { SharedQueues } from "../overload/shared-queues.ts";
import type { ActiveChange } from "./active-configuration.ts";
import { ClusterLimits } from "./cluster-limits.ts";
import { ConnectionLimits } from "./connection-limits.ts";
import { type WorkerEvents, WorkerHandle } from "./worker-handle.ts";

export interface WorkerPoolOptions {
  readonly count: number;
  readonly logger: Logger;
  readonly random: RandomSource;
  /** `--tls-key-log`. */
  readonly tlsKeyLogFile?: string | undefined;
  /** For tests: another module in the place of each worker. */
  readonly workerEntry?: URL | undefined;
}

/** Everything that a worker needs which starts now. */
export type Everything = () => { readonly change: ActiveChange; readonly sockets: readonly ListenerSocket[] };

/** Who gets what a tap shows. */
interface TapReceiver {
  readonly onLines: (lines: readonly string[]) => void;
  /** A worker is gone, and what it had to tell with it. */
  readonly onWorkerLost: () => void;
}

/** What is cut off at the end gets this long to read why. */
const cutMs = 500;

interface Slot {
  readonly index: number;
  readonly backOff: RestartBackOff;
  worker: WorkerHandle | undefined;
  /** Series of the worker that runs now. */
  series: MetricAnnouncement[];
  startedAt: number;
  restartTimer: NodeJS.Timeout | undefined;
}

/** The traffic workers: configured together, and each replaced when it crashes or stalls. */
export class WorkerPool {
  /** What the workers count, those that are gone included. */
  readonly metrics = new MetricReader();
  /** Resolves when every worker has been up once, or has failed to come up. */
  readonly started: Promise<unknown>;
  /** What the workers and the overload manager tell each other. */
  readonly load: SharedLoad;
  readonly #queues: SharedQueues;
  readonly #sessions: SessionSetup;
  readonly #limits: ConnectionLimits;
  readonly #clusterLimits: ClusterLimits;
  readonly #options: WorkerPoolOptions;
  readonly #slots: Slot[];
  #everything: Everything = () => ({ change: nothing, sockets: [] });
  #health: ReadonlyMap<string, CheckedHealth> = new Map();
  #announcesEnd = false;
  readonly #taps = new Map<number, TapReceiver & { readonly setup: TapSetup }>();
  #isStopping = false;

  /** Starts the threads: they load their code while this one reads configuration. */
  constructor(options: WorkerPoolOptions) {
    this.#options = options;
    this.load = SharedLoad.create(options.count);
    this.#queues = SharedQueues.create(options.count);
    this.#sessions = createSessionSetup(options.count);
    this.#limits = new ConnectionLimits(options.count);
    this.#clusterLimits = new ClusterLimits(options.count);
    this.#slots = Array.from({ length: options.count }, (_, index) => ({
      index,
      backOff: new RestartBackOff(options.random),
      worker: undefined,
      series: [],
      startedAt: 0,
      restartTimer: undefined,
    }));
    this.started = Promise.all(this.#slots.map((slot) => this.#startWorker(slot)));
  }

  /** A worker that has to be started again begins with what this gives. */
  serve(everything: Everything): void {
    this.#everything = everything;
  }

  /** Limits of connections that are not the default, by listener. */
  limitListeners(limits: ReadonlyMap<string, number>): void {
    this.#limits.limitListeners(limits);
  }

  /** Resolves when every worker serves the change. */
  async configure(change: ActiveChange, sockets: readonly ListenerSocket[]): Promise<string | undefined> {
    const configuration = this.#toTransfer(change, sockets);
    return firstProblem(await Promise.all(this.#workers.map((worker) => worker.configure(configuration))));
  }

  /** Clusters as all workers together see them. */
  async describe(): Promise<readonly ClusterView[]> {
    return mergeViews(await Promise.all(this.#workers.map((worker) => worker.describe())));
  }

  get size(): number {
    return this.#slots.length;
  }

  /** undefined: the worker is not there. */
  async startCpuProfile(worker: number): Promise<{ stop(): Promise<string> } | undefined> {
    return this.#slots[worker]?.worker?.startCpuProfile();
  }

  /** undefined: the worker is not there. */
  async getHeapSnapshot(worker: number): Promise<Readable | undefined> {
    return this.#slots[worker]?.worker?.getHeapSnapshot();
  }

  /** Resolves when every worker watches. */
  async openTap(setup: TapSetup, receiver: TapReceiver): Promise<void> {
    this.#taps.set(setup.id, { setup, ...receiver });
    await Promise.all(this.#workers.map((worker) => worker.openTap(setup)));
  }

  closeTap(id: number): void {
    if (!this.#taps.delete(id)) return;
    for (const worker of this.#workers) worker.closeTap(id);
  }

  setLogLevel(level: LogLevel): void {
    for (const worker of this.#workers) worker.setLogLevel(level);
  }

  /** Ends a worker at once and starts another in its place. */
  async replace(index: number, reason: string): Promise<void> {
    await this.#slots[index]?.worker?.end(reason);
  }

  /** All say in their answers that they end, also one that comes later; they go on serving. */
  announceEnd(): void {
    this.#announcesEnd = true;
    for (const worker of this.#workers) worker.announceEnd();
  }

  /**
   * Resolves when no connection is left.
   *
   * @param acceptMs how long connections are still accepted
   */
  async drain(acceptMs: number): Promise<void> {
    this.#isStopping = true;
    for (const slot of this.#slots) clearTimeout(slot.restartTimer);
    await Promise.all(this.#workers.map((worker) => worker.drain(acceptMs)));
  }

  /** Ends what is still open, and the workers. */
  async close(): Promise<void> {
    this.#isStopping = true;
    for (const slot of this.#slots) clearTimeout(slot.restartTimer);
    await Promise.all(this.#workers.map((worker) => worker.cut(cutMs)));
    await Promise.all(this.#workers.map((worker) => worker.end("the proxy ends")));
  }

  get #workers(): WorkerHandle[] {
    return this.#slots.flatMap(({ worker }) => worker ?? []);
  }

  /** One worker checks endpoints; what it finds holds for all, and for those that come later. */
  #tellHealth(from: Slot, health: ReadonlyMap<string, CheckedHealth>): void {
    this.#health = health;
    for (const { index, worker } of this.#slots) if (index !== from.index) worker?.setHealth(health);
  }

  async #startWorker(slot: Slot): Promise<void> {
    const { logger } = this.#options;
    slot.startedAt = performance.now();
    slot.series = [];
    const events: WorkerEvents = {
      onSeries: (announcements) => {
        slot.series.push(...announcements);
        for (const announcement of announcements) this.metrics.add(announcement);
      },
      onHealth: (health) => this.#tellHealth(slot, health),
      // The first one checks.
      onEndpointFailed: (cluster, endpoint) => this.#slots[0]?.worker?.failEndpoint(cluster, endpoint),
      onTapLines: (id, lines) => this.#taps.get(id)?.onLines(lines),
      onGone: (reason) => this.#onGone(slot, reason),
    };
    const { tlsKeyLogFile, workerEntry: entry } = this.#options;
    const shared = { load: this.load.buffer, queues: this.#queues.buffer, sessions: this.#sessions };
    const worker = new WorkerHandle(slot.index, logger, logger.level, events, shared, { tlsKeyLogFile, entry });
    slot.worker = worker;
    for (const { setup } of this.#taps.values()) void worker.openTap(setup);
    if (this.#announcesEnd) worker.announceEnd();
    const { change, sockets } = this.#everything();
    const { delta, ...rest } = this.#toTransfer(change, sockets);
    const problem = await worker.configure({ ...rest, delta: { ...delta, health: this.#health } });
    if (problem !== undefined)
      logger.error("a worker could not take its configuration", { worker: slot.index, problem });
  }

  #toTransfer(change: ActiveChange, sockets: readonly ListenerSocket[]): Parameters<WorkerHandle["configure"]>[0] {
    return {
      delta: change.delta,
      secrets: {
        set: change.secrets.set.map(({ source, secret }) => ({ source, secret: secretToTransfer(secret) })),
        remove: change.secrets.remove,
      },
      sockets,
      limits: this.#limits.of(change.delta.listeners),
      clusterCounts: this.#clusterLimits.of(change.delta.clusters),
    };
  }

  #onGone(slot: Slot, reason: string): void {
    slot.worker = undefined;
    // What waits for it is for the worker that takes its place.
    this.#queues.close(slot.index);
    this.load.clear(slot.index);
    this.#limits.clear(slot.index);
    this.#clusterLimits.clear(slot.index);
    settleAccounts(slot.series);
    if (this.#isStopping) return;
    for (const tap of this.#taps.values()) tap.onWorkerLost();
    const delayMs = slot.backOff.nextDelayMs(performance.now() - slot.startedAt);
    this.#options.logger.error("a traffic worker is gone and is started again", {
      worker: slot.index,
      reason,
      delayMs,
    });
    slot.restartTimer = setTimeout(() => void this.#startWorker(slot), delayMs);
  }
}

const nothing: ActiveChange = { delta: {}, secrets: { set: [], remove: [] } };

/**
 * A worker that is gone holds nothing open any more, so its gauges fall to zero; and the requests that it had begun have
 * ended with it, each in the outcome `worker_lost`.
 */
function settleAccounts(announcements: readonly MetricAnnouncement[]): void {
  let unaccounted = 0;
  let lost: Float64Array | undefined;
  for (const announcement of announcements) {
    if ("shape" in announcement) {
      resetGauges(announcement);
      continue;
    }
    const { family, labels, buffer, offset } = announcement;
    const cell = new Float64Array(buffer, offset * Float64Array.BYTES_PER_ELEMENT, 1);
    if (family.kind === "gauge") cell[0] = 0;
    if (family.name === requestsStarted) unaccounted += cell[0] ?? 0;
    if (family.name !== requestsEnded) continue;
    unaccounted -= cell[0] ?? 0;
    if (labels.some(([, value]) => value === lostOutcome)) lost = cell;
  }
  if (lost !== undefined) lost[0] = (lost[0] ?? 0) + Math.max(0, unaccounted);
}

function resetGauges({ shape, buffer, offset }: BlockAnnouncement): void {
  const cells = new Float64Array(buffer, offset * Float64Array.BYTES_PER_ELEMENT, shape.length);
  for (const [position, { family }] of shape.entries()) {
    if (family.kind === "gauge") cells[position] = 0;
  }
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
