import type { Message } from "@bufbuild/protobuf";
import type { ConnectRouter, ContextKey, HandlerContext } from "@connectrpc/connect";
import { Code, ConnectError, createContextKey } from "@connectrpc/connect";
import type { Clock, Logger } from "@heddle/core";
import { AggregatedDiscoveryService } from "../api/discovery-service.ts";
import type { Node } from "../api/index.ts";
import { delta } from "./delta.ts";
import type { Protocol } from "./protocol.ts";
import { ProxyStream } from "./proxy-stream.ts";
import type { ProxyStatus } from "./proxy-status.ts";
import type { ResourceSnapshot } from "./snapshot.ts";
import { sotw } from "./sotw.ts";

export type Authorization =
  | { readonly ok: true /** What snapshots are set for. */; readonly proxyId: string }
  | { readonly ok: false; readonly reason: string };

export interface AdsServerOptions<Peer> {
  /** Whether this peer may be this node. Called once per stream, before anything else is read from it. */
  authorize(peer: Peer | undefined, node: Node): Authorization;
  /** A stream was opened: the provider reads capabilities from `node.metadata` and then calls `setSnapshot`, soon or at once. */
  onNode(proxyId: string, node: Node): void;
  /** The last stream of a proxy has closed; its snapshot is forgotten. */
  onGone?(proxyId: string): void;
  /** Something in `status()` changed for this proxy. */
  onStatusChange?(proxyId: string): void;
  /** Who answers, as shown to proxies in `control_plane.identifier`. */
  readonly identifier?: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Larger than any honest request: a reconnecting client names each resource it holds. */
const maxRequestBytes = 16 * 1024 * 1024;

/** A stream of either protocol, as the server keeps it. */
type Stream = Pick<
  ProxyStream<Message, Message>,
  "proxyId" | "streamId" | "node" | "end" | "setSnapshot" | "close" | "status"
>;

/**
 * Aggregated discovery (xDS v3), delta and state of the world. It opens no socket: `routes` is mounted beside other services
 * with `connectNodeAdapter`, whose `contextValues` puts the peer's verified identity under `peerKey`.
 */
export class AdsServer<Peer = unknown> {
  /** Where the transport puts the verified identity of the peer's certificate. */
  readonly peerKey: ContextKey<Peer | undefined> = createContextKey<Peer | undefined>(undefined, {
    description: "verified peer of the connection",
  });
  readonly #options: AdsServerOptions<Peer>;
  readonly #streams = new Map<string, Set<Stream>>();
  readonly #snapshots = new Map<string, ResourceSnapshot>();
  #lastStreamId = 0;
  #isDraining = false;
  #onDrained: (() => void) | undefined;

  constructor(options: AdsServerOptions<Peer>) {
    this.#options = options;
  }

  /** Registers the service. Responses are not compressed: they stay on the local network, and CPU is dearer there. */
  readonly routes = (router: ConnectRouter): void => {
    router.service(
      AggregatedDiscoveryService,
      {
        deltaAggregatedResources: (requests, context) => this.#serve(delta, requests, context),
        streamAggregatedResources: (requests, context) => this.#serve(sotw, requests, context),
      },
      { readMaxBytes: maxRequestBytes, acceptCompression: [] },
    );
  };

  /** What the proxy should have from now on. A push that is under way goes on towards the new snapshot. */
  setSnapshot(proxyId: string, snapshot: ResourceSnapshot): void {
    const streams = this.#streams.get(proxyId);
    if (streams === undefined) return;
    this.#snapshots.set(proxyId, snapshot);
    for (const stream of streams) stream.setSnapshot(snapshot);
  }

  /** All open streams. */
  status(): ProxyStatus[] {
    return [...this.#allStreams()].map((stream) => stream.status());
  }

  /** Closes a proxy's streams with PERMISSION_DENIED: its identity was revoked or has expired. Its snapshot is forgotten. */
  disconnect(proxyId: string, reason: string): void {
    // A stream that cannot write stays for a while, and who comes meanwhile may be another.
    this.#snapshots.delete(proxyId);
    for (const stream of this.#streams.get(proxyId) ?? []) {
      stream.close(new ConnectError(reason, Code.PermissionDenied));
    }
  }

  /** Ends every stream and refuses new ones; resolves when all are closed. Proxies go on with what they have. */
  async drain(): Promise<void> {
    this.#isDraining = true;
    for (const stream of this.#allStreams()) stream.close();
    if (this.#streams.size > 0) {
      await new Promise<void>((resolve) => {
        this.#onDrained = resolve;
      });
    }
  }

  async *#serve<Request extends Message, Response extends Message>(
    protocol: Protocol<Request, Response>,
    requests: AsyncIterable<Request>,
    context: HandlerContext,
  ): AsyncGenerator<Response> {
    const incoming = requests[Symbol.asyncIterator]();
    const first = await incoming.next();
    if (first.done === true) return;
    const { node } = protocol.readHead(first.value);
    const stream = this.#authorized(protocol, node, context.values.get(this.peerKey));
    const onAbort = (): void => stream.close();
    context.signal.addEventListener("abort", onAbort);
    if (context.signal.aborted) stream.close();
    try {
      this.#open(stream);
      stream.receive(first.value);
      void this.#read(incoming, stream);
      while (stream.end === undefined) {
        const response = stream.next();
        if (response === undefined) {
          await stream.changed();
        } else {
          // The transport asks for the next response when it has room: a slow proxy waits here, alone.
          yield response;
        }
      }
      if (stream.end.error !== undefined) throw stream.end.error;
    } finally {
      context.signal.removeEventListener("abort", onAbort);
      this.#close(stream);
    }
  }

  #authorized<Request extends Message, Response extends Message>(
    protocol: Protocol<Request, Response>,
    node: Node | undefined,
    peer: Peer | undefined,
  ): ProxyStream<Request, Response> {
    const { logger, clock, identifier = "heddle" } = this.#options;
    if (this.#isDraining) throw new ConnectError("the control plane is shutting down", Code.Unavailable);
    if (node === undefined || node.id === "") {
      throw new ConnectError("the first request must say which node it is (node.id)", Code.InvalidArgument);
    }
    const authorization = this.#options.authorize(peer, node);
    if (!authorization.ok) {
      logger.warn("xds node refused", { node: node.id, reason: authorization.reason });
      throw new ConnectError(authorization.reason, Code.PermissionDenied);
    }
    const { proxyId } = authorization;
    this.#lastStreamId += 1;
    return new ProxyStream({
      streamId: this.#lastStreamId,
      proxyId,
      node,
      protocol,
      identifier,
      clock,
      onNack: (type, nack) => logger.warn("xds update refused", { proxy: proxyId, type, ...nack }),
      onStatusChange: () => this.#options.onStatusChange?.(proxyId),
    });
  }

  #open(stream: Stream): void {
    const { proxyId, streamId, node } = stream;
    const streams = this.#streams.get(proxyId);
    if (streams === undefined) {
      this.#streams.set(proxyId, new Set([stream]));
    } else {
      streams.add(stream);
    }
    this.#options.logger.info("xds stream opened", { proxy: proxyId, node: node.id, stream: streamId });
    const snapshot = this.#snapshots.get(proxyId);
    if (snapshot !== undefined) stream.setSnapshot(snapshot);
    this.#options.onNode(proxyId, node);
  }

  async #read<Request extends Message, Response extends Message>(
    incoming: AsyncIterator<Request>,
    stream: ProxyStream<Request, Response>,
  ): Promise<void> {
    try {
      for (let next = await incoming.next(); next.done !== true; next = await incoming.next()) {
        stream.receive(next.value);
      }
      stream.close();
    } catch (error) {
      stream.close(ConnectError.from(error));
    }
  }

  #close(stream: Stream): void {
    const { proxyId, streamId, end } = stream;
    this.#options.logger.info("xds stream closed", { proxy: proxyId, stream: streamId, reason: end?.error?.message });
    const streams = this.#streams.get(proxyId);
    streams?.delete(stream);
    if (streams?.size === 0) {
      this.#streams.delete(proxyId);
      this.#snapshots.delete(proxyId);
      this.#options.onGone?.(proxyId);
    }
    if (this.#streams.size === 0) this.#onDrained?.();
  }

  *#allStreams(): Generator<Stream> {
    for (const streams of this.#streams.values()) yield* streams;
  }
}
