import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket, isIPv4 } from "node:net";
import type { TestContext } from "node:test";

/** What a name is answered with. */
export interface DnsAnswer {
  /** IPv4 and IPv6 literals; each is told to those that ask for its kind. */
  readonly addresses?: readonly string[];
  readonly ttlSeconds?: number;
  /** 2: SERVFAIL, 3: NXDOMAIN, 5: REFUSED (RFC 1035 §4.1.1). */
  readonly failure?: number;
  /** UDP says that the answer did not fit, so that it is fetched over TCP. */
  readonly isTruncated?: boolean;
}

export interface DnsServerQuestion {
  readonly name: string;
  readonly type: "A" | "AAAA" | "other";
  readonly over: "udp" | "tcp";
}

const typeA = 1;
const typeAaaa = 28;
const headBytes = 12;
const nameError = 3;

/** A DNS server on 127.0.0.1, UDP and TCP at one port, that says what the test wrote into `names`; closed after the test. */
export class DnsServer {
  /** By name in lower case. A name that is not here does not exist. */
  readonly names = new Map<string, DnsAnswer>();
  readonly questions: DnsServerQuestion[] = [];
  readonly port: number;
  readonly #waiting: (() => void)[] = [];

  private constructor(udp: UdpSocket, tcp: Server) {
    this.port = (tcp.address() as AddressInfo).port;
    udp.on("message", (message, from) => {
      const reply = this.#reply(message, "udp");
      if (reply !== undefined) udp.send(reply, from.port, from.address);
    });
    tcp.on("connection", (socket) => this.#serve(socket));
  }

  static async start(t: TestContext): Promise<DnsServer> {
    const tcp = createServer();
    tcp.listen(0, "127.0.0.1");
    await once(tcp, "listening");
    const udp = createSocket("udp4");
    udp.bind((tcp.address() as AddressInfo).port, "127.0.0.1");
    await once(udp, "listening");
    t.after(() => {
      udp.close();
      tcp.close();
    });
    return new DnsServer(udp, tcp);
  }

  /** Resolves when the condition holds; it is asked after every question. */
  async until(condition: (server: this) => boolean): Promise<void> {
    while (!condition(this)) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** Over TCP each message is preceded by its length (RFC 1035 §4.2.2). */
  #serve(socket: Socket): void {
    let held: Buffer = Buffer.alloc(0);
    socket.on("error", () => socket.destroy());
    socket.on("data", (bytes: Buffer) => {
      held = Buffer.concat([held, bytes]);
      while (held.length >= 2 && held.length >= 2 + held.readUInt16BE(0)) {
        const end = 2 + held.readUInt16BE(0);
        const reply = this.#reply(held.subarray(2, end), "tcp");
        held = held.subarray(end);
        if (reply === undefined) continue;
        const length = Buffer.alloc(2);
        length.writeUInt16BE(reply.length);
        socket.write(Buffer.concat([length, reply]));
      }
    });
  }

  #reply(query: Buffer, over: "udp" | "tcp"): Buffer | undefined {
    const question = readQuestion(query);
    if (question === undefined) return undefined;
    const { name, type, bytes } = question;
    this.questions.push({ name, type: type === typeA ? "A" : type === typeAaaa ? "AAAA" : "other", over });
    for (const resolve of this.#waiting.splice(0)) resolve();
    const answer = this.names.get(name) ?? { failure: nameError };
    const isCut = over === "udp" && answer.isTruncated === true;
    const addresses = (answer.addresses ?? []).filter((address) => isIPv4(address) === (type === typeA));
    const records = isCut || answer.failure !== undefined ? [] : addresses;
    const head = Buffer.alloc(headBytes);
    head.writeUInt16BE(query.readUInt16BE(0), 0);
    // A response that is authoritative, to a question that wanted recursion, which is available.
    head.writeUInt16BE(0x8580 | (isCut ? 0x0200 : 0) | (answer.failure ?? 0), 2);
    head.writeUInt16BE(1, 4);
    head.writeUInt16BE(records.length, 6);
    return Buffer.concat([head, bytes, ...records.map((address) => record(address, answer.ttlSeconds ?? 60))]);
  }
}

/** The one question of a query, and its bytes; undefined: it is no query. */
function readQuestion(query: Buffer): { name: string; type: number; bytes: Buffer } | undefined {
  const labels: string[] = [];
  let at = headBytes;
  for (;;) {
    const length = query[at];
    if (length === undefined || length > 63) return undefined;
    at += 1;
    if (length === 0) break;
    labels.push(query.toString("latin1", at, at + length));
    at += length;
  }
  if (at + 4 > query.length) return undefined;
  return {
    name: labels.join(".").toLowerCase(),
    type: query.readUInt16BE(at),
    bytes: query.subarray(headBytes, at + 4),
  };
}

/** An address of the name that was asked for, which is pointed at (RFC 1035 §4.1.4). */
function record(address: string, ttlSeconds: number): Buffer {
  const data = isIPv4(address) ? Buffer.from(address.split(".").map(Number)) : ipv6Bytes(address);
  const head = Buffer.alloc(headBytes);
  head.writeUInt16BE(0xc000 | headBytes, 0);
  head.writeUInt16BE(isIPv4(address) ? typeA : typeAaaa, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt32BE(ttlSeconds, 6);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}

function ipv6Bytes(address: string): Buffer {
  const [front = "", back] = address.split("::");
  const groups = (text: string): number[] =>
    text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16));
  const first = groups(front);
  const last = back === undefined ? [] : groups(back);
  const bytes = Buffer.alloc(16);
  [...first, ...Array<number>(8 - first.length - last.length).fill(0), ...last].forEach((group, index) =>
    bytes.writeUInt16BE(group, index * 2),
  );
  return bytes;
}
