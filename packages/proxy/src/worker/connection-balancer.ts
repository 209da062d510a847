import { adoptDescriptor, duplicateDescriptor, type FastSocket, releaseDescriptor } from "@heddle/net";
import type { SharedLoad } from "../overload/shared-load.ts";
import type { SharedQueues } from "../overload/shared-queues.ts";

/**
 * Spreads connections over the workers, as Envoy's `exact_balance`. All wait on one socket, and the kernel wakes whom it likes: measured, one
 * of four idle workers took 196 of 200 connections. So a worker that holds more than another gives what it accepts to the one that
 * holds the fewest.
 */
export class ConnectionBalancer {
  readonly #worker: number;
  readonly #load: SharedLoad;
  readonly #queues: SharedQueues;

  constructor(worker: number, load: SharedLoad, queues: SharedQueues) {
    this.#worker = worker;
    this.#load = load;
    this.#queues = queues;
  }

  /**
   * @param listener the number of the listening socket that it came by
   * @returns true when the connection is another worker's from now on
   */
  giveAway(descriptor: number, listener: number): boolean {
    const target = this.#fewest();
    if (target === this.#worker) return false;
    const copy = duplicateDescriptor(descriptor);
    if (copy === undefined) return false;
    if (this.#queues.put(target, copy, listener)) return true;
    releaseDescriptor(copy);
    return false;
  }

  /** From here on other workers may give connections to this one. */
  open(onConnection: (socket: FastSocket, listener: number) => void): void {
    this.#queues.open(this.#worker);
    this.#queues.watch(this.#worker, () => this.#take(onConnection));
  }

  /** Takes what is on its way, and nothing after that. */
  close(onConnection: (socket: FastSocket, listener: number) => void): void {
    this.#queues.close(this.#worker);
    this.#take(onConnection);
  }

  #take(onConnection: (socket: FastSocket, listener: number) => void): void {
    this.#queues.take(this.#worker, (descriptor, listener) => {
      const socket = adoptDescriptor(descriptor);
      // undefined: the client has gone meanwhile.
      if (socket !== undefined) onConnection(socket, listener);
    });
  }

  /** This worker, unless another that takes connections holds fewer. */
  #fewest(): number {
    let fewest = this.#worker;
    let least = this.#held(fewest);
    for (let worker = 0; worker < this.#queues.workers && least > 0; worker++) {
      if (worker === this.#worker) continue;
      const held = this.#held(worker);
      if (held >= least || !this.#queues.isOpen(worker)) continue;
      fewest = worker;
      least = held;
    }
    return fewest;
  }

  #held(worker: number): number {
    return this.#load.connectionsOf(worker) + this.#queues.waiting(worker);
  }
}
