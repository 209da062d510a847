import type { ScaledTimer } from "../overload/config.ts";
import { SharedCount, SharedLoad } from "../overload/shared-load.ts";
import type { CountedLimit } from "./messages.ts";

/** A limit that all workers keep together: each counts for itself, and looks at the sum. */
export class WorkerLimit {
  readonly #count: SharedCount;
  readonly #worker: number;
  max: number;

  constructor(count: SharedCount, worker: number, max: number) {
    this.#count = count;
    this.#worker = worker;
    this.max = max;
  }

  get isReached(): boolean {
    return this.#count.total >= this.max;
  }

  add(count: number): void {
    this.#count.add(this.#worker, count);
  }
}

/** One worker's view of the load of all, and of what the overload manager has decided. */
export class WorkerLoad {
  readonly shared: SharedLoad;
  readonly #worker: number;
  readonly #limits = new Map<string, { readonly buffer: SharedArrayBuffer; readonly limit: WorkerLimit }>();

  constructor(buffer: SharedArrayBuffer, worker: number) {
    this.shared = new SharedLoad(buffer);
    this.#worker = worker;
  }

  /** Takes note of limits that have come or changed. */
  apply(limits: readonly CountedLimit[]): void {
    for (const { key, buffer, max } of limits) {
      const known = this.#limits.get(key);
      if (known?.buffer === buffer) known.limit.max = max;
      else this.#limits.set(key, { buffer, limit: new WorkerLimit(new SharedCount(buffer), this.#worker, max) });
    }
  }

  limit(key: string): WorkerLimit | undefined {
    return this.#limits.get(key)?.limit;
  }

  /** A listener is gone; what is still open of it keeps its own. */
  forget(listener: string): void {
    for (const key of this.#limits.keys()) {
      if (key === listenerLimitKey(listener) || key.startsWith(chainLimitKey(listener, ""))) this.#limits.delete(key);
    }
  }

  addConnections(count: number): void {
    this.shared.addConnections(this.#worker, count);
  }

  get hasAllConnections(): boolean {
    return this.shared.connections >= this.shared.maxConnections;
  }

  get stopsRequests(): boolean {
    return this.shared.activity("envoy.overload_actions.stop_accepting_requests") >= 1;
  }

  get stopsConnections(): boolean {
    return this.shared.activity("envoy.overload_actions.stop_accepting_connections") >= 1;
  }

  /** Share of connections to refuse. */
  get rejects(): number {
    return this.shared.activity("envoy.overload_actions.reject_incoming_connections");
  }

  /** Share of HTTP/1.1 responses after which the connection ends. */
  get endsKeepAlive(): number {
    return this.shared.activity("envoy.overload_actions.disable_http_keepalive");
  }

  get reducesTimeouts(): boolean {
    return this.shared.reducesTimeouts;
  }

  /** What is taken away now of a timer that has `fullMs`. */
  reductionMs(timer: ScaledTimer, fullMs: number): number {
    return this.shared.reductionMs(timer, fullMs);
  }

  sampleHeap(): void {
    this.shared.sampleHeap(this.#worker);
  }
}

export function listenerLimitKey(listener: string): string {
  return `listener ${listener}`;
}

export function chainLimitKey(listener: string, chain: string): string {
  return `chain ${listener}\0${chain}`;
}
