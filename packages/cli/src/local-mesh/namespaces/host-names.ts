import { createSocket } from "node:dgram";
import type { Socket as DatagramSocket } from "node:dgram";
import { readFileSync } from "node:fs";
import type { AddressInfo, Server, Socket } from "node:net";
import { connect, createServer } from "node:net";
import { once } from "node:events";
import { parseNameServers } from "@heddle/net";
import { PortProblem } from "../ports.ts";

/** Questions that wait for an answer at one time; what comes then is not passed on, and asked again by whoever needs it. */
const maxWaiting = 1024;
const maxConnections = 64;
/** Longer than resolvers wait for an answer. */
const waitMs = 10_000;
const port = 53;

/** Tries to find a port that is free over TCP and UDP alike. */
const portTries = 10;

export interface HostNamesOptions {
  readonly host: string;
  /** The one to have, if it is free. */
  readonly port: number;
  /** Undefined: the machine has no resolver. */
  readonly resolver: string | undefined;
}

/** The first name server of this machine; of a link-local one with the interface that it is behind (`fe80::1%eth0`). */
export function hostResolver(path = "/etc/resolv.conf"): string | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    // resolv.conf(5): without the file it is this machine.
    return "127.0.0.1";
  }
  return parseNameServers(text)[0];
}

/**
 * Carries questions for names between namespaces and the machine's resolver, which may listen on loopback alone. Nothing is read:
 * who asks checks what comes back. Ends with its process.
 */
export class HostNames {
  readonly #options: HostNamesOptions;
  readonly #socket: DatagramSocket;
  readonly #server: Server;
  /** What ends the wait for each answer. */
  readonly #waiting = new Set<() => void>();
  readonly #connections = new Set<Socket>();

  private constructor(options: HostNamesOptions) {
    this.#options = options;
    this.#socket = createSocket(options.host.includes(":") ? "udp6" : "udp4");
    this.#socket.on("error", () => undefined);
    this.#socket.on("message", (question, { address, port: from }) => this.#ask(question, address, from));
    this.#server = createServer({ allowHalfOpen: true }, (client) => this.#relay(client));
    this.#server.on("error", () => undefined);
  }

  /** @throws PortProblem (as a rejection) */
  static async open(options: HostNamesOptions): Promise<HostNames> {
    for (let tries = 1; ; tries++) {
      const names = new HostNames(options);
      try {
        await names.#listen(tries === 1 ? options.port : 0);
        return names;
      } catch (error) {
        names.close();
        const { code, message } = error as NodeJS.ErrnoException;
        if (code !== "EADDRINUSE" || tries === portTries)
          throw new PortProblem(`questions for names cannot be taken on ${options.host}: ${message}`);
      }
    }
  }

  async #listen(wanted: number): Promise<void> {
    this.#server.listen(wanted, this.#options.host);
    await once(this.#server, "listening");
    const { port: taken } = this.#server.address() as AddressInfo;
    this.#socket.bind(taken, this.#options.host);
    await once(this.#socket, "listening");
  }

  /** Where questions are taken, the same over UDP and TCP. */
  get address(): { readonly host: string; readonly port: number } {
    return { host: this.#options.host, port: this.#socket.address().port };
  }

  close(): void {
    this.#socket.close();
    this.#server.close();
    for (const end of this.#waiting) end();
    for (const connection of this.#connections) connection.destroy();
  }

  /** A socket for each question: the kernel gives it a port that nobody can guess, and the answer goes to who asked. */
  #ask(question: Buffer, address: string, from: number): void {
    const { resolver } = this.#options;
    if (resolver === undefined || this.#waiting.size >= maxWaiting) return;
    const upstream = createSocket(resolver.includes(":") ? "udp6" : "udp4");
    const end = (): void => {
      clearTimeout(timer);
      if (this.#waiting.delete(end)) upstream.close();
    };
    this.#waiting.add(end);
    const timer = setTimeout(end, waitMs);
    upstream.on("error", end);
    upstream.once("message", (answer) => {
      this.#socket.send(answer, from, address);
      end();
    });
    // Connected: answers of anybody else do not arrive. A callback of `connect` would get its errors, which are for "error".
    upstream.once("connect", () => upstream.send(question));
    upstream.connect(port, resolver);
  }

  #relay(client: Socket): void {
    const { resolver } = this.#options;
    if (resolver === undefined || this.#connections.size >= maxConnections * 2) {
      client.destroy();
      return;
    }
    const upstream = connect({ host: resolver, port, allowHalfOpen: true });
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      this.#connections.add(socket);
      socket.setTimeout(waitMs, () => socket.destroy());
      socket.on("error", () => undefined);
      socket.on("close", () => {
        this.#connections.delete(socket);
        other.destroy();
      });
      socket.pipe(other);
    }
  }
}
