import type { Readable } from "node:stream";
import { Worker } from "node:worker_threads";
import type { Logger, LogLevel } from "@heddle/core";
import type { CheckedHealth } from "@heddle/engine";
import type { MetricAnnouncement } from "@heddle/telemetry";
import type { TapSetup } from "../tap/request-taps.ts";
import type { ClusterView } from "../worker/cluster-views.ts";
import type { WorkerCommand, WorkerReport, WorkerSetup } from "../worker/messages.ts";

/** Heartbeats are looked at this often, in milliseconds. */
const defaultCheckMs = 1_000;
/** Checks without a beat after which a worker counts as stalled. Counting checks, not time, forgives a suspended host. */
const stalledChecks = 10;

const workerEntry = new URL("../worker/entry.ts", import.meta.url);

export interface WorkerEvents {
  readonly onSeries: (announcements: readonly MetricAnnouncement[]) => void;
  readonly onHealth: (health: ReadonlyMap<string, CheckedHealth>) => void;
  readonly onEndpointFailed: (cluster: string, endpoint: string) => void;
  readonly onTapLines: (id: number, lines: readonly string[]) => void;
  /** The worker is gone, or stalled and was ended; it will do nothing more. */
  readonly onGone: (reason: string) => void;
}

/** For tests: another module in the worker's place, and a faster watchdog. */
export interface WorkerHandleOptions {
  readonly entry?: URL | undefined;
  readonly checkMs?: number;
  readonly tlsKeyLogFile?: string | undefined;
}

type Configure = Omit<Extract<WorkerCommand, { type: "configure" }>, "type" | "sequence">;

/** One traffic worker as the main thread sees it. */
export class WorkerHandle {
  readonly index: number;
  readonly #worker: Worker;
  readonly #heartbeat: Int32Array;
  readonly #logger: Logger;
  readonly #events: WorkerEvents;
  readonly #configuring = new Map<number, (problem: string | undefined) => void>();
  readonly #describing = new Map<number, (clusters: readonly ClusterView[]) => void>();
  readonly #tapping = new Map<number, () => void>();
  readonly #watchdog: NodeJS.Timeout;
  #sequence = 0;
  #lastBeat = 0;
  #silentChecks = 0;
  #isGone = false;
  #onDrained: () => void = () => {};

  constructor(
    index: number,
    logger: Logger,
    logLevel: LogLevel,
    events: WorkerEvents,
    shared: Pick<WorkerSetup, "load" | "queues" | "sessions">,
    options: WorkerHandleOptions = {},
  ) {
    this.index = index;
    this.#logger = logger;
    this.#events = events;
    const heartbeat = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
    this.#heartbeat = new Int32Array(heartbeat);
    const setup: WorkerSetup = { index, logLevel, heartbeat, ...shared, tlsKeyLogFile: options.tlsKeyLogFile };
    this.#worker = new Worker(options.entry ?? workerEntry, { workerData: setup, name: `traffic-${index}` });
    this.#worker.on("message", (report: WorkerReport) => this.#onReport(report));
    this.#worker.on("error", (error: unknown) => {
      logger.error("a traffic worker crashed", {
        worker: index,
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      });
    });
    this.#worker.on("exit", (code) => this.#onExit(`it ended with code ${code}`));
    this.#watchdog = setInterval(() => this.#check(), options.checkMs ?? defaultCheckMs);
  }

  /** Resolves when the worker serves it, with what could not be done. A worker that dies meanwhile resolves it, too. */
  configure(configuration: Configure): Promise<string | undefined> {
    return new Promise((resolve) => {
      if (this.#isGone) return resolve(undefined);
      const sequence = ++this.#sequence;
      this.#configuring.set(sequence, resolve);
      this.#send({ type: "configure", sequence, ...configuration });
    });
  }

  describe(): Promise<readonly ClusterView[]> {
    return new Promise((resolve) => {
      if (this.#isGone) return resolve([]);
      const requestId = ++this.#sequence;
      this.#describing.set(requestId, resolve);
      this.#send({ type: "describe", requestId });
    });
  }

  /** Resolves when it watches, or is gone. */
  openTap(setup: TapSetup): Promise<void> {
    return new Promise((resolve) => {
      if (this.#isGone) return resolve();
      this.#tapping.set(setup.id, resolve);
      this.#send({ type: "tap-open", setup });
    });
  }

  closeTap(id: number): void {
    this.#send({ type: "tap-close", id });
  }

  startCpuProfile(): Promise<{ stop(): Promise<string> }> {
    return this.#worker.startCpuProfile();
  }

  getHeapSnapshot(): Promise<Readable> {
    return this.#worker.getHeapSnapshot();
  }

  /** What another worker's health checks have found. */
  setHealth(health: ReadonlyMap<string, CheckedHealth>): void {
    this.#send({ type: "health", health });
  }

  /** For the worker that checks: an endpoint has told another worker that it is not well. */
  failEndpoint(cluster: string, endpoint: string): void {
    this.#send({ type: "endpoint-failed", cluster, endpoint });
  }

  setLogLevel(level: LogLevel): void {
    this.#send({ type: "log-level", level });
  }

  announceEnd(): void {
    this.#send({ type: "announce-end" });
  }

  /** Resolves when the last connection is gone, or the worker is. */
  drain(acceptMs: number): Promise<void> {
    return new Promise((resolve) => {
      if (this.#isGone) return resolve();
      this.#onDrained = resolve;
      this.#send({ type: "drain", acceptMs });
    });
  }

  /** Has what is open ended; resolves when it is, as `drain` does, or after `graceMs`. */
  async cut(graceMs: number): Promise<void> {
    if (this.#isGone) return;
    const drained = new Promise<void>((resolve) => {
      this.#onDrained = resolve;
    });
    this.#send({ type: "cut" });
    let timer: NodeJS.Timeout | undefined;
    await Promise.race([drained, new Promise((resolve) => (timer = setTimeout(resolve, graceMs)))]);
    clearTimeout(timer);
  }

  /** Ends the thread at once, whatever it is doing. Nothing is reported of it any more but that it is gone. */
  async end(reason: string): Promise<void> {
    this.#onExit(reason);
    await this.#worker.terminate();
  }

  #send(command: WorkerCommand): void {
    this.#worker.postMessage(command);
  }

  #onReport(report: WorkerReport): void {
    switch (report.type) {
      case "configured":
        this.#configuring.get(report.sequence)?.(report.problem);
        this.#configuring.delete(report.sequence);
        return;
      case "series":
        return this.#events.onSeries(report.announcements);
      case "described":
        this.#describing.get(report.requestId)?.(report.clusters);
        this.#describing.delete(report.requestId);
        return;
      case "health":
        return this.#events.onHealth(report.health);
      case "endpoint-failed":
        return this.#events.onEndpointFailed(report.cluster, report.endpoint);
      case "tap-opened":
        this.#tapping.get(report.id)?.();
        this.#tapping.delete(report.id);
        return;
      case "tap-lines":
        return this.#events.onTapLines(report.id, report.lines);
      case "drained":
        return this.#onDrained();
    }
  }

  #check(): void {
    const beat = Atomics.load(this.#heartbeat, 0);
    this.#silentChecks = beat === this.#lastBeat ? this.#silentChecks + 1 : 0;
    this.#lastBeat = beat;
    if (this.#silentChecks < stalledChecks) return;
    this.#logger.error("a traffic worker does not answer and is replaced", {
      worker: this.index,
      checks: this.#silentChecks,
    });
    void this.end("it stalled");
  }

  #onExit(reason: string): void {
    if (this.#isGone) return;
    this.#isGone = true;
    clearInterval(this.#watchdog);
    for (const resolve of this.#configuring.values()) resolve(undefined);
    for (const resolve of this.#describing.values()) resolve([]);
    this.#configuring.clear();
    this.#describing.clear();
    for (const resolve of this.#tapping.values()) resolve();
    this.#tapping.clear();
    this.#onDrained();
    this.#events.onGone(reason);
  }
}
