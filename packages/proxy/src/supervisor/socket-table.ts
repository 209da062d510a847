import type { SocketName } from "./messages.ts";

/** A bound socket that this process only holds: the runtime's `BoundSocket`, as it arrives over the channel. */
export interface HeldSocket {
  fd(): number;
  close(): void;
}

/**
 * The listening sockets of one proxy, kept across its generations: the kernel goes on queueing connections while no
 * generation is there to accept them. This process never accepts on one.
 */
export class SocketTable {
  readonly #held = new Map<string, { readonly name: SocketName; readonly socket: HeldSocket }>();

  /** Takes a socket over. One of the same name is closed: its user has made a new one. */
  hold(name: SocketName, socket: HeldSocket): void {
    const id = idOf(name);
    this.#held.get(id)?.socket.close();
    this.#held.set(id, { name, socket });
  }

  release(name: SocketName): void {
    const id = idOf(name);
    this.#held.get(id)?.socket.close();
    this.#held.delete(id);
  }

  /** All sockets, with their descriptors in this process. */
  list(): (SocketName & { readonly fd: number })[] {
    return [...this.#held.values()].map(({ name, socket }) => ({ ...name, fd: socket.fd() }));
  }

  close(): void {
    for (const { socket } of this.#held.values()) socket.close();
    this.#held.clear();
  }
}

function idOf({ key, host, port }: SocketName): string {
  return `${key} ${host} ${port}`;
}
