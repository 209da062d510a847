import type { Readable } from "node:stream";
import type { JsonValue } from "@bufbuild/protobuf";
import type { Clock, LogLevel } from "@heddle/core";
import { isLoopback, parseIp } from "@heddle/engine";
import { capabilities } from "@heddle/engine/load";
import { formatAddress } from "@heddle/net";
import { prepareStateDirectory } from "@heddle/state";
import {
  CarriedMetrics,
  type CarriedSeries,
  type MetricFamily,
  type MetricReader,
  MetricWriter,
  type TapConfig,
} from "@heddle/telemetry";
import { CLUSTER_TYPE, LISTENER_TYPE, type ResourceType } from "@heddle/xds/api";
import type { AdsClient, ReceivedResource } from "@heddle/xds/client";
import { certificateViews } from "../admin/certificate-view.ts";
import { adminRoutes } from "../admin/routes.ts";
import { AdminServer } from "../admin/server.ts";
import type { AdminSource, CertificateView, ListenerView, ServerState } from "../admin/source.ts";
import type { BootstrapConfig } from "../bootstrap/bootstrap.ts";
import { DnsServer } from "../dns/dns-server.ts";
import { machineResolvers } from "../dns/resolv-conf.ts";
import type { RenewalResult } from "../identity/identity-manager.ts";
import type { LineLogger } from "../line-logger.ts";
import type { ProxyOptions } from "../options/options.ts";
import { OverloadMonitor, sampleMemory } from "../overload/monitor.ts";
import type { CountersMessage, Lineage } from "../supervisor/messages.ts";
import { Taps } from "../tap/taps.ts";
import { version } from "../version.ts";
import type { ClusterView } from "../worker/cluster-views.ts";
import { adsDialer } from "./ads-connection.ts";
import { Announcement } from "./announcement.ts";
import { configDump } from "./config-dump.ts";
import { Configuration } from "./configuration.ts";
import { LastGood } from "./last-good.ts";
import { OwnIdentity } from "./own-identity.ts";
import { type Profile, Profiles } from "./profiles.ts";
import { restoreResources } from "./restore.ts";
import { prepareForTraffic } from "./runtime-flags.ts";
import type { ListeningSocket, SocketBroker, SupervisorChannel } from "./socket-broker.ts";
import { StartFailure } from "./start-failure.ts";
import { TlsFiles } from "./tls-files.ts";
import type { WorkerPool } from "./worker-pool.ts";

const clock: Clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() };

/** What a generation is made of before it starts. */
export interface GenerationParts {
  readonly options: ProxyOptions;
  readonly bootstrap: BootstrapConfig;
  readonly channel: SupervisorChannel;
  readonly broker: SocketBroker;
  readonly pool: WorkerPool;
  readonly logger: LineLogger;
  readonly lineage: Lineage;
}

/** Connections that have begun when the proxy ends are completed by their clients within this time, and accepted. */
const lastConnectionsMs = 100;

/** Counters of a generation that drains are told this often. */
const countersMs = 1_000;

/** Gauges of a process as a whole, or of what both know, say nothing when they are summed (Envoy: `NeverImport`). */
function isCarried({ kind, name }: MetricFamily): boolean {
  return kind !== "gauge" || !/^envoy_(overload|server|cluster_membership)_/.test(name);
}

/**
 * One generation of a proxy: the main thread's side. It holds configuration, certificate, admin port and metrics; all
 * traffic is the workers'. Its parts are started in the order in which they need each other and stopped in reverse.
 */
export class Generation implements AdminSource {
  readonly metrics: MetricReader;
  readonly #options: ProxyOptions;
  readonly #bootstrap: Omit<BootstrapConfig, "resources">;
  /** Of the bootstrap, until they are in force. */
  #staticResources: BootstrapConfig["resources"];
  readonly #channel: SupervisorChannel;
  readonly #broker: SocketBroker;
  readonly #logger: LineLogger;
  readonly #lastGood: LastGood | undefined;
  readonly #configuration: Configuration;
  readonly #pool: WorkerPool;
  readonly #announcement: Announcement;
  readonly #carried: CarriedMetrics;
  /** What the main thread itself counts. */
  readonly #writer: MetricWriter;
  readonly #overload: OverloadMonitor;
  readonly #profiles: Profiles;
  readonly #taps: Taps;
  readonly #lineage: Lineage;
  readonly #dns: DnsServer;
  readonly #tlsFiles: TlsFiles;
  readonly #startedAtMs = Date.now();
  #identity: OwnIdentity | undefined;
  #ads: AdsClient | undefined;
  #isAdsStarted = false;
  #admin: { readonly server: AdminServer; readonly socket: ListeningSocket; isOpen: boolean } | undefined;
  #endBy: (deadlineMs: number) => void = () => {};
  #hasStarted = false;
  #wasLive = false;
  #isDraining = false;
  #hasControlPlaneAnswered = false;
  #onQuit: () => void = () => {};

  constructor(parts: GenerationParts) {
    const { options, pool } = parts;
    this.#options = options;
    const { resources, ...bootstrap } = parts.bootstrap;
    this.#bootstrap = bootstrap;
    this.#staticResources = resources;
    this.#channel = parts.channel;
    this.#broker = parts.broker;
    this.#logger = parts.logger;
    this.#lastGood = options.stateDir === undefined ? undefined : new LastGood(options.stateDir, clock, this.#logger);
    this.#configuration = new Configuration(this.#broker, this.#lastGood, this.#logger);
    this.#pool = pool;
    this.metrics = pool.metrics;
    this.#profiles = new Profiles(pool);
    this.#taps = new Taps(pool, this.#logger);
    this.#carried = new CarriedMetrics(pool.metrics, isCarried);
    this.#lineage = parts.lineage;
    this.#announcement = new Announcement(options.stateDir, parts.logger);
    pool.serve(() => this.#configuration.everything());
    const { overload, runtime } = parts.bootstrap;
    pool.limitListeners(runtime.listenerConnectionLimits);
    this.#writer = new MetricWriter({ announce: (series) => pool.metrics.add(series) });
    this.#dns = new DnsServer({
      writer: this.#writer,
      logger: this.#logger.child({ part: "dns" }),
      resolvers: machineResolvers,
      onChange: () => this.#onConfigured(),
    });
    this.#tlsFiles = new TlsFiles(this.#configuration, this.#writer, this.#logger.child({ part: "tls" }));
    this.#overload = new OverloadMonitor(overload, pool.load, this.#writer, runtime.maxConnections);
  }

  /** @throws StartFailure, StateIsNewer */
  async start(): Promise<void> {
    if (this.#options.stateDir !== undefined) prepareStateDirectory(this.#options.stateDir);
    await this.#openAdmin();
    this.#configuration.onChange(() => this.#onConfigured());
    this.#configuration.connect(this.#pool);
    await this.#pool.started;
    await this.#applyStatic();
    await this.#startIdentity();
    if (this.#bootstrap.ads !== undefined) {
      const stored = (await this.#lastGood?.read()) ?? [];
      await this.#startAds(await restoreResources(stored, this.#configuration, this.#logger));
    }
    this.#hasStarted = true;
    this.#onConfigured();
  }

  /** Called when `/quitquitquit` asks for the end. */
  onQuit(listener: () => void): void {
    this.#onQuit = listener;
  }

  /** Adds what a generation before this one has counted. */
  takeCounters(generation: number, series: readonly CarriedSeries[], isFinal: boolean): void {
    this.#carried.take(generation, series, isFinal);
  }

  /** The generation before this one has closed its admin port. */
  async takeOver(): Promise<void> {
    const admin = this.#admin;
    if (admin === undefined || admin.isOpen || this.#isDraining) return;
    admin.isOpen = true;
    await admin.server.listen(admin.socket.fd);
  }

  /**
   * Nobody takes over: says not ready, serves for a while those who do not know yet, gives up the listening sockets, finishes what is open, and ends when
   * all is done or the time is over.
   */
  async drain(deadlineMs: number): Promise<void> {
    const acceptMs = Math.min(this.#options.acceptTimeMs, deadlineMs);
    if (acceptMs > 0) await this.#announceEnd(acceptMs);
    await this.#stopAccepting(deadlineMs - acceptMs);
  }

  async #announceEnd(acceptMs: number): Promise<void> {
    this.#isDraining = true;
    this.#logger.info("ending soon", { acceptMs });
    this.#pool.announceEnd();
    await new Promise((resolve) => setTimeout(resolve, acceptMs));
  }

  async #stopAccepting(deadlineMs: number): Promise<void> {
    // Closing a socket resets whoever waits to be accepted there: they are let in first, by the workers' own descriptors.
    this.#configuration.beginNoConnections();
    const drained = this.#beginToDrain(deadlineMs, Math.min(lastConnectionsMs, deadlineMs));
    this.stopListening();
    await drained;
    this.#taps.end("proxy-ends");
    await this.#admin?.server.finish();
    this.#logger.info("drained");
  }

  /**
   * Another generation has taken over: leaves the admin port and questions for names to it, and says what has been counted, now and as
   * long as something is open; finishes that, and ends when all is done or the time is over.
   *
   * @returns the last that there is to say
   */
  async retire(deadlineMs: number): Promise<CountersMessage> {
    // The other listens on the same sockets: nobody waits there in vain.
    const drained = this.#beginToDrain(deadlineMs, 0);
    this.#taps.end("hand-over");
    // First, so that nobody who has read a counter here reads a smaller one there.
    await this.#admin?.server.finish();
    // Questions that come from now on are for the other one, which has had sockets beside these since it was ready.
    this.#dns.close();
    this.#channel.send(this.#counters(false));
    const timer = setInterval(() => this.#channel.send(this.#counters(false)), countersMs);
    await drained;
    clearInterval(timer);
    this.#logger.info("drained");
    return this.#counters(true);
  }

  /** The whole proxy ends: what drains already has no longer than this from now on, and nobody listens any more. */
  endBy(deadlineMs: number): void {
    this.stopListening();
    this.#endBy(deadlineMs);
  }

  /** @param acceptMs how long workers go on accepting */
  async #beginToDrain(deadlineMs: number, acceptMs: number): Promise<void> {
    this.#isDraining = true;
    this.#logger.info("draining", { deadlineMs });
    this.#identity?.stop();
    this.#tlsFiles.close();
    const stopped = this.#ads?.stop();
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<void>((resolve) => {
      this.#endBy = (ms) => {
        clearTimeout(timer);
        timer = setTimeout(resolve, ms);
      };
      this.#endBy(deadlineMs);
    });
    await Promise.race([this.#pool.drain(acceptMs), deadline]);
    clearTimeout(timer);
    await this.#pool.close();
    this.#overload.stop();
    await Promise.race([stopped, new Promise((resolve) => setTimeout(resolve, 100))]);
    await this.#lastGood?.flush();
    this.#dns.close();
  }

  #counters(isFinal: boolean): CountersMessage {
    return { type: "counters", series: this.#carried.changed(), isFinal, folded: this.#carried.folded };
  }

  // Start -----------------------------------------------------------------------------------------

  async #openAdmin(): Promise<void> {
    const address = this.#bootstrap.admin;
    if (address === undefined) return;
    const bound = this.#broker.bind("admin", address.host, address.port);
    if (bound.socket === undefined) throw new StartFailure(`admin: ${bound.message}`);
    const server = new AdminServer(adminRoutes(this), this.#logger);
    // On a socket where another generation answers until this one is ready, nobody may be told that the proxy is not.
    const isOpen = !this.#lineage.hasPredecessor || !bound.socket.isShared;
    this.#admin = { server, socket: bound.socket, isOpen };
    if (!isLoopback(parseIp(address.host) ?? []))
      this.#logger.warn("the admin port is open to other hosts: whoever reaches it owns this proxy", {
        address: address.host,
      });
    if (isOpen) await server.listen(bound.socket.fd);
  }

  async #applyStatic(): Promise<void> {
    const { ads } = this.#bootstrap;
    // The control plane's own cluster is not for traffic.
    const served = this.#staticResources.filter(
      ({ type, name }) => type !== CLUSTER_TYPE || name !== ads?.cluster.name,
    );
    this.#staticResources = [];
    const rejected = await this.#configuration.applyStatic(served);
    const [first] = rejected;
    if (first !== undefined) throw new StartFailure(`${first.name}: ${first.error}`);
  }

  async #startIdentity(): Promise<void> {
    const { ca, stateDir } = this.#options;
    if (ca === undefined) return;
    this.#identity = await OwnIdentity.start({
      ca,
      stateDir,
      nodeMetadata: this.#bootstrap.nodeMetadata,
      configuration: this.#configuration,
      clock,
      logger: this.#logger,
      onCertificate: () => {
        this.#startAdsWhenKnown();
        this.#onConfigured();
      },
    });
  }

  async #startAds(accepted: Map<ResourceType, ReceivedResource[]>): Promise<void> {
    const { ads, node } = this.#bootstrap;
    if (ads === undefined) return;
    const { AdsClient } = await import("@heddle/xds/client");
    const findSecret = (ref: { source: string; name: string }): ReturnType<Parameters<typeof adsDialer>[1]> =>
      [...this.#configuration.active.secrets].find(
        ({ source, secret }) => source === ref.source && secret.name === ref.name,
      )?.secret;
    const { serviceNode, serviceCluster } = this.#options;
    const client = new AdsClient({
      node: {
        ...node,
        ...(serviceNode === undefined ? {} : { id: serviceNode }),
        ...(serviceCluster === undefined ? {} : { cluster: serviceCluster }),
        // It is sent nothing of ours that it does not name (design §5).
        metadata: { ...node.metadata, HEDDLE_CAPABILITIES: [...capabilities] },
        userAgentName: "heddle",
        userAgentVersionType: { case: "userAgentVersion", value: version },
      },
      delta: ads.delta,
      dial: adsDialer(ads.cluster, findSecret, () => this.#identity?.anchorsPem),
      onUpdate: async (update) => {
        const result = await this.#configuration.applyUpdate(update);
        this.#hasControlPlaneAnswered ||= update.type === LISTENER_TYPE;
        this.#onConfigured();
        return result;
      },
      accepted,
      backoff: ads.backoff,
      clock,
      random: Math.random,
      timers: { setTimeout, clearTimeout },
      logger: this.#logger.child({ part: "xds" }),
    });
    if (ads.wantsClusters) client.setSubscription(CLUSTER_TYPE, "*");
    if (ads.wantsListeners) client.setSubscription(LISTENER_TYPE, "*");
    this.#hasControlPlaneAnswered = accepted.size > 0 || !ads.wantsListeners;
    this.#ads = client;
    this.#startAdsWhenKnown();
  }

  /** The control plane talks to nobody without a certificate; with an authority to ask, the first one is on its way. */
  #startAdsWhenKnown(): void {
    if (this.#ads === undefined || this.#isAdsStarted || this.#isDraining) return;
    if (this.#options.ca !== undefined && this.#identity?.hasCertificate !== true) return;
    this.#isAdsStarted = true;
    this.#ads.start();
  }

  /** After each change: readiness, and the file by which others on this host find us. */
  #onConfigured(): void {
    this.#dns.update(this.#configuration.active.listeners);
    this.#tlsFiles.follow();
    if (!this.#wasLive && this.#isServing()) {
      this.#wasLive = true;
      this.#logger.info("ready", {
        admin: this.#admin?.socket.port,
        listeners: this.#configuration.listeners().length,
        startMs: Math.round(performance.now()),
      });
      prepareForTraffic();
      // What no listener of this configuration wants is nobody's.
      this.#broker.releaseUnclaimed();
      // Whoever waits for us to be ready may read the file at once.
      void this.#announce().then(() => this.#channel.send({ type: "ready" }));
    } else void this.#announce();
  }

  #isServing(): boolean {
    if (!this.#hasStarted) return false;
    if (this.#options.ca !== undefined && this.#identity?.hasCertificate !== true) return false;
    if (this.#bootstrap.ads !== undefined && !this.#hasControlPlaneAnswered) return false;
    return this.#configuration.active.warming.listeners.length === 0 && this.#dns.isListening;
  }

  #announce(): Promise<void> {
    const admin = this.#admin?.socket;
    const adminAddress = admin === undefined ? undefined : formatAddress(admin.host, admin.port);
    return this.#announcement.write({ state: this.state(), adminAddress, listeners: this.listeners() });
  }

  // What the admin port asks -----------------------------------------------------------------------

  state(): ServerState {
    if (this.#isDraining) return "DRAINING";
    if (this.#wasLive) return "LIVE";
    return this.#options.ca !== undefined && this.#identity?.hasCertificate !== true
      ? "PRE_INITIALIZING"
      : "INITIALIZING";
  }

  serverInfo(): Record<string, JsonValue> {
    const uptime = Math.floor((Date.now() - this.#startedAtMs) / 1000);
    return {
      version: `heddle/${version}`,
      state: this.state(),
      uptime_current_epoch: `${uptime}s`,
      uptime_all_epochs: `${Math.floor((Date.now() - this.#lineage.startedAtMs) / 1000)}s`,
      hot_restart_version: "heddle-sockets-1",
      node: { id: this.#bootstrap.node.id, cluster: this.#bootstrap.node.cluster },
      command_line_options: {
        config_path: this.#options.configPath ?? "",
        restart_epoch: this.#lineage.epoch,
        concurrency: this.#options.concurrency,
        log_level: this.#options.logLevel,
        drain_time: `${this.#options.drainTimeMs / 1000}s`,
        parent_shutdown_time: `${this.#options.handOverTimeMs / 1000}s`,
      },
      control_plane: this.#ads === undefined ? null : (structuredClone(this.#ads.state) as unknown as JsonValue),
    };
  }

  memory(): Record<string, JsonValue> {
    const { heaps, externalBytes, residentBytes, availableBytes } = sampleMemory(this.#pool.load);
    const [own, ...workers] = [heaps.at(-1)!, ...heaps.slice(0, -1)];
    const heap = (thread: string, { usedBytes, limitBytes }: (typeof heaps)[number]): JsonValue => ({
      thread,
      heap_used: String(usedBytes),
      heap_limit: String(limitBytes),
    });
    const used = heaps.reduce((sum, { usedBytes }) => sum + usedBytes, 0);
    return {
      allocated: String(used + externalBytes),
      heap_size: String(used),
      total_physical_bytes: String(residentBytes),
      available_bytes: String(availableBytes),
      threads: [heap("main", own), ...workers.map((worker, index) => heap(`worker_${index}`, worker))],
    };
  }

  runtime(): ReturnType<AdminSource["runtime"]> {
    return this.#bootstrap.runtime.layers;
  }

  cpuProfile(thread: string, seconds: number): Promise<Profile> {
    return this.#profiles.cpu(thread, seconds);
  }

  heapSnapshot(thread: string): Promise<Profile> {
    return this.#profiles.heap(thread);
  }

  tap(config: TapConfig): Promise<Readable | undefined> {
    return this.#taps.open(config);
  }

  configDump(includeEndpoints: boolean): JsonValue[] {
    return configDump(this.#bootstrap, this.#configuration, includeEndpoints);
  }

  async clusters(): Promise<readonly ClusterView[]> {
    const isDynamic = new Set(
      [...this.#configuration.held()]
        .filter((held) => !held.isStatic && held.type === CLUSTER_TYPE)
        .map(({ name }) => name),
    );
    return (await this.#pool.describe()).map((view) => ({ ...view, addedViaApi: isDynamic.has(view.name) }));
  }

  listeners(): readonly ListenerView[] {
    return this.#configuration.listeners().map(({ name, sockets }) => {
      const names = this.#dns.addressesOf(name);
      return {
        name,
        addresses: [...sockets, ...names].map(({ host, port }) => ({ host, port })),
        statName: this.#configuration.active.listeners.get(name)?.statPrefix || name,
      };
    });
  }

  certificates(): { ca: CertificateView[]; chain: CertificateView[] }[] {
    const secrets = [...this.#configuration.active.secrets];
    // The same anchors may come from the control plane and from the state directory.
    const anchors = new Map(
      secrets.flatMap(({ secret }) => {
        const bundle = secret.kind === "validation" ? secret.validation.trustedCa : undefined;
        return bundle !== undefined && "pem" in bundle
          ? [[`${secret.name} ${bundle.pem.trim()}`, { secret, bundle }]]
          : [];
      }),
    );
    const ca = [...anchors.values()].flatMap(({ secret, bundle }) => certificateViews(bundle.pem, secret.name));
    return secrets.flatMap(({ secret }) =>
      secret.kind === "certificate" ? [{ ca, chain: certificateViews(secret.certificateChainPem, secret.name) }] : [],
    );
  }

  logLevel(): LogLevel {
    return this.#logger.level;
  }

  setLogLevel(level: LogLevel): void {
    this.#logger.setLevel(level);
    this.#pool.setLogLevel(level);
  }

  drainListeners(): void {
    this.#isDraining = true;
    this.#configuration.beginNoConnections();
    void this.#pool.drain(lastConnectionsMs);
    this.stopListening();
  }

  /** A client that connects is refused instead of waiting in a queue that nobody looks at. */
  stopListening(): void {
    this.#configuration.giveUpSockets();
  }

  quit(): void {
    this.#onQuit();
  }

  async renewCertificate(): Promise<RenewalResult> {
    if (this.#identity === undefined) {
      return { ok: false, reason: "this proxy has no certificate authority (--ca-address)" };
    }
    return this.#identity.renew();
  }
}
