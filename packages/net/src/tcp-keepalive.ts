import { integers, libc } from "./libc.ts";

/** Probes of an idle connection (tcp(7)); undefined members stay the operating system's, as in Envoy's `TcpKeepalive`. */
export interface TcpKeepalive {
  /** TCP_KEEPCNT: unanswered probes until the connection is given up. */
  readonly probes?: number | undefined;
  /** TCP_KEEPIDLE: idle time before the first probe. */
  readonly timeSeconds?: number | undefined;
  /** TCP_KEEPINTVL: between two probes. */
  readonly intervalSeconds?: number | undefined;
}

interface OptionNumbers {
  readonly socketLevel: number;
  readonly keepAlive: number;
  readonly tcpLevel: number;
  readonly idle: number;
  readonly interval: number;
  readonly count: number;
}

/** From each system's headers: Node has no names for them. */
const numbersOf: Partial<Record<NodeJS.Platform, OptionNumbers>> = {
  linux: { socketLevel: 1, keepAlive: 9, tcpLevel: 6, idle: 4, interval: 5, count: 6 },
  darwin: { socketLevel: 0xffff, keepAlive: 8, tcpLevel: 6, idle: 0x10, interval: 0x101, count: 0x102 },
};

/**
 * Turns probes on. Not by the runtime's `setKeepAlive`: it sets interval and count to values of its own.
 *
 * @returns what went wrong; undefined when all is set
 */
export function setTcpKeepalive(
  descriptor: number,
  { probes, timeSeconds, intervalSeconds }: TcpKeepalive,
): string | undefined {
  const numbers = numbersOf[process.platform];
  const calls = libc();
  if (numbers === undefined || calls === undefined)
    return "TCP keep-alive cannot be set with this runtime: it has no node:ffi";
  const set = (level: number, name: number, value: number | undefined): boolean =>
    value === undefined || calls.setsockopt(descriptor, level, name, integers(value), 4) === 0;
  const { socketLevel, keepAlive, tcpLevel, idle, interval, count } = numbers;
  if (!set(socketLevel, keepAlive, 1)) return "the system refuses TCP keep-alive on this socket";
  if (!set(tcpLevel, idle, timeSeconds)) return `the system refuses ${timeSeconds} s as keepalive_time`;
  if (!set(tcpLevel, interval, intervalSeconds)) return `the system refuses ${intervalSeconds} s as keepalive_interval`;
  if (!set(tcpLevel, count, probes)) return `the system refuses ${probes} as keepalive_probes`;
  return undefined;
}
