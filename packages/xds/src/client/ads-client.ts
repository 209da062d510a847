import type { Message, MessageInitShape } from "@bufbuild/protobuf";
import { create } from "@bufbuild/protobuf";
import type { Clock, Logger, RandomSource } from "@heddle/core";
import type { Node, ResourceType } from "../api/index.ts";
import { CLUSTER_TYPE, ENDPOINT_TYPE, LISTENER_TYPE, NodeSchema, ROUTE_TYPE, SECRET_TYPE } from "../api/index.ts";
import type { BackoffOptions } from "./backoff.ts";
import { Backoff, defaultBackoff } from "./backoff.ts";
import { delta } from "./delta.ts";
import type { GrpcConnection } from "./grpc-connection.ts";
import type { Protocol, ReceivedResponse } from "./protocol.ts";
import { RequestQueue } from "./request-queue.ts";
import { sotw } from "./sotw.ts";
import type { AdsClientState } from "./state.ts";
import type { Timers } from "../keep-alive.ts";
import { TypeCache } from "./type-cache.ts";
import type { ReceivedResource, Rejection, ResourceUpdate, UpdateResult } from "./update.ts";

export interface AdsClientOptions {
  /** Who we are: id, cluster, `user_agent_name`, capabilities in `metadata`. */
  readonly node: MessageInitShape<typeof NodeSchema>;
  /** `api_type`: DELTA_GRPC, else GRPC (state of the world). */
  readonly delta: boolean;
  /** Opens a new connection, with the certificate of that moment. Called before every stream. */
  dial(signal: AbortSignal): Promise<GrpcConnection>;
  /**
   * Puts resources in force and says which it refuses. The ACK waits for the promise, so it must not wait for resources of
   * other types: what was accepted is only then asked for. Called for one update at a time. A rejected promise refuses all.
   */
  onUpdate(update: ResourceUpdate): Promise<UpdateResult>;
  /** Resources in force from an earlier run: they are told to the server and not fetched again. */
  readonly accepted?: ReadonlyMap<ResourceType, readonly ReceivedResource[]>;
  onStateChange?(): void;
  readonly backoff?: BackoffOptions;
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly timers: Timers<unknown>;
  readonly logger: Logger;
}

/** Referred-to types first: a server that orders its push then knows of them before the ACK of what refers to them. */
const subscriptionOrder: readonly ResourceType[] = [
  SECRET_TYPE,
  CLUSTER_TYPE,
  ENDPOINT_TYPE,
  LISTENER_TYPE,
  ROUTE_TYPE,
];

/** What one stream has told the server. */
interface Session<Request> {
  readonly requests: RequestQueue<Request>;
  /** type → names that the server knows we want. */
  readonly told: Map<string, Set<string>>;
  /** type → nonce of the last response. */
  readonly nonces: Map<string, string>;
  isFirstRequest: boolean;
}

/**
 * Client of an aggregated discovery service. Subscribe to clusters and listeners ("*"); endpoints of EDS clusters, routes of
 * RDS listeners and secrets over ADS are asked for as accepted resources refer to them. Losing the control plane changes
 * nothing: the client reconnects, and what was accepted stays in force.
 */
export class AdsClient {
  readonly #options: AdsClientOptions;
  readonly #node: Node;
  readonly #backoff: Backoff;
  readonly #types = new Map<string, TypeCache>();
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  #tellServer: (() => void) | undefined;
  #phase: AdsClientState["phase"] = "idle";
  #lastError: string | undefined;
  #identifier = "";
  #streamsOpened = 0;
  #streamsFailed = 0;

  constructor(options: AdsClientOptions) {
    this.#options = options;
    this.#node = create(NodeSchema, options.node);
    this.#backoff = new Backoff(options.backoff ?? defaultBackoff, options.random);
    for (const type of subscriptionOrder) this.#types.set(type, new TypeCache(type));
    for (const [type, resources] of options.accepted ?? []) this.#cacheOf(type).accept(resources, []);
    this.#follow();
  }

  /**
   * Asks for all resources of a type, or for these names besides those that accepted resources refer to.
   *
   * @throws when a type changes between all and names after `start`.
   */
  setSubscription(type: ResourceType, names: "*" | Iterable<string>): void {
    const cache = this.#cacheOf(type);
    const isWildcard = names === "*";
    if (this.#running !== undefined && isWildcard !== cache.isWildcard) {
      throw new Error(`whether all of ${type} are wanted is decided before start`);
    }
    cache.isWildcard = isWildcard;
    cache.chosen = new Set(isWildcard ? [] : names);
    cache.dropUnwanted();
    this.#tellServer?.();
  }

  /** Connects, and goes on connecting until `stop`. */
  start(): void {
    this.#running ??= this.#options.delta ? this.#run(delta) : this.#run(sotw);
  }

  /** Resolves when the stream is closed and no callback will be called any more. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    this.#setPhase("stopped");
  }

  get state(): AdsClientState {
    return {
      phase: this.#phase,
      connectedState: this.#phase === "connected" ? 1 : 0,
      lastError: this.#lastError,
      streamsOpened: this.#streamsOpened,
      streamsFailed: this.#streamsFailed,
      identifier: this.#identifier,
      types: [...this.#types.values()].map((cache) => cache.state()),
    };
  }

  async #run<Request extends Message, Response extends Message>(protocol: Protocol<Request, Response>): Promise<void> {
    const { logger } = this.#options;
    while (!this.#stopping.signal.aborted) {
      this.#setPhase("connecting");
      const reason = await this.#stream(protocol);
      if (this.#stopping.signal.aborted) return;
      const delayMs = this.#backoff.next();
      this.#lastError = reason;
      this.#streamsFailed += 1;
      logger.warn("xds stream ended, the configuration in force stays", { reason, retryInMs: Math.round(delayMs) });
      this.#setPhase("backing-off");
      await this.#sleep(delayMs);
    }
  }

  /** One stream from dial to end; returns why it ended. */
  async #stream<Request extends Message, Response extends Message>(
    protocol: Protocol<Request, Response>,
  ): Promise<string> {
    const session: Session<Request> = {
      requests: new RequestQueue(),
      told: new Map(),
      nonces: new Map(),
      isFirstRequest: true,
    };
    const { signal } = this.#stopping;
    let connection: GrpcConnection | undefined;
    try {
      connection = await this.#options.dial(signal);
      this.#tellServer = () => this.#tellNames(protocol, session);
      this.#tellServer();
      const responses = protocol.open(connection, session.requests, { signal });
      this.#onConnected();
      for await (const response of responses) {
        await this.#receive(protocol, session, response);
      }
      return "the server ended the stream";
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    } finally {
      this.#tellServer = undefined;
      session.requests.close();
      connection?.close();
    }
  }

  /** As in Envoy, once the connection stands: a server may have nothing to say for long, not even response headers. */
  #onConnected(): void {
    this.#streamsOpened += 1;
    this.#setPhase("connected");
    this.#options.logger.info("xds stream opened");
  }

  async #receive<Request extends Message, Response extends Message>(
    protocol: Protocol<Request, Response>,
    session: Session<Request>,
    message: Response,
  ): Promise<void> {
    // Only an answer proves that the server works: a stream that opens and breaks keeps the delays growing.
    this.#backoff.reset();
    const type = protocol.typeOf(message);
    const cache = this.#cacheOf(type);
    const response = protocol.read(message, cache);
    this.#identifier = response.identifier;
    session.nonces.set(type, response.nonce);
    cache.countAttempt();
    const outcome = await this.#apply(response);
    const rejected = [...response.unreadable, ...outcome.rejected];
    const refusedNames = new Set(rejected.map((rejection) => rejection.name));
    cache.accept(
      response.resources.filter((resource) => !refusedNames.has(resource.name)),
      outcome.removed,
    );
    const reason = rejected.length === 0 ? undefined : describe(rejected);
    if (reason === undefined) {
      cache.countSuccess(response.version);
    } else {
      cache.countRejection(reason);
      this.#options.logger.warn("xds update refused", { type, version: response.version, reason });
    }
    this.#follow();
    this.#tellNames(protocol, session);
    session.requests.push(protocol.answer(cache, response, reason));
    this.#options.onStateChange?.();
  }

  /** Lets the consumer put the readable resources in force. */
  async #apply(
    response: ReceivedResponse,
  ): Promise<{ readonly rejected: readonly Rejection[]; readonly removed: readonly string[] }> {
    const { type, resources: added, removed, isFull } = response;
    const isUnreadable = response.unreadable.length > 0 && added.length === 0 && removed.length === 0;
    if (isUnreadable) return { rejected: [], removed: [] };
    try {
      const { rejected } = await this.#options.onUpdate({ type, added, removed, isFull });
      return { rejected, removed };
    } catch (error) {
      const reason = `the update failed: ${error instanceof Error ? error.message : String(error)}`;
      this.#options.logger.error("xds update failed", { type, error });
      const names = added.length === 0 ? [""] : added.map(({ name }) => name);
      return { rejected: names.map((name) => ({ name, error: reason })), removed: [] };
    }
  }

  /** Wants what the accepted clusters and listeners refer to. */
  #follow(): void {
    const clusters = this.#cacheOf(CLUSTER_TYPE);
    const listeners = this.#cacheOf(LISTENER_TYPE);
    const referenced = [
      [ENDPOINT_TYPE, clusters.references("endpoints")],
      [ROUTE_TYPE, listeners.references("routes")],
      [SECRET_TYPE, [...clusters.references("secrets"), ...listeners.references("secrets")]],
    ] as const;
    for (const [type, names] of referenced) {
      const cache = this.#cacheOf(type);
      cache.referenced = new Set(names);
      cache.dropUnwanted();
    }
  }

  /** Tells the server what we want and it does not know yet. */
  #tellNames<Request extends Message, Response extends Message>(
    protocol: Protocol<Request, Response>,
    session: Session<Request>,
  ): void {
    for (const cache of this.#types.values()) {
      const told = session.told.get(cache.type);
      const wanted = cache.wanted();
      if (told === undefined) {
        if (!cache.isWanted) continue;
        const node = session.isFirstRequest ? this.#node : undefined;
        session.isFirstRequest = false;
        session.requests.push(protocol.subscribe(cache, node));
      } else {
        const added = [...wanted].filter((name) => !told.has(name));
        const dropped = [...told].filter((name) => !wanted.has(name));
        if (added.length === 0 && dropped.length === 0) continue;
        session.requests.push(protocol.resubscribe(cache, added, dropped, session.nonces.get(cache.type) ?? ""));
      }
      session.told.set(cache.type, wanted);
    }
  }

  #cacheOf(type: string): TypeCache {
    let cache = this.#types.get(type);
    if (cache === undefined) {
      cache = new TypeCache(type);
      this.#types.set(type, cache);
    }
    return cache;
  }

  async #sleep(delayMs: number): Promise<void> {
    const { timers } = this.#options;
    const { signal } = this.#stopping;
    await new Promise<void>((resolve) => {
      const handle = timers.setTimeout(finish, delayMs);
      signal.addEventListener("abort", finish, { once: true });
      function finish(): void {
        timers.clearTimeout(handle);
        signal.removeEventListener("abort", finish);
        resolve();
      }
    });
  }

  #setPhase(phase: AdsClientState["phase"]): void {
    if (this.#phase === phase) return;
    this.#phase = phase;
    this.#options.onStateChange?.();
  }
}

/** The text of a NACK. */
function describe(rejections: readonly Rejection[]): string {
  return rejections.map(({ name, error }) => (name === "" ? error : `${name}: ${error}`)).join("; ");
}
