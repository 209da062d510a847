import { silentLogger } from "@heddle/core";
import type { Message } from "@heddle/xds/api";
import { CLUSTER_TYPE, LISTENER_TYPE } from "@heddle/xds/api";
import type { AdsClientOptions, AdsClientState, ResourceUpdate } from "@heddle/xds/client";
import { AdsClient, GrpcConnection } from "@heddle/xds/client";
import { systemClock } from "../system-clock.ts";
import { EventWaiter } from "@heddle/testkit";
import { nodeIdOf } from "./mesh-files.ts";
import type { TestIdentity } from "./test-workload.ts";
import { tlsOptions } from "./test-workload.ts";

export interface TestProxyOptions {
  /** host:port of the control plane; asked before every connection. */
  readonly address: () => string;
  readonly rootPem: string;
  readonly identity: TestIdentity | undefined;
  readonly instanceId: string;
  /** `user_agent_name`; "heddle" unless said otherwise. */
  readonly userAgent?: string;
  /** What it says that it understands of `heddle.v1`; nothing unless given. */
  readonly capabilities?: readonly string[];
  readonly delta?: boolean;
  /** Says why a resource is refused; undefined: it is taken. */
  readonly refuse?: (type: string, name: string) => string | undefined;
  /** Awaited before an update is answered. */
  readonly hold?: () => Promise<void>;
}

/** A proxy as the control plane sees one: the real client, taking what it is given. */
export class TestProxy {
  readonly resources = new Map<string, Map<string, Message>>();
  /** Names of everything that was ever taken away from it. */
  readonly removed: string[] = [];
  readonly #events = new EventWaiter();
  readonly #client: AdsClient;
  readonly #options: TestProxyOptions;

  constructor(options: TestProxyOptions) {
    this.#options = options;
    const timers = { setTimeout, clearTimeout } as AdsClientOptions["timers"];
    this.#client = new AdsClient({
      node: {
        id: nodeIdOf(options.instanceId),
        userAgentName: options.userAgent ?? "heddle",
        metadata: options.capabilities === undefined ? {} : { HEDDLE_CAPABILITIES: [...options.capabilities] },
      },
      delta: options.delta ?? true,
      dial: (signal) => {
        const session = tlsOptions(options.rootPem, options.identity);
        return GrpcConnection.dial(
          { url: `https://${options.address()}`, session, connectTimeoutMs: 5000, timers },
          signal,
        );
      },
      onUpdate: async (update) => {
        await options.hold?.();
        return this.#take(update);
      },
      onStateChange: this.#events.notify,
      // Short, so that a test of reconnection is no long one.
      backoff: { baseMs: 10, maxMs: 100 },
      clock: systemClock,
      random: Math.random,
      timers,
      logger: silentLogger,
    });
    this.#client.setSubscription(CLUSTER_TYPE, "*");
    this.#client.setSubscription(LISTENER_TYPE, "*");
  }

  start(): this {
    this.#client.start();
    return this;
  }

  stop(): Promise<void> {
    return this.#client.stop();
  }

  get state(): AdsClientState {
    return this.#client.state;
  }

  names(type: string): string[] {
    return [...(this.resources.get(type)?.keys() ?? [])].sort();
  }

  /** What it has of a type, as JSON text, for a look at values without their shape. */
  text(type: string): string {
    return JSON.stringify([...(this.resources.get(type)?.values() ?? [])], (_key, value: unknown) => {
      if (typeof value === "bigint") return value.toString();
      return value instanceof Uint8Array ? Buffer.from(value).toString("latin1") : value;
    });
  }

  until(what: string, condition: (proxy: this) => boolean): Promise<void> {
    return this.#events.until(`${this.#options.instanceId}: ${what}`, () => condition(this));
  }

  #take({ type, added, removed, isFull }: ResourceUpdate): { rejected: { name: string; error: string }[] } {
    const rejected: { name: string; error: string }[] = [];
    const known = isFull ? new Map<string, Message>() : new Map(this.resources.get(type));
    this.removed.push(...removed.filter((name) => known.delete(name)));
    for (const { name, message } of added) {
      const error = this.#options.refuse?.(type, name);
      if (error === undefined) known.set(name, message);
      else rejected.push({ name, error });
    }
    this.resources.set(type, known);
    this.#events.notify();
    return { rejected };
  }
}
