import type { ConfigDelta } from "@heddle/engine";
import { SharedClusterCounts } from "../overload/shared-cluster-counts.ts";
import type { CountedCluster } from "../worker/messages.ts";

/** The memory in which several workers count what they have in use of each cluster together, as Envoy's resource manager does for all of its threads. */
export class ClusterLimits {
  readonly #workers: number;
  readonly #buffers = new Map<string, SharedArrayBuffer>();

  constructor(workers: number) {
    this.#workers = workers;
  }

  /** What workers have to know of the clusters that change; nothing where there is one worker, whose own numbers are all. */
  of(change: ConfigDelta["clusters"]): CountedCluster[] {
    if (this.#workers === 1) return [];
    // One that comes again under the name begins anew, and each worker brings there what it still has in use.
    for (const name of change?.remove ?? []) this.#buffers.delete(name);
    return (change?.set ?? []).map(({ name }) => ({ name, buffer: this.#bufferOf(name) }));
  }

  /** A worker is gone, and all that it held. */
  clear(worker: number): void {
    for (const buffer of this.#buffers.values()) new SharedClusterCounts(buffer, worker).clear();
  }

  #bufferOf(name: string): SharedArrayBuffer {
    let buffer = this.#buffers.get(name);
    if (buffer === undefined) this.#buffers.set(name, (buffer = SharedClusterCounts.createBuffer(this.#workers)));
    return buffer;
  }
}
