import type { ErrorCode } from "@heddle/core";
import type { Server, Socket } from "node:net";
import { BoundSocket, createServer } from "node:net";
import { descriptorToListenOn } from "./descriptor.ts";
import { FastSocket } from "./fast-socket.ts";
import type { InheritedDescriptors } from "./inherited-descriptors.ts";
import type { SocketAddress } from "./ip-address.ts";
import { canonicalHost, formatAddress } from "./ip-address.ts";
import { interceptAccept, socketAround } from "./runtime-edges.ts";
import { causeOf } from "./socket-failure.ts";

/** A socket that could not be bound or listened on: says which address and what to do about it. */
export class ListenError extends Error {
  readonly code: ErrorCode;
  readonly address: SocketAddress;
  /** The system's name of it, e.g. `EADDRINUSE`. */
  readonly systemCode: string;

  constructor(address: SocketAddress, systemCode: string) {
    super(`cannot listen on ${formatAddress(address.host, address.port)}: ${listenTexts[systemCode] ?? systemCode}`);
    this.name = "ListenError";
    this.code = systemCode === "EADDRINUSE" ? "port_in_use" : "config_invalid";
    this.address = address;
    this.systemCode = systemCode;
  }
}

const listenTexts: Readonly<Record<string, string>> = {
  EADDRINUSE: "the port is already in use by another process",
  EADDRNOTAVAIL: "the address does not belong to this host",
  EACCES: "ports below 1024 need a privilege (CAP_NET_BIND_SERVICE)",
  EMFILE: "too many open files in this process",
  EAFNOSUPPORT: "this host has no IPv6",
  EBADF: "the inherited descriptor is not an open socket",
  EINVAL: "the inherited descriptor is not a bound TCP socket",
};

export interface ListenerOptions {
  readonly backlog?: number;
  /** Sockets of the parent process; when the address is among them, a duplicate is used instead of binding. */
  readonly inherit?: InheritedDescriptors;
  /** A descriptor known to stand for the address; duplicated like an inherited one. */
  readonly descriptor?: number;
  /** Asked first, with the descriptor of a connection: true when it has been duplicated and is somebody else's. Not asked where handles cannot be intercepted. */
  giveAway?(descriptor: number): boolean;
  /** Called for every connection: it neither reads nor has a handler yet. */
  onConnection(socket: FastSocket): void;
  /** accept(2) failed, e.g. for want of descriptors; the listener goes on. */
  onAcceptError?(cause: string): void;
}

/** A listening TCP socket. Opened by {@link openListener}. */
export class Listener {
  /** With the port that the system chose where 0 was asked for. */
  readonly address: SocketAddress;
  readonly #server: Server;

  /** @internal */
  constructor(server: Server, address: SocketAddress) {
    this.#server = server;
    this.address = address;
  }

  get isListening(): boolean {
    return this.#server.listening;
  }

  /** Accepts no more, at once; accepted connections live on. */
  close(): void {
    this.#server.close();
  }
}

/**
 * Listens on a numeric address, or on the inherited socket that stands for it.
 *
 * @throws ListenError (as a rejection) with code `port_in_use` or `config_invalid`, naming the address
 */
export async function openListener(address: SocketAddress, options: ListenerOptions): Promise<Listener> {
  const inherited = options.descriptor ?? options.inherit?.get(formatAddress(address.host, address.port));
  const descriptor = inherited === undefined ? undefined : duplicated(inherited, address);
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true });
  // Where accepted handles cannot be intercepted, the runtime's own half-open, paused socket comes this way.
  server.on("connection", (socket: Socket) => options.onConnection(FastSocket.accepted(socket)));
  const backlog = options.backlog ?? 511;
  await new Promise<void>((resolve, reject) => {
    const onError = (error: unknown): void => reject(new ListenError(address, causeOf(error)));
    server.once("error", onError);
    server.once("listening", () => {
      server.off("error", onError);
      server.on("error", (error) => options.onAcceptError?.(causeOf(error)));
      resolve();
    });
    if (descriptor === undefined) server.listen({ host: address.host, port: address.port, backlog });
    // As an argument of its own: beside `fd` the runtime overlooks the option.
    else server.listen({ fd: descriptor }, backlog);
  });
  interceptAccept(server, (handle) => {
    handle.setNoDelay?.(true);
    if (handle.fd !== undefined && handle.fd >= 0 && options.giveAway?.(handle.fd) === true) return handle.close();
    options.onConnection(FastSocket.accepted(socketAround(handle)));
  });
  const bound = server.address();
  if (bound === null || typeof bound === "string") {
    server.close();
    throw new ListenError(address, "EINVAL");
  }
  return new Listener(server, { host: canonicalHost(bound.address), port: bound.port });
}

function duplicated(descriptor: number, address: SocketAddress): number {
  try {
    return descriptorToListenOn(descriptor);
  } catch (error) {
    throw new ListenError(address, causeOf(error));
  }
}

/** A socket that is bound and not listening: a holder keeps the port while the processes that listen on it come and go. */
export interface HeldPort {
  readonly address: SocketAddress;
  /** For `stdio` of `spawn`. Owned by this object. */
  readonly descriptor: number;
  close(): void;
}

/**
 * Binds without listening, so that connections are refused (not left waiting) until a process listens on the descriptor.
 *
 * @throws ListenError with code `port_in_use` or `config_invalid`. A port that another holder has bound and nobody listens on is not noticed before `listen`
 */
export function holdPort(address: SocketAddress): HeldPort {
  let bound: BoundSocket;
  try {
    bound = new BoundSocket({ host: address.host, port: address.port, ipv6Only: address.host.includes(":") });
  } catch (error) {
    throw new ListenError(address, causeOf(error));
  }
  const { address: host, port } = bound.address() as { address: string; port: number };
  return {
    address: { host: canonicalHost(host), port },
    descriptor: bound.fd(),
    close() {
      try {
        bound.close();
      } catch (error) {
        // A child that is just being spawned with the descriptor has taken the handle; it is closed with that.
        if (causeOf(error) !== "ERR_SOCKET_HANDLE_ADOPTED") throw error;
      }
    },
  };
}
