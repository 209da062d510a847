import type { TimerHandle, TimerTarget } from "@heddle/core";
import type { ClusterConfig } from "@heddle/engine";
import type { DnsClustersOptions } from "./dns-clusters.ts";
import type { ResolvedName } from "./question.ts";

/**
 * One name of one cluster. It is asked for again after `dns_refresh_rate`, or after its time to live where the cluster respects that. A
 * look-up that fails changes nothing and is tried again with back-off: an answer that was good is better than none (Envoy,
 * "Service discovery", keeps the last successful one). That a name has no address is an answer: a STRICT_DNS cluster loses the
 * endpoints, a LOGICAL_DNS one keeps its last address, both as in Envoy.
 */
export class DnsName implements TimerTarget {
  readonly #host: string;
  readonly #cluster: ClusterConfig;
  readonly #options: DnsClustersOptions;
  readonly #onChange: () => void;
  #addresses: readonly string[];
  #timer: TimerHandle | undefined;
  #failures = 0;
  #isStopped = false;

  /** @param known the addresses until there is an answer */
  constructor(
    host: string,
    cluster: ClusterConfig,
    options: DnsClustersOptions,
    known: readonly string[],
    onChange: () => void,
  ) {
    this.#host = host;
    this.#cluster = cluster;
    this.#options = options;
    this.#addresses = known;
    this.#onChange = onChange;
  }

  get addresses(): readonly string[] {
    return this.#addresses;
  }

  lookUp(): void {
    const { family, resolver, respectTtl } = this.#cluster.dns;
    this.#options.resolve({ host: this.#host, family, resolver, needsTtl: respectTtl }).then(
      (answer) => this.#take(answer),
      (error: unknown) => this.#fail(error),
    );
  }

  stop(): void {
    this.#isStopped = true;
    if (this.#timer !== undefined) this.#options.timers.cancel(this.#timer);
  }

  onTimer(): void {
    this.#timer = undefined;
    this.lookUp();
  }

  #take({ addresses, ttlMs }: ResolvedName): void {
    if (this.#isStopped) return;
    const { name, type, dns } = this.#cluster;
    const isEmpty = addresses.length === 0;
    this.#failures = 0;
    this.#options.onLookup?.(name, isEmpty ? "empty" : "success");
    // A time to live of zero says nothing about when to ask again.
    const nextMs = dns.respectTtl && !isEmpty && ttlMs !== undefined && ttlMs > 0 ? ttlMs : dns.refreshMs;
    this.#timer = this.#options.timers.schedule(nextMs, this);
    if (type === "logical_dns") {
      if (isEmpty) return;
      this.#addresses = addresses;
    } else {
      // Servers turn their answers around: those that stay keep their places, so that nothing seems to have changed.
      const staying = this.#addresses.filter((address) => addresses.includes(address));
      this.#addresses = [...staying, ...addresses.filter((address) => !staying.includes(address))];
    }
    this.#onChange();
  }

  /** Back-off with full jitter. */
  #fail(error: unknown): void {
    if (this.#isStopped) return;
    const { name, dns } = this.#cluster;
    const { logger, timers, random, onLookup } = this.#options;
    const kept = this.#addresses.length > 0 ? "the last answer stays in use" : "the cluster has no endpoint for it";
    logger.warn(`the name ${this.#host} cannot be resolved: ${kept}`, { cluster: name, error: String(error) });
    onLookup?.(name, "failure");
    const limit = Math.min(dns.failureBaseMs * 2 ** this.#failures++, dns.failureMaxMs);
    this.#timer = timers.schedule(Math.max(1, limit * random()), this);
  }
}
