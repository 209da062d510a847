import { isIP } from "node:net";
import { isDeepStrictEqual } from "node:util";
import type { ClusterConfig, EndpointConfig, EndpointsConfig } from "@heddle/engine";
import { formatAddress } from "@heddle/net";
import type { DnsClustersOptions } from "./dns-clusters.ts";
import { DnsName } from "./dns-name.ts";

/** The names of one cluster, each looked up in its own time, and the endpoints that come of them. */
export class DnsCluster {
  readonly config: ClusterConfig;
  readonly #options: DnsClustersOptions;
  readonly #names = new Map<string, DnsName>();
  /** What was published last, as text. */
  #published = "";

  /** @param before the cluster of the same name whose place this one takes: what its names were resolved to stays until there are answers */
  constructor(config: ClusterConfig, options: DnsClustersOptions, before?: DnsCluster) {
    this.config = config;
    this.#options = options;
    for (const { endpoints } of config.inlineEndpoints?.localities ?? []) {
      for (const { address } of endpoints) {
        if (isIP(address.host) !== 0 || this.#names.has(address.host)) continue;
        const known = before === undefined ? [] : before.#addressesOf(address.host, config);
        this.#names.set(address.host, new DnsName(address.host, config, options, known, () => this.#publish()));
      }
    }
  }

  start(): void {
    const { inlineEndpoints } = this.config;
    const isAnyKnown = inlineEndpoints?.localities.some(({ endpoints }) =>
      endpoints.some((endpoint) => this.#expand(endpoint).length > 0),
    );
    if (isAnyKnown === true || this.#names.size === 0) this.#publish();
    for (const name of this.#names.values()) name.lookUp();
  }

  stop(): void {
    for (const name of this.#names.values()) name.stop();
  }

  /** What a name was last resolved to, if it was asked for as the other cluster asks. */
  #addressesOf(host: string, { dns }: ClusterConfig): readonly string[] {
    const { family, resolver } = this.config.dns;
    const isAskedAlike = dns.family === family && isDeepStrictEqual(dns.resolver, resolver);
    return (isAskedAlike ? this.#names.get(host)?.addresses : undefined) ?? [];
  }

  /** Nothing is published that is already in force: binding a cluster anew begins its balancing anew. */
  #publish(): void {
    const { inlineEndpoints, edsServiceName } = this.config;
    const endpoints: EndpointsConfig = {
      clusterName: edsServiceName,
      localities: (inlineEndpoints?.localities ?? []).map((locality) => ({
        ...locality,
        endpoints: locality.endpoints.flatMap((endpoint) => this.#expand(endpoint)),
      })),
      overprovisioningFactor: inlineEndpoints?.overprovisioningFactor ?? 140,
    };
    const text = JSON.stringify(endpoints);
    if (text === this.#published) return;
    this.#published = text;
    this.#options.onEndpoints(endpoints);
  }

  /**
   * STRICT_DNS: one endpoint for each address of the name. LOGICAL_DNS: one endpoint, which is at the first address, or with ALL at
   * whichever answers first; it stays the same endpoint when the answer changes, so that its connections stay. The name stays the
   * host name, for `auto` host rewriting.
   */
  #expand(endpoint: EndpointConfig): EndpointConfig[] {
    const { type, dns } = this.config;
    const { host, port } = endpoint.address;
    const hostname = endpoint.hostname === "" ? host : endpoint.hostname;
    const addresses = this.#names.get(host)?.addresses ?? (isIP(host) === 0 ? [] : [host]);
    if (type === "strict_dns")
      return addresses.map((found) => ({ ...endpoint, address: { host: found, port }, hostname }));
    const [first, ...others] = addresses;
    if (first === undefined) return [];
    return [
      {
        ...endpoint,
        address: { host: first, port },
        additionalAddresses: dns.family === "all" ? others.map((other) => ({ host: other, port })) : [],
        identity: formatAddress(host, port),
        hostname,
      },
    ];
  }
}
