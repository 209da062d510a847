import type { BoundFilterChain, ConnectionView } from "@heddle/engine";
import type { StreamSocket } from "@heddle/net";
import type { WorkerContext } from "./context.ts";
import type { HeldStream } from "./held-streams.ts";
import type { HttpChain } from "./http-chain.ts";

/**
 * The current version of one filter chain, shared by the connections that chose it: a new policy or route table holds for
 * the next request of a connection that is already open.
 */
export interface ChainSlot {
  /** undefined: the chain is gone, and its connections are to end. */
  chain: BoundFilterChain | undefined;
  http: HttpChain | undefined;
}

/** A connection that has found its filter chain. */
export interface ServedConnection {
  readonly view: ConnectionView;
  readonly slot: ChainSlot;
  /** It ends when nothing is in progress on it, and says so to its client. */
  drain(): void;
  /** The time to drain is over: what is in progress is answered, if it still can be, and the connection ends. */
  cut(): void;
  destroy(): void;
  /** `reduce_timeouts` is active: what would have run out of its reduced time runs out. Called with each pulse of the worker. */
  reduceTimeouts(nowMs: number): void;
  /** Adds its streams that hold at least so many bytes. Only those of HTTP/2 can be reset one by one (as in Envoy). */
  findHeldStreams?(leastBytes: number, found: HeldStream[]): void;
}

/** Who keeps the list of open connections. */
export interface ConnectionObserver {
  onConnectionClosed(connection: ServedConnection): void;
  /** What it speaks is known now: `next` serves it from here on. */
  onConnectionReplaced(connection: ServedConnection, next: ServedConnection): void;
}

/** What a connection that ends in HTTP is made of, whatever it speaks. */
export interface HttpConnectionParts {
  readonly worker: WorkerContext;
  readonly socket: StreamSocket;
  readonly slot: ChainSlot;
  /** The version of the filter chain that was chosen. */
  readonly chain: HttpChain;
  readonly view: ConnectionView;
  readonly observer: ConnectionObserver;
}
