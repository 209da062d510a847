import type { BoundCluster, BoundEndpoint, CheckedHealth, HealthCheckConfig, UpstreamTlsConfig } from "@heddle/engine";
import { formatAddress } from "@heddle/net";
import { EndpointCheck } from "./endpoint-check.ts";
import { GrpcProber } from "./grpc-prober.ts";
import type { HealthChecksOptions } from "./health-checks.ts";
import { HttpProber } from "./http-prober.ts";
import type { CheckTransport } from "./check-transport.ts";
import type { Prober } from "./prober.ts";
import { TcpProber } from "./tcp-prober.ts";

interface Checked {
  readonly endpoint: BoundEndpoint;
  readonly check: EndpointCheck;
}

/** The checks of one cluster's endpoints. */
export class ClusterCheck {
  readonly config: HealthCheckConfig;
  readonly #options: HealthChecksOptions;
  readonly #transport: CheckTransport;
  readonly #onChange: () => void;
  readonly #checked = new Map<string, Checked>();
  readonly #tls = new WeakMap<UpstreamTlsConfig, UpstreamTlsConfig>();
  #cluster: BoundCluster;

  constructor(
    cluster: BoundCluster,
    config: HealthCheckConfig,
    options: HealthChecksOptions,
    transport: CheckTransport,
    onChange: () => void,
  ) {
    this.#cluster = cluster;
    this.config = config;
    this.#options = options;
    this.#transport = transport;
    this.#onChange = onChange;
  }

  /** How the cluster looks to the checks' own connections. */
  asChecked(): BoundCluster {
    return {
      ...checkCluster(this.#cluster, this.config),
      endpoints: [...this.#checked.values()].map((one) => one.endpoint),
    };
  }

  /** What was found so far, of the endpoints that there are. */
  get found(): CheckedHealth {
    const found = new Map<string, "healthy" | "degraded" | "failed">();
    for (const [key, { check }] of this.#checked) if (check.health !== "pending") found.set(key, check.health);
    return found;
  }

  /** Begins with new endpoints and ends with those that are gone. */
  update(cluster: BoundCluster): void {
    this.#cluster = cluster;
    const wanted = new Map(cluster.endpoints.map((endpoint) => [endpoint.key, endpoint]));
    for (const [key, { endpoint, check }] of this.#checked) {
      const now = wanted.get(key);
      if (now !== undefined && !now.healthCheck.isDisabled && isSameTarget(endpoint, this.#target(now))) continue;
      check.stop();
      this.#checked.delete(key);
    }
    for (const endpoint of cluster.endpoints) {
      if (endpoint.healthCheck.isDisabled || this.#checked.has(endpoint.key)) continue;
      this.#begin(endpoint);
    }
  }

  failAtOnce(endpoint: string): void {
    this.#checked.get(endpoint)?.check.failAtOnce();
  }

  stop(): void {
    for (const { check } of this.#checked.values()) check.stop();
    this.#checked.clear();
  }

  #begin(endpoint: BoundEndpoint): void {
    const { name } = this.#cluster;
    const { timers, random, live, logger, onCount } = this.#options;
    const { config } = this;
    const target = this.#target(endpoint);
    const about = { cluster: name, endpoint: endpoint.key };
    const check = new EndpointCheck({
      config,
      prober: this.#prober(target),
      timers,
      random,
      hasTraffic: () => live.cluster(this.#cluster).connectionsMade > 0,
      count: (what) => onCount(name, what),
      onChange: () => this.#onChange(),
      onFailure: (reason, isChange) => {
        if (isChange) logger.warn("a health check takes an endpoint out", { ...about, reason });
        else if (config.logsEveryFailure) logger.warn("a health check has failed", { ...about, reason });
      },
      onSuccess: (isChange) => {
        if (isChange) logger.info("a health check finds an endpoint well", about);
        else if (config.logsEverySuccess) logger.info("a health check has succeeded", about);
      },
      initialHealth: endpoint.activeHealth === "unchecked" ? "pending" : endpoint.activeHealth,
    });
    this.#checked.set(endpoint.key, { endpoint: target, check });
    check.start();
  }

  #prober(endpoint: BoundEndpoint): Prober {
    const { config } = this;
    const { checker } = config;
    const cluster = checkCluster(this.#cluster, config);
    const authority = (own: string): string => endpoint.healthCheck.hostname || own || cluster.name;
    switch (checker.kind) {
      case "http":
        return new HttpProber(checker, authority(checker.host), (sink) =>
          this.#transport.open(endpoint, cluster, sink),
        );
      case "grpc":
        return new GrpcProber(checker, authority(checker.authority), config.timeoutMs, (sink) =>
          this.#transport.open(endpoint, cluster, sink),
        );
      case "tcp": {
        const { timers, wallMs } = this.#options;
        const tls = () => this.#transport.tlsOf(endpoint);
        const { reuseConnection } = config;
        const { dial } = this.#transport;
        return new TcpProber({ config: checker, cluster, endpoint, tls, reuseConnection, timers, wallMs, dial });
      }
    }
  }

  /** Where the endpoint is checked: at its own check port, the cluster's, or its own; with the checks' own ALPN. */
  #target(endpoint: BoundEndpoint): BoundEndpoint {
    const port = endpoint.healthCheck.port || this.config.altPort;
    const addresses = port === 0 ? endpoint.addresses : endpoint.addresses.map(({ host }) => ({ host, port }));
    const [first = { host: endpoint.host, port: endpoint.port }] = addresses;
    return {
      ...endpoint,
      ...first,
      addresses,
      address: formatAddress(first.host, first.port),
      tls: endpoint.tls === undefined ? undefined : this.#tlsWithAlpn(endpoint.tls),
    };
  }

  /** One object for each, since contexts are kept by it. */
  #tlsWithAlpn(tls: UpstreamTlsConfig): UpstreamTlsConfig {
    const { alpn } = this.config;
    if (alpn.length === 0) return tls;
    let own = this.#tls.get(tls);
    if (own === undefined) this.#tls.set(tls, (own = { ...tls, common: { ...tls.common, alpn } }));
    return own;
  }
}

/** Neither limits nor ages of the traffic's connections are those of checks. */
function checkCluster(cluster: BoundCluster, { checker, timeoutMs, reuseConnection }: HealthCheckConfig): BoundCluster {
  const none = 2 ** 31 - 1;
  return {
    ...cluster,
    config: {
      ...cluster.config,
      protocol: checker.kind === "http" ? checker.protocol : checker.kind === "grpc" ? "http2" : "http1",
      connectTimeoutMs: timeoutMs,
      limits: { maxConnections: none, maxPendingRequests: none, maxRequests: none, maxRetries: none },
      maxRequestsPerConnection: reuseConnection ? 0 : 1,
      maxConnectionDurationMs: 0,
      idleTimeoutMs: 0,
    },
  };
}

function isSameTarget(a: BoundEndpoint, b: BoundEndpoint): boolean {
  return (
    a.tls === b.tls &&
    a.healthCheck.hostname === b.healthCheck.hostname &&
    JSON.stringify(a.addresses) === JSON.stringify(b.addresses)
  );
}
