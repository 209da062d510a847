import { getHeapSnapshot, startCpuProfile } from "node:v8";
import type { Readable } from "node:stream";
import type { WorkerPool } from "./worker-pool.ts";

/** A profile of one thread, in the form that Chrome's developer tools open; or why there is none. */
export type Profile =
  | { readonly content: string | Readable }
  | { readonly content: undefined; readonly status: number; readonly problem: string };

export const maxProfileSeconds = 60;

/** CPU profiles and heap snapshots of the threads of this process, one at a time: each slows down what it looks at. */
export class Profiles {
  readonly #pool: WorkerPool;
  #isBusy = false;

  constructor(pool: WorkerPool) {
    this.#pool = pool;
  }

  /** @param thread `main`, or the number of a worker */
  cpu(thread: string, seconds: number): Promise<Profile> {
    return this.#alone(thread, async (worker) => {
      const handle = worker === undefined ? startCpuProfile() : await this.#pool.startCpuProfile(worker);
      if (handle === undefined) return gone;
      await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
      // A worker that ended meanwhile has taken its profile along.
      return await Promise.resolve(handle.stop()).then(
        (content) => ({ content }),
        () => gone,
      );
    });
  }

  /** The thread stands still meanwhile. A snapshot holds all that is in memory, keys and requests included. */
  heap(thread: string): Promise<Profile> {
    return this.#alone(thread, async (worker) => {
      const content = worker === undefined ? getHeapSnapshot() : await this.#pool.getHeapSnapshot(worker);
      return content === undefined ? gone : { content };
    });
  }

  async #alone(thread: string, look: (worker: number | undefined) => Promise<Profile>): Promise<Profile> {
    const worker = thread === "main" ? undefined : Number(thread);
    if (worker !== undefined && !(/^\d{1,3}$/.test(thread) && worker < this.#pool.size)) {
      const problem = `there is no thread "${thread}": main, or the number of a worker from 0 to ${this.#pool.size - 1}`;
      return { content: undefined, status: 400, problem };
    }
    if (this.#isBusy) return { content: undefined, status: 409, problem: "a profile is being taken: one at a time" };
    this.#isBusy = true;
    try {
      return await look(worker);
    } finally {
      this.#isBusy = false;
    }
  }
}

const gone: Profile = { content: undefined, status: 503, problem: "the worker is gone" };
