import type { Message } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Clock } from "@heddle/core";
import type { Node } from "../api/index.ts";
import { CLUSTER_TYPE, ENDPOINT_TYPE, LISTENER_TYPE, ROUTE_TYPE } from "../api/index.ts";
import { referencesOf } from "../references.ts";
import type { Protocol } from "./protocol.ts";
import type { Nack, ProxyStatus } from "./proxy-status.ts";
import { nextPush } from "./push-plan.ts";
import type { ResourceSnapshot } from "./snapshot.ts";
import type { Push } from "./subscription.ts";
import { Subscription } from "./subscription.ts";

/** More types than xDS has; a client that asks for more is broken or hostile. */
const maxTypes = 64;
/** Names of one type that one stream may ask for: a bound on what a client can make the server remember. */
const maxNames = 200_000;

export interface ProxyStreamOptions<Request extends Message, Response extends Message> {
  readonly streamId: number;
  readonly proxyId: string;
  readonly node: Node;
  readonly protocol: Protocol<Request, Response>;
  readonly identifier: string;
  readonly clock: Clock;
  readonly onNack: (type: string, nack: Nack) => void;
  readonly onStatusChange: () => void;
}

/**
 * One stream of one proxy: requests and snapshots come in, `next` says what to send. A response is made when the transport
 * takes one, from the newest snapshot: however slow a proxy is, there is one response under way per type and nothing queued.
 */
export class ProxyStream<Request extends Message, Response extends Message> {
  readonly proxyId: string;
  readonly streamId: number;
  readonly node: Node;
  readonly #options: ProxyStreamOptions<Request, Response>;
  readonly #connectedAtMs: number;
  readonly #subscriptions = new Map<string, Subscription>();
  #snapshot: ResourceSnapshot | undefined;
  #syncedVersion: string | undefined;
  #nonce = 0;
  #end: { readonly error: ConnectError | undefined } | undefined;
  #wake: (() => void) | undefined;

  constructor(options: ProxyStreamOptions<Request, Response>) {
    this.#options = options;
    this.proxyId = options.proxyId;
    this.streamId = options.streamId;
    this.node = options.node;
    this.#connectedAtMs = options.clock.wallMs();
  }

  setSnapshot(snapshot: ResourceSnapshot): void {
    this.#snapshot = snapshot;
    this.#notify();
  }

  /** @throws ConnectError for a request that breaks the protocol. */
  receive(request: Request): void {
    const { protocol } = this.#options;
    const head = protocol.readHead(request);
    if (head.type === "") throw new ConnectError("type_url is missing", Code.InvalidArgument);
    if (head.node !== undefined && head.node.id !== this.node.id && head.node.id !== "") {
      throw new ConnectError(`the stream is node ${this.node.id}'s, not ${head.node.id}'s`, Code.InvalidArgument);
    }
    const subscription = this.#subscriptionOf(head.type);
    if (!protocol.subscribe(request, subscription)) return;
    if (subscription.names.size > maxNames) {
      throw new ConnectError(`more than ${maxNames} names of ${head.type}`, Code.ResourceExhausted);
    }
    this.#takeAnswer(subscription, head.nonce, head.refusal);
    this.#notify();
  }

  /** The next response to send; undefined when there is nothing to send now. */
  next(): Response | undefined {
    while (this.#snapshot !== undefined && this.#end === undefined) {
      const push = nextPush(this.#subscriptions, this.#snapshot);
      if (push === undefined) {
        this.#noteSync(this.#snapshot);
        return undefined;
      }
      const response = this.#respond(push, this.#snapshot.version);
      if (response !== undefined) return response;
    }
    return undefined;
  }

  /** Ends the stream: with an error, or as a server does that goes away. */
  close(error?: ConnectError): void {
    this.#end ??= { error };
    this.#notify();
  }

  get end(): { readonly error: ConnectError | undefined } | undefined {
    return this.#end;
  }

  /** Resolves at the next request, snapshot or close. One waiter. */
  changed(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  status(): ProxyStatus {
    return {
      proxyId: this.proxyId,
      nodeId: this.node.id,
      streamId: this.streamId,
      protocol: this.#options.protocol.name,
      connectedAtMs: this.#connectedAtMs,
      targetVersion: this.#snapshot?.version,
      syncedVersion: this.#syncedVersion,
      types: [...this.#subscriptions.values()].map((subscription) => subscription.status()),
    };
  }

  #subscriptionOf(type: string): Subscription {
    let subscription = this.#subscriptions.get(type);
    if (subscription === undefined) {
      if (this.#subscriptions.size >= maxTypes) {
        throw new ConnectError(`more than ${maxTypes} resource types`, Code.ResourceExhausted);
      }
      subscription = new Subscription(type);
      this.#subscriptions.set(type, subscription);
    }
    return subscription;
  }

  #takeAnswer(subscription: Subscription, nonce: string, refusal: string | undefined): void {
    if (nonce === "") return;
    const atMs = this.#options.clock.wallMs();
    if (refusal === undefined) {
      if (subscription.acknowledge(nonce, atMs)) this.#options.onStatusChange();
      return;
    }
    const nack = subscription.refuse(nonce, refusal, atMs);
    if (nack !== undefined) {
      this.#options.onNack(subscription.type, nack);
      this.#options.onStatusChange();
    }
  }

  #respond(push: Push, version: string): Response | undefined {
    const { protocol, identifier, clock } = this.#options;
    const { subscription } = push;
    this.#repeatDependents(push);
    subscription.apply(push);
    const nonce = String(this.#nonce + 1);
    const response = protocol.respond(push, { version, nonce, identifier });
    if (response !== undefined) {
      this.#nonce += 1;
      subscription.awaitAnswer(nonce, version, clock.wallMs(), protocol.contents(push));
      this.#options.onStatusChange();
    }
    return response;
  }

  /**
   * A cluster or listener that changes is warmed anew, and Envoy then waits for its endpoints or routes although it has them:
   * they are sent again.
   */
  #repeatDependents(push: Push): void {
    const { type } = push.subscription;
    if (type !== CLUSTER_TYPE && type !== LISTENER_TYPE) return;
    for (const { message } of push.subscription.replacedBy(push)) {
      const references = referencesOf(message);
      this.#subscriptions.get(ENDPOINT_TYPE)?.sendAgain(references.endpoints);
      this.#subscriptions.get(ROUTE_TYPE)?.sendAgain(references.routes);
    }
  }

  #noteSync(snapshot: ResourceSnapshot): void {
    const subscriptions = [...this.#subscriptions.values()];
    const isSynced = subscriptions.every((subscription) => !subscription.isOutstanding && !subscription.isRefused);
    if (isSynced && subscriptions.length > 0 && this.#syncedVersion !== snapshot.version) {
      this.#syncedVersion = snapshot.version;
      this.#options.onStatusChange();
    }
  }

  #notify(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}
