import { createSocket, type Socket as DatagramSocket } from "node:dgram";
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import type { Logger } from "@heddle/core";
import type { DnsFilterConfig } from "@heddle/engine";
import { type DnsAnswer, dnsCode, dnsType, encodeAnswer, parseQuery } from "@heddle/http";
import type { SocketAddress } from "@heddle/net";
import type { DnsStats } from "./dns-stats.ts";
import { Forwarder, type ResolverAddress, type Transport, withLength } from "./forwarder.ts";
import { MessageStream } from "./message-stream.ts";
import { bindNames, type NameTable } from "./name-table.ts";

/** A question has one name and an option or two: nobody needs more. */
const maxQueryBytes = 4096;
/** RFC 7766 §6.2.3 wants a server to limit what idle clients hold. */
const maxConnections = 64;
const idleMs = 10_000;
const largestMessage = 0xffff;

export interface DnsListenerOptions {
  readonly config: DnsFilterConfig;
  readonly resolvers: () => readonly ResolverAddress[];
  readonly stats: DnsStats;
  readonly logger: Logger;
}

type Send = (message: Buffer) => void;

/** Answers questions for names at the addresses of one listener, by UDP and by TCP (RFC 7766 §5 demands both). */
export class DnsListener {
  readonly #options: DnsListenerOptions;
  readonly #sockets: DatagramSocket[] = [];
  readonly #servers: Server[] = [];
  readonly #connections = new Set<Socket>();
  /** As bound. */
  readonly addresses: SocketAddress[] = [];
  #names: NameTable;
  #forwarder: Forwarder | undefined;
  #isClosed = false;

  constructor(options: DnsListenerOptions) {
    this.#options = options;
    this.#names = bindNames(options.config);
    this.#forwarder = this.#forwarderOf(options.config);
  }

  /** Rejects, with nothing left open, when an address cannot be had. When it is closed meanwhile, it resolves and nothing is open either. */
  async listen(): Promise<void> {
    try {
      for (const address of this.#options.config.addresses) if (!this.#isClosed) await this.#open(address);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Takes another table and other limits at the same addresses. */
  update(config: DnsFilterConfig): void {
    this.#names = bindNames(config);
    this.#forwarder?.close();
    this.#forwarder = this.#forwarderOf(config);
  }

  close(): void {
    this.#isClosed = true;
    this.#forwarder?.close();
    for (const socket of this.#sockets.splice(0)) socket.close();
    for (const server of this.#servers.splice(0)) server.close();
    for (const connection of this.#connections) connection.destroy();
  }

  #forwarderOf({ forwarding }: DnsFilterConfig): Forwarder | undefined {
    return forwarding && new Forwarder({ ...forwarding, resolvers: this.#options.resolvers() });
  }

  /**
   * Both transports have one port; TCP comes first, where ports are scarcer. A new generation binds beside the old one, which answers
   * until that one is ready.
   */
  async #open({ host, port }: SocketAddress): Promise<void> {
    const { logger, stats } = this.#options;
    const isIpv6 = host.includes(":");
    const server = createServer((connection) => this.#accept(connection));
    this.#servers.push(server);
    server.listen({ host, port, reusePort: true, exclusive: true, ipv6Only: isIpv6 });
    await listeningOrClosed(server);
    if (this.#isClosed) return;
    server.on("error", (error) => logger.error("questions by TCP cannot be taken", { error }));
    const { port: bound } = server.address() as AddressInfo;
    const socket = createSocket({ type: isIpv6 ? "udp6" : "udp4", reusePort: true, ipv6Only: isIpv6 });
    this.#sockets.push(socket);
    socket.on("message", (message, { address, port: from }) => {
      if (from === 0) {
        // Whoever sends from there wants no answer (RFC 768), and the runtime throws at an attempt to send one.
        stats.queries.add(1);
        stats.invalid.add(1);
        return;
      }
      this.#answer(message, "udp", (reply) => {
        if (!this.#isClosed) socket.send(reply, from, address);
      });
    });
    socket.bind({ address: host, port: bound, exclusive: true });
    await listeningOrClosed(socket);
    if (this.#isClosed) return;
    socket.on("error", (error) => logger.error("questions for names cannot be read", { error }));
    this.addresses.push({ host, port: bound });
  }

  #accept(connection: Socket): void {
    connection.on("error", () => connection.destroy());
    if (this.#connections.size >= maxConnections) {
      this.#options.stats.tcpOverflow.add(1);
      connection.destroy();
      return;
    }
    this.#connections.add(connection);
    connection.on("close", () => this.#connections.delete(connection));
    connection.setTimeout(idleMs, () => connection.destroy());
    const stream = new MessageStream(maxQueryBytes);
    connection.on("data", (bytes: Buffer) => {
      stream.push(bytes);
      this.#serve(connection, stream);
    });
  }

  /** One question at a time: a client that asks faster than it is answered waits in its own socket. */
  #serve(connection: Socket, stream: MessageStream): void {
    if (stream.isTooLong) {
      this.#options.stats.invalid.add(1);
      connection.destroy();
      return;
    }
    const message = stream.next();
    if (message === undefined) {
      connection.resume();
      return;
    }
    connection.pause();
    const isAnswered = this.#answer(message, "tcp", (reply) => {
      if (connection.destroyed) return;
      connection.write(withLength(reply), () => this.#serve(connection, stream));
    });
    // Somebody who sends answers here is no client.
    if (!isAnswered) connection.destroy();
  }

  /** False: there will be no answer. */
  #answer(message: Buffer, transport: Transport, send: Send): boolean {
    const { stats } = this.#options;
    stats.queries.add(1);
    const parsed = message.length > maxQueryBytes ? undefined : parseQuery(message);
    if (parsed === undefined || parsed.kind === "ignored") {
      stats.invalid.add(1);
      return false;
    }
    const about = parsed.kind === "query" ? parsed.query : parsed.refusal;
    const reply = (answer: Partial<DnsAnswer>): void => {
      const whole = { code: dnsCode.noError, isAuthoritative: false, addresses: [], ttlSeconds: 0, ...answer };
      send(encodeAnswer(about, whole, transport === "udp" ? about.udpBytes : largestMessage));
    };
    if (parsed.kind === "refused") {
      stats.invalid.add(1);
      reply({ code: parsed.code });
      return true;
    }
    const { query } = parsed;
    stats.count("queries", query.type);
    const known = this.#names.get(query.name);
    if (known !== undefined) {
      stats.known.add(1);
      stats.count("local", query.type);
      // Of other types the name has none, which is not the same as that it did not exist (RFC 2308 §2.2).
      const addresses = query.type === dnsType.a ? known.ipv4 : query.type === dnsType.aaaa ? known.ipv6 : [];
      reply({ isAuthoritative: true, addresses, ttlSeconds: known.ttlSeconds });
      return true;
    }
    if (this.#forwarder === undefined) {
      reply({ code: dnsCode.nxDomain });
      return true;
    }
    stats.count("external", query.type);
    const isOnItsWay = this.#forwarder.ask(message, query, transport, (answer) => {
      if (answer !== undefined) return send(answer);
      stats.unanswered.add(1);
      reply({ code: dnsCode.servFail });
    });
    if (!isOnItsWay) {
      stats.bufferOverflow.add(1);
      reply({ code: dnsCode.servFail });
    }
    return true;
  }
}

/** Rejects with the "error" that comes in the place of both. */
async function listeningOrClosed(socket: Server | DatagramSocket): Promise<void> {
  await Promise.race([once(socket, "listening"), once(socket, "close")]);
}
