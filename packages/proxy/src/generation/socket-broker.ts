import type { BoundSocket } from "node:net";
import type { ErrorCode } from "@heddle/core";
import { formatAddress, type InheritedDescriptors } from "@heddle/net";
import type { GenerationMessage, SupervisorMessage } from "../supervisor/messages.ts";

/** A bound socket of this process. Workers duplicate its descriptor; `close` gives it up here and at the supervisor. */
export interface ListeningSocket {
  readonly fd: number;
  /** As asked for. */
  readonly wanted: { readonly host: string; readonly port: number };
  /** As bound: with the port that the kernel chose where 0 was wanted. */
  readonly host: string;
  readonly port: number;
  close(): void;
}

export type SocketResult = { socket: ListeningSocket } | { socket: undefined; code: ErrorCode; message: string };

/** The end of the channel to the supervisor. */
export interface SupervisorChannel {
  send(message: GenerationMessage): void;
  onMessage(listener: (message: SupervisorMessage, handle: unknown) => void): void;
}

/** Asks the supervisor, which owns them, for listening sockets. */
export class SocketBroker {
  readonly #channel: SupervisorChannel;
  readonly #inherited: InheritedDescriptors;
  readonly #waiting = new Map<number, (result: SocketResult) => void>();
  readonly #wanted = new Map<number, { key: string; host: string; port: number }>();
  #requestCount = 0;

  /** @param inherited sockets that this process was started with */
  constructor(channel: SupervisorChannel, inherited: InheritedDescriptors) {
    this.#channel = channel;
    this.#inherited = inherited;
    channel.onMessage((message, handle) => this.#onMessage(message, handle));
  }

  /** @param key who will listen there: the same key gets the same socket again, also in the next generation */
  bind(key: string, host: string, port: number): Promise<SocketResult> {
    const fd = this.#inherited.get(formatAddress(host, port));
    // Given for the life of the process: whoever uses it closes its own duplicate.
    if (fd !== undefined) return Promise.resolve({ socket: { fd, wanted: { host, port }, host, port, close: () => {} } });
    return new Promise((resolve) => {
      const requestId = ++this.#requestCount;
      this.#waiting.set(requestId, resolve);
      this.#wanted.set(requestId, { key, host, port });
      this.#channel.send({ type: "bind", requestId, key, host, port });
    });
  }

  #onMessage(message: SupervisorMessage, handle: unknown): void {
    if (message.type === "drain") return;
    const resolve = this.#waiting.get(message.requestId);
    const wanted = this.#wanted.get(message.requestId);
    this.#waiting.delete(message.requestId);
    this.#wanted.delete(message.requestId);
    if (resolve === undefined || wanted === undefined) return;
    if (message.type === "bind-failed") {
      const code: ErrorCode = message.code === "port_in_use" ? "port_in_use" : "config_invalid";
      resolve({ socket: undefined, code, message: message.message });
      return;
    }
    const bound = handle as BoundSocket;
    resolve({
      socket: {
        fd: bound.fd(),
        wanted,
        host: message.host,
        port: message.port,
        close: () => {
          bound.close();
          this.#channel.send({ type: "release", ...wanted });
        },
      },
    });
  }
}
