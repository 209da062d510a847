import { closeSync } from "node:fs";
import { BoundSocket } from "node:net";
import type { SendHandle } from "node:child_process";
import type { ErrorCode } from "@heddle/core";
import { beginNoConnections, duplicateDescriptor, formatAddress, type InheritedDescriptors } from "@heddle/net";
import type { GenerationMessage, SocketName, SupervisorMessage } from "../supervisor/messages.ts";

/** A bound socket of this process. Workers duplicate its descriptor; `close` gives it up here and at the supervisor. */
export interface ListeningSocket {
  /** Of no other socket of this process, before or after; a descriptor is used again. */
  readonly id: number;
  readonly fd: number;
  /** As asked for. */
  readonly wanted: { readonly host: string; readonly port: number };
  /** As bound: with the port that the kernel chose where 0 was wanted. */
  readonly host: string;
  readonly port: number;
  /** Another process had it before, and may still accept on it. */
  readonly isShared: boolean;
  /** Before `giveUp`: what waits there can still be accepted. Not on a socket that others will listen on again. */
  beginNoConnections(): void;
  close(): void;
  /** As `close`, and one that was given for the life of the process goes, too: nobody will listen there again. */
  giveUp(): void;
}

export type SocketResult = { socket: ListeningSocket } | { socket: undefined; code: ErrorCode; message: string };

/** The end of the channel to the supervisor. */
export interface SupervisorChannel {
  send(message: GenerationMessage, handle?: SendHandle): void;
  onMessage(listener: (message: SupervisorMessage) => void): void;
}

/**
 * Gives out listening sockets. What the supervisor has held since an earlier generation, or was handed by its own parent,
 * is used again; what is new is bound here and given to the supervisor at once, which keeps it when this process dies.
 */
export class SocketBroker {
  readonly #channel: SupervisorChannel;
  readonly #inherited: InheritedDescriptors;
  readonly #held: (SocketName & { readonly fd: number })[];
  #lastId = 0;

  /**
   * @param inherited sockets of the supervisor's parent, by address
   * @param held sockets of the generation before, by who used them
   */
  constructor(
    channel: SupervisorChannel,
    inherited: InheritedDescriptors,
    held: readonly (SocketName & { readonly fd: number })[],
  ) {
    this.#channel = channel;
    this.#inherited = inherited;
    this.#held = [...held];
  }

  /**
   * @param key who will listen there: the same key gets the same socket in the next generation, and whoever asks for the same
   *   port, since a listener may have another name by then
   * @param host an IP literal
   */
  bind(key: string, host: string, port: number): SocketResult {
    const inherited = this.#inherited.get(formatAddress(host, port));
    // Given for the life of the process: whoever uses it closes its own duplicate.
    if (inherited !== undefined) {
      const giveUp = (): void => {
        closeSync(inherited);
        this.#channel.send({ type: "release", key, host, port, boundPort: port });
      };
      return {
        socket: {
          id: ++this.#lastId,
          fd: inherited,
          wanted: { host, port },
          host,
          port,
          isShared: true,
          beginNoConnections: () => {},
          close: () => {},
          giveUp,
        },
      };
    }
    const index = this.#held.findIndex(
      (socket) => socket.host === host && socket.port === port && (port !== 0 || socket.key === key),
    );
    const [held] = index < 0 ? [] : this.#held.splice(index, 1);
    if (held !== undefined) return { socket: this.#listening(held, held.fd, true, () => closeSync(held.fd)) };
    return this.#bindNew(key, host, port);
  }

  /** Gives up the sockets of the generation before that nobody has asked for: they are of listeners that are gone. */
  releaseUnclaimed(): void {
    for (const { fd, ...name } of this.#held.splice(0)) {
      closeSync(fd);
      this.#channel.send({ type: "release", ...name });
    }
  }

  #bindNew(key: string, host: string, port: number): SocketResult {
    let bound: BoundSocket;
    try {
      // As in Envoy (`ipv4_compat: false`) an IPv6 socket takes no IPv4, so that the two wildcards can have one port.
      bound = new BoundSocket({ host, port, ipv6Only: host.includes(":") });
    } catch (error) {
      return { socket: undefined, ...describe(error as NodeJS.ErrnoException, host, port) };
    }
    const { port: boundPort } = bound.address() as { port: number };
    const name: SocketName = { key, host, port, boundPort };
    const own = duplicateDescriptor(bound.fd());
    // Without a duplicate the socket stays here, and is lost when this process dies.
    if (own === undefined) return { socket: this.#listening(name, bound.fd(), false, () => bound.close()) };
    // The channel takes a BoundSocket, and with it the ownership; the types do not know it yet.
    this.#channel.send({ type: "hold", ...name }, bound as unknown as SendHandle);
    return { socket: this.#listening(name, own, false, () => closeSync(own)) };
  }

  #listening(name: SocketName, fd: number, isShared: boolean, close: () => void): ListeningSocket {
    const { host, port, boundPort } = name;
    const release = (): void => {
      close();
      this.#channel.send({ type: "release", ...name });
    };
    const beginNone = (): void => void beginNoConnections(fd);
    return {
      id: ++this.#lastId,
      fd,
      wanted: { host, port },
      host,
      port: boundPort,
      isShared,
      beginNoConnections: beginNone,
      close: release,
      giveUp: release,
    };
  }
}

const texts: Readonly<Record<string, string>> = {
  EADDRINUSE: "the port is already in use: stop the process that listens there, or choose another port",
  EADDRNOTAVAIL: "the address does not belong to this host",
  EACCES: "ports below 1024 need a privilege (CAP_NET_BIND_SERVICE)",
  EAFNOSUPPORT: "this host has no IPv6",
  ERR_INVALID_ARG_VALUE: "the address is not an IP address",
};

function describe(error: NodeJS.ErrnoException, host: string, port: number): { code: ErrorCode; message: string } {
  const cause = error.code ?? error.message;
  return {
    code: cause === "EADDRINUSE" ? "port_in_use" : "config_invalid",
    message: `cannot listen on ${formatAddress(host, port)}: ${texts[cause] ?? cause}`,
  };
}
