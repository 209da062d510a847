import { isIP } from "node:net";
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

  constructor(config: ClusterConfig, options: DnsClustersOptions) {
    this.config = config;
    this.#options = options;
    for (const { endpoints } of config.inlineEndpoints?.localities ?? []) {
      for (const { address } of endpoints) {
        if (isIP(address.host) !== 0 || this.#names.has(address.host)) continue;
        this.#names.set(address.host, new DnsName(address.host, config, options, () => this.#publish()));
      }
    }
  }

  start(): void {
    if (this.#names.size === 0) this.#publish();
    for (const name of this.#names.values()) name.lookUp();
  }

  stop(): void {
    for (const name of this.#names.values()) name.stop();
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
