import { isDeepStrictEqual } from "node:util";
import type { Logger } from "@heddle/core";
import type { DnsFilterConfig, ListenerConfig } from "@heddle/engine";
import type { SocketAddress } from "@heddle/net";
import type { MetricWriter } from "@heddle/telemetry";
import { DnsListener } from "./dns-listener.ts";
import { DnsStats } from "./dns-stats.ts";
import type { ResolverAddress } from "./forwarder.ts";

export interface DnsServerOptions {
  readonly writer: MetricWriter;
  readonly logger: Logger;
  /** Whom questions are passed on to. */
  readonly resolvers: () => readonly ResolverAddress[];
  /** A listener has begun, or could not. */
  readonly onChange: () => void;
}

interface Open {
  config: DnsFilterConfig;
  readonly listener: DnsListener;
  isListening: boolean;
}

const retryMs = 1000;

/**
 * The listeners of a proxy that answer questions for names. They run on the main thread: what comes in there is not traffic, and
 * bytes from anybody are not read beside it.
 */
export class DnsServer {
  readonly #options: DnsServerOptions;
  readonly #open = new Map<string, Open>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #isClosed = false;

  constructor(options: DnsServerOptions) {
    this.#options = options;
  }

  /** Answers as these listeners say, and no longer as others did. */
  update(listeners: ReadonlyMap<string, ListenerConfig>): void {
    if (this.#isClosed) return;
    for (const [name, open] of this.#open) {
      const config = listeners.get(name)?.dns;
      if (config === open.config) continue;
      if (config !== undefined && isSameServer(config, open.config)) {
        open.config = config;
        open.listener.update(config);
      } else {
        open.listener.close();
        this.#open.delete(name);
      }
    }
    for (const [name, { dns }] of listeners) if (dns !== undefined && !this.#open.has(name)) this.#begin(name, dns);
  }

  /** Whether all of them can be asked. */
  get isListening(): boolean {
    return [...this.#open.values()].every(({ isListening }) => isListening);
  }

  addressesOf(name: string): readonly SocketAddress[] {
    return this.#open.get(name)?.listener.addresses ?? [];
  }

  close(): void {
    this.#isClosed = true;
    for (const timer of this.#timers) clearTimeout(timer);
    for (const { listener } of this.#open.values()) listener.close();
    this.#open.clear();
  }

  #begin(name: string, config: DnsFilterConfig): void {
    const { writer, logger, resolvers } = this.#options;
    const stats = new DnsStats(writer, config.statPrefix);
    const open: Open = {
      config,
      listener: new DnsListener({ config, resolvers, logger, stats }),
      isListening: false,
    };
    this.#open.set(name, open);
    void this.#listen(name, open);
  }

  async #listen(name: string, open: Open): Promise<void> {
    const { logger, onChange } = this.#options;
    try {
      await open.listener.listen();
      if (this.#open.get(name) !== open) return;
      open.isListening = true;
      onChange();
    } catch (error) {
      if (this.#open.get(name) !== open) return;
      logger.error("questions for names cannot be answered; tried again", { listener: name, error });
      const timer = setTimeout(() => {
        this.#timers.delete(timer);
        if (this.#open.get(name) === open) this.#begin(name, open.config);
      }, retryMs);
      this.#timers.add(timer);
    }
  }
}

function isSameServer(one: DnsFilterConfig, other: DnsFilterConfig): boolean {
  return one.statPrefix === other.statPrefix && isDeepStrictEqual(one.addresses, other.addresses);
}
