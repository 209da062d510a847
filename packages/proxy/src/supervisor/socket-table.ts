import { BoundSocket } from "node:net";

export type BindResult =
  | { readonly socket: BoundSocket; readonly host: string; readonly port: number }
  | { readonly socket: undefined; readonly code: string; readonly message: string };

/**
 * The listening sockets of one proxy, bound here and kept across its generations: the kernel goes on queueing connections
 * while no generation is there to accept them. This process never accepts on one.
 */
export class SocketTable {
  /** By user and address: two listeners on port 0 get two sockets, and keep them when the proxy restarts. */
  readonly #sockets = new Map<string, BoundSocket>();

  /**
   * The socket of this user and address: the one that it had before, or a new one.
   *
   * @param key who will listen there
   * @param host an IP literal
   * @param port 0: the kernel chooses
   */
  take(key: string, host: string, port: number): BindResult {
    const id = idOf(key, host, port);
    let socket = this.#sockets.get(id);
    try {
      socket ??= new BoundSocket({ host, port });
    } catch (error) {
      return { socket: undefined, ...describe(error as NodeJS.ErrnoException, host, port) };
    }
    this.#sockets.set(id, socket);
    const bound = socket.address() as { address: string; port: number };
    return { socket, host: bound.address, port: bound.port };
  }

  /** Closes a socket that nobody uses any more. */
  release(key: string, host: string, port: number): void {
    const id = idOf(key, host, port);
    this.#sockets.get(id)?.close();
    this.#sockets.delete(id);
  }

  close(): void {
    for (const socket of this.#sockets.values()) socket.close();
    this.#sockets.clear();
  }
}

function idOf(key: string, host: string, port: number): string {
  return `${key} ${host} ${port}`;
}

const texts: Readonly<Record<string, string>> = {
  EADDRINUSE: "the port is already in use: stop the process that listens there, or choose another port",
  EADDRNOTAVAIL: "the address does not belong to this host",
  EACCES: "ports below 1024 need a privilege (CAP_NET_BIND_SERVICE)",
  EAFNOSUPPORT: "this host has no IPv6",
};

function describe(error: NodeJS.ErrnoException, host: string, port: number): { code: string; message: string } {
  const where = host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
  const cause = error.code ?? error.message;
  return { code: cause === "EADDRINUSE" ? "port_in_use" : "config_invalid", message: `cannot listen on ${where}: ${texts[cause] ?? cause}` };
}
