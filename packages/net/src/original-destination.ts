import { hostOfBytes } from "./ip-address.ts";
import type { SocketAddress } from "./ip-address.ts";
import { integers, libc } from "./libc.ts";

/** SO_ORIGINAL_DST and IP6T_SO_ORIGINAL_DST have one number (linux/netfilter_ipv4.h, linux/netfilter_ipv6/ip6_tables.h). */
const originalDst = 80;
const solIp = 0;
const solIpv6 = 41;
const solSocket = 1;
const soType = 3;
const sockStream = 1;

/** sockaddr_in6, the larger of the two. */
const addressBytes = 28;

/** One for all calls of the thread: each is read before the next is made. */
const answer = Buffer.alloc(addressBytes);
/** A length, as the kernel reads and writes it. */
const answerLength = new Uint32Array(1);
const answerLengthBytes = Buffer.from(answerLength.buffer);

/** Why connections cannot be asked where they were meant to go; undefined: they can be. */
export function originalDestinationProblem(): string | undefined {
  if (process.platform !== "linux") return "only Linux redirects connections and keeps their original destination";
  return libc() === undefined ? "this runtime has no node:ffi, by which the kernel is asked" : undefined;
}

/**
 * Where an accepted connection was meant to go before netfilter redirected it here (`iptables -j REDIRECT`, `DNAT`).
 *
 * @param descriptor of the accepted socket
 * @param localHost its canonical local address: an IPv4 client of a dual-stack listener is asked for as IPv4
 * @returns canonical; of a connection that was not redirected its own local address, or undefined where the kernel tracks no connections
 */
export function originalDestination(descriptor: number, localHost: string): SocketAddress | undefined {
  const isIpv6 = localHost.includes(":");
  const length = getOption(descriptor, isIpv6 ? solIpv6 : solIp, originalDst);
  return length === undefined ? undefined : parseSocketAddress(answer, length);
}

/** sockaddr_in or sockaddr_in6 (ip(7), ipv6(7)): family in the machine's order, port and address in the network's; undefined: neither. */
export function parseSocketAddress(bytes: Buffer, length: number): SocketAddress | undefined {
  const [family] = new Uint16Array(Uint8Array.from(bytes.subarray(0, 2)).buffer);
  const port = bytes.readUInt16BE(2);
  if (family === 2 && length >= 16) return { host: hostOfBytes(bytes, 4, 4), port };
  return family === 10 && length >= addressBytes ? { host: hostOfBytes(bytes, 8, 16), port } : undefined;
}

/**
 * Asks for what is known of a TCP connection that nobody redirected: its type, and that it was meant for where it went, if the kernel can say.
 *
 * @returns what was wrong; empty: nothing
 */
export function tryOriginalDestination(descriptor: number, local: SocketAddress): string {
  if (getOption(descriptor, solSocket, soType) !== 4 || !answer.subarray(0, 4).equals(integers(sockStream)))
    return "SO_TYPE is not SOCK_STREAM";
  const found = originalDestination(descriptor, local.host);
  if (found === undefined || (found.host === local.host && found.port === local.port)) return "";
  return `a connection that was not redirected was meant for ${found.host}, port ${found.port}`;
}

/** Fills `answer`. @returns the size of what the kernel wrote; undefined: it refused */
function getOption(descriptor: number, level: number, name: number): number | undefined {
  answerLength[0] = addressBytes;
  const status = libc()?.getsockopt(descriptor, level, name, answer, answerLengthBytes);
  return status === 0 ? answerLength[0] : undefined;
}
