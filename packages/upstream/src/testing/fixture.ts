import type { TestContext } from "node:test";
import { TimerWheel } from "@heddle/core";
import type { TimerHandle, TimerTarget } from "@heddle/core";
import type {
  BoundCluster,
  BoundEndpoint,
  ClusterConfig,
  SecretConfig,
  SecretRef,
  UpstreamTlsConfig,
} from "@heddle/engine";
import { applyDelta, emptySnapshot, LiveState } from "@heddle/engine";
import { HeaderList } from "@heddle/http";
import type { Framing } from "@heddle/http";
import type { UpstreamExchange } from "../exchange.ts";
import type { UpstreamTimers } from "../timers.ts";
import { PooledTransport } from "../transport.ts";
import { Tunnels } from "../tunnels.ts";
import { ClientTlsContexts } from "../tls/client-contexts.ts";
import { RecordingSink } from "./recording-sink.ts";

/** A clock that the test moves. */
export class ManualTimers implements UpstreamTimers {
  #now = 0;
  readonly #wheel = new TimerWheel(1, 0);
  now(): number {
    return this.#now;
  }
  schedule(delayMs: number, target: TimerTarget): TimerHandle {
    return this.#wheel.schedule(delayMs, target);
  }
  cancel(handle: TimerHandle): void {
    this.#wheel.cancel(handle);
  }
  /** Moves on, firing what is due on the way. */
  advance(ms: number): void {
    for (let step = 0; step < ms; step += 50) {
      this.#now += Math.min(50, ms - step);
      this.#wheel.advance(this.#now);
    }
  }
}

/** Secrets by name; `epoch` grows with each change. */
export class ManualSecrets {
  epoch = 0;
  readonly #secrets = new Map<string, SecretConfig>();
  get(ref: SecretRef): SecretConfig | undefined {
    return this.#secrets.get(ref.name);
  }
  set(secret: SecretConfig): void {
    this.#secrets.set(secret.name, secret);
    this.epoch += 1;
  }
}

export interface ClusterChanges extends Partial<Omit<ClusterConfig, "limits">> {
  readonly limits?: Partial<ClusterConfig["limits"]>;
  readonly tls?: UpstreamTlsConfig;
}

/** A bound cluster with one endpoint for each port on 127.0.0.1. */
export function makeCluster(ports: readonly number[], { limits, tls, ...changes }: ClusterChanges = {}): BoundCluster {
  const config: ClusterConfig = {
    name: "test",
    type: "static",
    edsServiceName: "test",
    lb: "round_robin",
    leastRequestChoices: 2,
    leastRequestBias: 1,
    healthyPanicThreshold: 50,
    connectTimeoutMs: 5000,
    perConnectionBufferBytes: 32_768,
    limits: { maxConnections: 1024, maxPendingRequests: 1024, maxRequests: 1024, maxRetries: 3, ...limits },
    maxRequestsPerConnection: 0,
    idleTimeoutMs: 3_600_000,
    maxConnectionDurationMs: 0,
    preconnectRatio: 1,
    tcpKeepalive: undefined,
    bindAddresses: [],
    happyEyeballs: { firstFamily: "listed", firstFamilyCount: 1 },
    transport: { default: tls, proxyProtocol: undefined, matches: [] },
    inlineEndpoints: {
      clusterName: "test",
      overprovisioningFactor: 140,
      localities: [
        {
          priority: 0,
          locality: { region: "", zone: "", subZone: "" },
          weight: 0,
          endpoints: ports.map((port) => ({
            address: { host: "127.0.0.1", port },
            additionalAddresses: [],
            identity: "",
            healthCheck: { port: 0, hostname: "", isDisabled: false },
            hostname: "",
            weight: 1,
            health: "healthy",
            metadata: {},
          })),
        },
      ],
    },
    dns: {
      refreshMs: 5000,
      failureBaseMs: 5000,
      failureMaxMs: 5000,
      respectTtl: false,
      family: "auto",
      resolver: { kind: "default" },
    },
    originalDestination: { header: "", portOverride: 0, cleanupMs: 5000 },
    healthCheck: undefined,
    ignoreHealthOnHostRemoval: false,
    services: [],
    protocol: "http1",
    http2: {
      maxConcurrentStreams: 100,
      streamWindowBytes: 65_536,
      connectionWindowBytes: 1_048_576,
      headerTableBytes: 4096,
      allowConnect: false,
      maxOutboundFrames: 10_000,
      maxOutboundControlFrames: 1000,
      maxConsecutiveEmptyFrames: 1,
      maxPriorityFramesPerStream: 100,
      maxWindowUpdatesPerDataFrame: 10,
      keepAlive: { intervalMs: 0, timeoutMs: 0, jitterPercent: 0 },
    },
    headerKeyFormat: "lower",
    serverName: undefined,
    tunnel: undefined,
    enableTrailers: true,
    provenance: undefined,
    ...changes,
  };
  return applyDelta(emptySnapshot, { clusters: { set: [config], remove: [] } }).clusters.get("test")!;
}

/** A transport with everything that it needs, closed after the test. */
export class Fixture {
  readonly timers = new ManualTimers();
  readonly live = new LiveState();
  readonly secrets = new ManualSecrets();
  readonly tunnels: Tunnels;
  readonly transport: PooledTransport;
  /** No connection is made. */
  isShedding = false;
  /** How often it was asked whether one is to be made. */
  shedQuestions = 0;

  constructor(t: TestContext) {
    const connecting = {
      timers: this.timers,
      tls: new ClientTlsContexts(this.secrets),
      wallMs: Date.now,
    };
    this.tunnels = new Tunnels(connecting);
    this.transport = new PooledTransport({
      ...connecting,
      live: this.live,
      dial: (options) => this.tunnels.dial(options),
      shedsConnection: () => {
        this.shedQuestions += 1;
        return this.isShedding;
      },
    });
    t.after(() => this.transport.close());
  }

  open(
    cluster: BoundCluster,
    sink: RecordingSink = new RecordingSink(),
    endpoint: BoundEndpoint = cluster.endpoints[0]!,
    serverName?: string,
  ): { sink: RecordingSink; exchange: UpstreamExchange } {
    return { sink, exchange: this.transport.open(endpoint, cluster, sink, someClient, serverName) };
  }

  /** Begins a CONNECT that ends here. */
  openTcp(cluster: BoundCluster): { sink: RecordingSink; exchange: UpstreamExchange } {
    const sink = new RecordingSink();
    return { sink, exchange: this.transport.openTcp(cluster.endpoints[0]!, cluster, sink, someClient) };
  }

  /** Sends a request without a body. */
  request(
    cluster: BoundCluster,
    method = "GET",
    sink = new RecordingSink(),
    serverName?: string,
  ): { sink: RecordingSink; exchange: UpstreamExchange } {
    const opened = this.open(cluster, sink, cluster.endpoints[0], serverName);
    sendHead(opened.exchange, method);
    opened.exchange.end();
    return opened;
  }
}

export function sendHead(
  exchange: UpstreamExchange,
  method = "GET",
  framing: Framing = { kind: "none" },
  headers = new HeaderList(),
): void {
  exchange.sendHead(method, "/path", "test.example", headers, framing);
}

/** For endpoints that are not told whose requests they get. */
const someClient = {
  remoteAddress: { host: "192.0.2.1", port: 1 },
  localAddress: { host: "192.0.2.2", port: 2 },
  proxyTlvs: [],
};
