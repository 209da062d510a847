import { randomInt } from "node:crypto";
import { createSocket, type Socket as DatagramSocket } from "node:dgram";
import { connect, type Socket } from "node:net";
import { type DnsQuery, isReplyTo } from "@heddle/http";
import { MessageStream } from "./message-stream.ts";

export type Transport = "udp" | "tcp";

/** Gets the resolver's answer, under the number of the question; undefined: none came. */
export type OnReply = (reply: Buffer | undefined) => void;

/** Where a resolver is: an IP literal, and unlike the host of a `SocketAddress` with its zone (`fe80::1%eth0`), if it has one. */
export interface ResolverAddress {
  readonly host: string;
  readonly port: number;
}

export interface ForwarderOptions {
  /** Asked one after the other, each for `timeoutMs`. */
  readonly resolvers: readonly ResolverAddress[];
  readonly timeoutMs: number;
  readonly maxPending: number;
}

/**
 * Passes questions on as they are and brings answers back. Each goes out from a port of its own and under a random number, and what
 * comes back must have both and repeat the question, so that nobody can slip an answer in (RFC 5452).
 */
export class Forwarder {
  readonly #options: ForwarderOptions;
  readonly #lookups = new Set<Lookup>();

  constructor(options: ForwarderOptions) {
    this.#options = options;
  }

  /** False when too many wait: then `onReply` is not called. */
  ask(message: Buffer, query: DnsQuery, transport: Transport, onReply: OnReply): boolean {
    if (this.#lookups.size >= this.#options.maxPending) return false;
    const lookup = new Lookup(this.#options, message, query, transport, (reply) => {
      this.#lookups.delete(lookup);
      onReply(reply);
    });
    this.#lookups.add(lookup);
    lookup.start();
    return true;
  }

  close(): void {
    for (const lookup of this.#lookups) lookup.cancel();
    this.#lookups.clear();
  }
}

/** One question on its way. */
class Lookup {
  readonly #options: ForwarderOptions;
  readonly #message: Buffer;
  readonly #query: DnsQuery;
  readonly #transport: Transport;
  readonly #onReply: OnReply;
  readonly #id = randomInt(0x1_0000);
  #next = 0;
  #close: () => void = () => {};
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ForwarderOptions, message: Buffer, query: DnsQuery, transport: Transport, onReply: OnReply) {
    this.#options = options;
    this.#query = query;
    this.#transport = transport;
    this.#onReply = onReply;
    // Not the client's own bytes: those may be in a buffer that is used again.
    this.#message = Buffer.from(message);
    this.#message.writeUInt16BE(this.#id, 0);
  }

  start(): void {
    const resolver = this.#options.resolvers[this.#next++];
    if (resolver === undefined) {
      this.#end(undefined);
      return;
    }
    this.#timer = setTimeout(() => this.#tryNext(), this.#options.timeoutMs);
    if (this.#transport === "udp") this.#askByUdp(resolver);
    else this.#askByTcp(resolver);
  }

  cancel(): void {
    clearTimeout(this.#timer);
    this.#close();
  }

  #tryNext(): void {
    this.cancel();
    this.start();
  }

  #end(reply: Buffer | undefined): void {
    this.cancel();
    reply?.writeUInt16BE(this.#query.id, 0);
    this.#onReply(reply);
  }

  #take(reply: Buffer): void {
    if (isReplyTo(reply, this.#id, this.#query)) this.#end(reply);
  }

  #askByUdp({ host, port }: ResolverAddress): void {
    const socket: DatagramSocket = createSocket(host.includes(":") ? "udp6" : "udp4");
    let isOpen = true;
    this.#close = () => {
      if (isOpen) socket.close();
      isOpen = false;
    };
    // Refused by the host, or no way there: the next one is asked at once.
    socket.on("error", () => {
      if (isOpen) this.#tryNext();
    });
    socket.on("message", (reply) => {
      if (isOpen) this.#take(reply);
    });
    // Connected, so that the kernel drops what comes from anybody else. No callback: it would get a failure in the place of "error".
    socket.once("connect", () => {
      if (isOpen) socket.send(this.#message);
    });
    socket.connect(port, host);
  }

  #askByTcp({ host, port }: ResolverAddress): void {
    const socket: Socket = connect({ host, port });
    let isOpen = true;
    this.#close = () => {
      isOpen = false;
      socket.destroy();
    };
    const stream = new MessageStream(0xffff);
    socket.on("error", () => {
      // "close" follows.
    });
    socket.on("close", () => {
      if (isOpen) this.#tryNext();
    });
    socket.on("data", (bytes: Buffer) => {
      if (!isOpen) return;
      stream.push(bytes);
      const reply = stream.next();
      if (reply !== undefined) this.#take(reply);
    });
    socket.write(withLength(this.#message));
  }
}

/** A message as TCP carries it (RFC 1035 §4.2.2). */
export function withLength(message: Buffer): Buffer {
  const framed = Buffer.alloc(2 + message.length);
  framed.writeUInt16BE(message.length, 0);
  message.copy(framed, 2);
  return framed;
}
