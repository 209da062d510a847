import type { ErrorCode } from "@heddle/core";

/**
 * Why a connection ended against its owner's will. A tagged value, not an Error: peers cause these at will.
 * - `refused`: the TCP connection was not made. `timeout`: it, or its handshake, was not made in time.
 * - `reset`: it was made and then lost. `tls`: the handshake failed or the TLS stream was damaged.
 * - `plaintext`: no TLS at all where it belongs.
 * - `peer`: one side does not accept the other's certificate. `local`: this side gave up (limits, a resource that ran out).
 */
export interface SocketFailure {
  readonly kind: "refused" | "timeout" | "reset" | "tls" | "plaintext" | "peer" | "local";
  readonly code: ErrorCode;
  /** For logs and %UPSTREAM_TRANSPORT_FAILURE_REASON%: what happened and, where it can be guessed, the operator's cause. */
  readonly text: string;
  /** The system's or OpenSSL's own name of it, e.g. `ECONNREFUSED`; empty when this side decided. */
  readonly cause: string;
}

const connectTexts: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused: nothing listens there, has the workload started?",
  EHOSTUNREACH: "no route to host: is the address right and the host up?",
  ENETUNREACH: "network unreachable: does this host have a route, or IPv6 at all?",
  ETIMEDOUT: "no answer: a silent firewall or NetworkPolicy may block the port",
  ECONNRESET: "reset while connecting: the listener's queue may be full",
  EADDRNOTAVAIL: "no free local port: too many connections to one address, or the address is not local",
  EMFILE: "too many open files in this process: raise its limit (ulimit -n)",
  ENFILE: "too many open files on this host",
  ENOBUFS: "the host is out of network buffers",
  EACCES: "the operating system refuses the connection: a local firewall rule?",
  EPERM: "the operating system refuses the connection: a local firewall rule?",
};

/** The failure of a connection attempt that the system ended with this error name. */
export function connectFailure(cause: string): SocketFailure {
  const isTimeout = cause === "ETIMEDOUT";
  return {
    kind: isTimeout ? "timeout" : "refused",
    code: isTimeout ? "upstream_connect_timeout" : "upstream_connect_failed",
    text: connectTexts[cause] ?? `connecting failed (${cause})`,
    cause,
  };
}

/** The failure of an established connection that the system ended with this error name. */
export function establishedFailure(cause: string, isOutbound: boolean): SocketFailure {
  return {
    kind: "reset",
    code: isOutbound ? "upstream_reset" : "downstream_closed",
    text: cause === "ECONNRESET" || cause === "EPIPE" ? "connection reset by the peer" : `connection lost (${cause})`,
    cause,
  };
}

/** The error name of what an emitter of the runtime reported. */
export function causeOf(error: unknown): string {
  if (error instanceof Error && "code" in error && typeof error.code === "string") return error.code;
  return error instanceof Error ? error.message : String(error);
}
