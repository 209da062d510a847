import net from "node:net";
import type { Serializable, SendHandle } from "node:child_process";

/** The runtime's TCP handle, as far as it is used here. */
interface TcpHandle {
  readonly fd: number;
  getsockname(out: { address?: string; port?: number }): number;
  close(): void;
}

/** Binds (family 4 or 6), or opens an inherited descriptor; does not listen. Answers a negative errno when it fails. */
type CreateHandle = (
  host: string | null,
  port: number,
  family: number,
  fd: number | undefined,
  flags?: number,
) => TcpHandle | number;

// Not in the documented API, yet what `cluster` is built on: the public way to a socket, `listen`, would also accept
// connections here, and the supervisor must only hold it.
const createHandle = (net as unknown as { _createServerHandle: CreateHandle })._createServerHandle;

/** A socket that is bound and held, but on which this process never accepts. */
export interface BoundSocket {
  readonly host: string;
  readonly port: number;
  /** Sends it beside a message; the other process gets a descriptor of its own. */
  sendTo(send: (message: Serializable, handle: SendHandle) => void, message: Serializable): void;
  close(): void;
}

export type BindResult = { socket: BoundSocket } | { socket: undefined; code: string; message: string };

/** Binds `host` (an IP literal) and `port` (0: any). Fails with `port_in_use` when somebody listens there. */
export function bindSocket(host: string, port: number): BindResult {
  const family = net.isIP(host);
  if (family === 0) return { socket: undefined, code: "config_invalid", message: `${host} is not an IP address` };
  const handle = createHandle(host, port, family, undefined, 0);
  if (typeof handle === "number") return { socket: undefined, code: "bind_failed", message: describeErrno(handle, host, port) };
  const name = addressOf(handle);
  // libuv reports EADDRINUSE only when one listens; until then such a socket has no port.
  if (name.port === 0 || (port !== 0 && name.port !== port)) {
    handle.close();
    return { socket: undefined, code: "port_in_use", message: `${formatAddress(host, port)} is already in use` };
  }
  return { socket: wrap(handle, name.host, name.port) };
}

/** Takes over a bound descriptor that the parent process passed on. */
export function adoptSocket(fd: number): BindResult {
  let handle: TcpHandle | number;
  try {
    handle = createHandle(null, -1, -1, fd, 0);
  } catch (error) {
    return { socket: undefined, code: "bind_failed", message: `descriptor ${fd} is not a socket: ${(error as Error).message}` };
  }
  if (typeof handle === "number") {
    return { socket: undefined, code: "bind_failed", message: `descriptor ${fd} cannot be used (errno ${-handle})` };
  }
  const name = addressOf(handle);
  return { socket: wrap(handle, name.host, name.port) };
}

function wrap(handle: TcpHandle, host: string, port: number): BoundSocket {
  return {
    host,
    port,
    sendTo: (send, message) => send(message, handle as unknown as SendHandle),
    close: () => handle.close(),
  };
}

function addressOf(handle: TcpHandle): { host: string; port: number } {
  const out: { address?: string; port?: number } = {};
  handle.getsockname(out);
  return { host: out.address ?? "", port: out.port ?? 0 };
}

function describeErrno(errno: number, host: string, port: number): string {
  const where = formatAddress(host, port);
  if (errno === -13) return `no permission to bind ${where}: ports below 1024 need a capability`;
  if (errno === -99) return `${where} is not an address of this host`;
  return `cannot bind ${where} (errno ${-errno})`;
}

export function formatAddress(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
