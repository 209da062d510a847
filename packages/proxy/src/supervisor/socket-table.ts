import { adoptSocket, type BindResult, bindSocket, type BoundSocket, formatAddress } from "./bound-socket.ts";

/**
 * The listening sockets of one proxy, kept across its generations: the kernel goes on queueing connections while no
 * generation is there to accept them.
 */
export class SocketTable {
  /** By user and address: two listeners on port 0 get two sockets, and keep them when the proxy restarts. */
  readonly #sockets = new Map<string, BoundSocket>();
  /** Handed down by the parent process, by address; used before anything is bound. */
  readonly #inherited = new Map<string, BoundSocket>();

  /**
   * @param listenFds `127.0.0.1:41000=4,[::1]:41001=5`: bound descriptors of this process
   * @returns what is wrong with the entries that could not be taken over
   */
  adopt(listenFds: string): string[] {
    const problems: string[] = [];
    for (const entry of listenFds.split(",").filter((text) => text !== "")) {
      const match = /^(.+:\d+)=(\d+)$/.exec(entry.trim());
      if (match === null) {
        problems.push(`HEDDLE_LISTEN_FDS: "${entry}" is not <address>:<port>=<descriptor>`);
        continue;
      }
      const adopted = adoptSocket(Number(match[2]));
      if (adopted.socket === undefined) problems.push(`HEDDLE_LISTEN_FDS: ${adopted.message}`);
      else this.#inherited.set(match[1] ?? "", adopted.socket);
    }
    return problems;
  }

  /** The socket of this user and address: the one that it had before, an inherited one, or a new one. */
  take(key: string, host: string, port: number): BindResult {
    const id = `${key} ${formatAddress(host, port)}`;
    const known = this.#sockets.get(id) ?? this.#inherited.get(formatAddress(host, port));
    const result: BindResult = known === undefined ? bindSocket(host, port) : { socket: known };
    if (result.socket !== undefined) this.#sockets.set(id, result.socket);
    return result;
  }

  /** Closes a socket that nobody uses any more. An inherited one stays: the parent gave it for the life of the proxy. */
  release(key: string, host: string, port: number): void {
    const id = `${key} ${formatAddress(host, port)}`;
    const socket = this.#sockets.get(id);
    this.#sockets.delete(id);
    if (socket === undefined || [...this.#inherited.values()].includes(socket)) return;
    if (![...this.#sockets.values()].includes(socket)) socket.close();
  }

  close(): void {
    for (const socket of new Set([...this.#sockets.values(), ...this.#inherited.values()])) socket.close();
    this.#sockets.clear();
    this.#inherited.clear();
  }
}
