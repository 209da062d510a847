import type { BoundCluster, BoundEndpoint, HeaderKeyFormat, LiveState } from "@heddle/engine";
import type { Http1Limits, Http2Limits, Http2Rule, NameKeeping } from "@heddle/http";
import { defaultHttp1Limits, defaultHttp2Limits } from "@heddle/http";
import type { ClientTlsContext } from "@heddle/net";
import { Dial, type Dialing, type DialOptions } from "./dial.ts";
import type { ExchangeSink, UpstreamExchange, UpstreamTransport } from "./exchange.ts";
import { Http1Connection } from "./http1/connection.ts";
import { Http2ClientConnection } from "./http2/connection.ts";
import { Pool } from "./pool.ts";
import type { ConnectionKind, ConnectionOptions, PooledConnection } from "./pooled-connection.ts";
import { PooledExchange } from "./pooled-exchange.ts";
import { TcpExchange } from "./tcp-exchange.ts";
import { type ProxiedClient, proxyPreface } from "./proxy-preface.ts";
import type { UpstreamTimers } from "./timers.ts";
import type { ClientTlsContexts } from "./tls/client-contexts.ts";

export interface PooledTransportOptions {
  readonly live: LiveState;
  readonly timers: UpstreamTimers;
  readonly tls: ClientTlsContexts;
  /** Epoch milliseconds: certificates are judged by wall-clock time. */
  readonly wallMs: () => number;
  readonly http1Limits?: Http1Limits;
  /** Begins to connect to an endpoint; by itself unless said otherwise. */
  readonly dial?: (options: DialOptions) => Dialing;
  /** Asked before each connection that would be made: true, and what would ride on it fails with `overflow`. */
  readonly shedsConnection?: () => boolean;
  /** Told of HTTP/2 connections and streams that ended by an upstream's fault, by its cluster. */
  readonly onHttp2Fault?: (cluster: string, fault: Http2Rule | "keepAliveTimeout") => void;
}

/** Carries requests over pooled connections, in plaintext or with TLS, by HTTP/1.1 or HTTP/2, as the endpoint's cluster says. */
export class PooledTransport implements UpstreamTransport {
  readonly #options: PooledTransportOptions;
  readonly #http1Limits: Http1Limits;
  readonly #dial: (options: DialOptions) => Dialing;
  readonly #shedsConnection: () => boolean;
  readonly #pools = new Map<string, Pool>();
  /** Spares the request path a key: an endpoint stays the same object until it changes. */
  #byEndpoint = new WeakMap<BoundEndpoint, Pool>();
  readonly #tcp = new Set<TcpExchange>();

  constructor(options: PooledTransportOptions) {
    this.#options = options;
    this.#http1Limits = options.http1Limits ?? defaultHttp1Limits;
    this.#dial = options.dial ?? ((dial) => new Dial(dial));
    this.#shedsConnection = options.shedsConnection ?? nobodySheds;
  }

  open(
    endpoint: BoundEndpoint,
    cluster: BoundCluster,
    sink: ExchangeSink,
    client: ProxiedClient | undefined,
    serverName?: string,
  ): UpstreamExchange {
    const host = endpoint.tls === undefined ? undefined : serverName;
    const pool =
      endpoint.proxyProtocol === undefined && host === undefined
        ? this.#pool(endpoint)
        : this.#poolFor(endpoint, client, host);
    const exchange = new PooledExchange(pool, cluster, sink);
    const isTunnelled = this.#isTunnelled(endpoint, cluster);
    const built = this.#tlsOf(endpoint, cluster, isTunnelled);
    // Never in plaintext instead: an endpoint that wants TLS gets TLS or nothing.
    if (built?.ok === false) exchange.fail("upstream_tls_failed", `TLS error: ${built.reason}`);
    else pool.open(exchange, cluster, endpoint, this.#kindOf(isTunnelled, built?.context, cluster, host));
    if (pool.isEmpty) this.#forget(pool);
    return exchange;
  }

  openTcp(
    endpoint: BoundEndpoint,
    cluster: BoundCluster,
    sink: ExchangeSink,
    client: ProxiedClient | undefined,
    serverName?: string,
  ): UpstreamExchange {
    const { live, timers, wallMs, tls } = this.#options;
    const built = endpoint.tls === undefined ? undefined : tls.get(endpoint.tls);
    const exchange = new TcpExchange({
      cluster,
      endpoint,
      tls: built?.ok === true ? this.#contextFor(built.context, cluster, serverName) : undefined,
      client,
      timers,
      wallMs,
      live,
      dial: this.#dial,
      sink,
      onClosed: (closed) => this.#tcp.delete(closed),
    });
    if (built?.ok === false) exchange.refuse("upstream_tls_failed", `TLS error: ${built.reason}`);
    else if (!live.mayConnect(cluster) || this.#shedsConnection()) exchange.refuse("overflow", "");
    else {
      live.acquireConnection(cluster, endpoint);
      this.#tcp.add(exchange);
      exchange.dial();
    }
    return exchange;
  }

  #contextFor(
    context: ClientTlsContext | undefined,
    { config }: BoundCluster,
    host: string | undefined,
  ): ClientTlsContext | undefined {
    if (context === undefined || host === undefined || config.serverName === undefined) return context;
    return this.#options.tls.named(context, host, config.serverName);
  }

  /** Inside a carrier the host is told by nothing but the request: that connection's TLS is the carrier's. */
  #kindOf(
    isTunnelled: boolean,
    context: ClientTlsContext | undefined,
    cluster: BoundCluster,
    host: string | undefined,
  ): ConnectionKind {
    return { tls: isTunnelled ? context : this.#contextFor(context, cluster, host), isTunnelled };
  }

  #otherKind(
    { isTunnelled }: ConnectionKind,
    cluster: BoundCluster,
    endpoint: BoundEndpoint,
    host: string | undefined,
  ): ConnectionKind | undefined {
    if (endpoint.tunnel === undefined) return undefined;
    const built = this.#tlsOf(endpoint, cluster, !isTunnelled);
    return built?.ok === false ? undefined : this.#kindOf(!isTunnelled, built?.context, cluster, host);
  }

  /** Many requests at once towards an endpoint cost less on connections inside a carrier; a few cost less on connections of their own. */
  #isTunnelled(endpoint: BoundEndpoint, { config }: BoundCluster): boolean {
    if (endpoint.tunnel === undefined) return false;
    const { minConcurrentRequests = 0 } = config.tunnel ?? {};
    return this.#options.live.endpoint(endpoint).activeRequests >= minConcurrentRequests;
  }

  /** A connection inside a carrier is worth what the carrier's certificates are: under other ones it serves no new request. */
  #tlsOf(endpoint: BoundEndpoint, { config }: BoundCluster, isTunnelled: boolean) {
    const tls = isTunnelled ? endpoint.tunnel?.carrier.tls : endpoint.tls;
    if (tls === undefined) return undefined;
    return this.#options.tls.get(tls, alpnOf[isTunnelled ? "http2" : config.protocol]);
  }

  /** Closes what is idle towards endpoints that the configuration no longer has. Called after each swap. */
  retain(clusters: ReadonlyMap<string, BoundCluster>): void {
    const wanted = new Set<string>();
    for (const { name, endpoints } of clusters.values())
      for (const endpoint of [...endpoints, ...this.#options.live.destinations.of(name)]) wanted.add(poolKey(endpoint));
    for (const pool of this.#pools.values()) {
      if (wanted.has(pool.endpointKey)) pool.revive();
      else pool.retire();
    }
  }

  /** Closes idle connections now and the others after their responses; for draining. */
  drain(): void {
    for (const pool of this.#pools.values()) pool.retire();
  }

  close(): void {
    for (const pool of this.#pools.values()) pool.close();
    for (const exchange of this.#tcp) exchange.close();
  }

  #connect(options: ConnectionOptions): PooledConnection {
    const { protocol } = options.cluster.config;
    const isHttp2 = protocol === "http2" || (protocol === "auto" && options.socket.tls?.alpn === "h2");
    return isHttp2
      ? new Http2ClientConnection(options, http2LimitsOf(options.cluster), this.#options.onHttp2Fault ?? nobodyCounts)
      : new Http1Connection(options, http1LimitsOf(options.cluster, this.#http1Limits));
  }

  #pool(endpoint: BoundEndpoint): Pool {
    const known = this.#byEndpoint.get(endpoint);
    if (known !== undefined) return known;
    const key = poolKey(endpoint);
    const pool = this.#poolOf(key, key, undefined, undefined);
    this.#byEndpoint.set(endpoint, pool);
    return pool;
  }

  /** Connections that begin with the same header are for the same client alone, those that are for one host for its requests alone, as in Envoy. */
  #poolFor(endpoint: BoundEndpoint, client: ProxiedClient | undefined, host: string | undefined): Pool {
    const endpointKey = poolKey(endpoint);
    const told = endpoint.proxyProtocol === undefined ? undefined : client;
    const preface = proxyPreface(endpoint, told)?.toString("latin1") ?? "";
    return this.#poolOf(`${endpointKey}\0${host ?? ""}\0${preface}`, endpointKey, told, host);
  }

  /** Of pools that clients can make at will, by their addresses or the hosts that they ask for, an idle connection goes for each one beyond the limit. */
  #makeRoomFor(pool: Pool): void {
    if (pool.key === pool.endpointKey) return;
    for (const other of this.#pools.values())
      if (other !== pool && other.endpointKey === pool.endpointKey && other.closeIdle()) return;
  }

  #poolOf(key: string, endpointKey: string, client: ProxiedClient | undefined, host: string | undefined): Pool {
    let pool = this.#pools.get(key);
    if (pool === undefined) {
      const { live, timers, wallMs } = this.#options;
      pool = new Pool(key, {
        endpointKey,
        client,
        live,
        timers,
        wallMs,
        dial: this.#dial,
        shedsConnection: this.#shedsConnection,
        connect: (options) => this.#connect(options),
        otherKind: (kind, cluster, endpoint) => this.#otherKind(kind, cluster, endpoint, host),
        makeRoomFor: (crowded) => this.#makeRoomFor(crowded),
        onEmpty: (empty) => this.#forget(empty),
      });
      this.#pools.set(key, pool);
    }
    return pool;
  }

  /** A pool that is used again after it was forgotten would be counted by nobody: endpoints look it up anew. */
  #forget(pool: Pool): void {
    if (this.#pools.get(pool.key) !== pool) return;
    this.#pools.delete(pool.key);
    this.#byEndpoint = new WeakMap();
  }
}

const nobodyCounts = (): void => {};
const nobodySheds = (): boolean => false;

/** Offered where the configuration names no protocols, as Envoy's connection pools do. */
const alpnOf = { http1: [], http2: ["h2"], auto: ["h2", "http/1.1"] } as const;

function http1LimitsOf({ config }: BoundCluster, limits: Http1Limits): Http1Limits {
  const nameKeeping = nameKeepingOf(config.headerKeyFormat);
  return nameKeeping === limits.nameKeeping ? limits : { ...limits, nameKeeping };
}

/** What a codec keeps of the names that it reads. */
export function nameKeepingOf(format: HeaderKeyFormat): NameKeeping {
  return format === "kept" || format === "kept-or-proper-words" ? format : "none";
}

const http2Limits = new WeakMap<BoundCluster, Http2Limits>();

function http2LimitsOf(cluster: BoundCluster): Http2Limits {
  let limits = http2Limits.get(cluster);
  if (limits === undefined) {
    limits = { ...defaultHttp2Limits, ...cluster.config.http2 };
    http2Limits.set(cluster, limits);
  }
  return limits;
}

function poolKey(endpoint: BoundEndpoint): string {
  return `${endpoint.clusterName}\0${endpoint.key}`;
}
