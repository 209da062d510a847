import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { JsonValue } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import { create } from "@bufbuild/protobuf";
import { AnySchema } from "@bufbuild/protobuf/wkt";
import type { Clock, LogLevel } from "@heddle/core";
import { prepareStateDirectory, replaceFile } from "@heddle/state";
import type { MetricReader } from "@heddle/telemetry";
import { CLUSTER_TYPE, LISTENER_TYPE, type ResourceType, resourceSchemas, unpackAny } from "@heddle/xds/api";
import type { AdsClient, ReceivedResource } from "@heddle/xds/client";
import { adminRoutes } from "../admin/routes.ts";
import { AdminServer } from "../admin/server.ts";
import type { AdminSource, CertificateView, ListenerView, ServerState } from "../admin/source.ts";
import type { BootstrapConfig } from "../bootstrap/bootstrap.ts";
import { certificateAuthority } from "../identity/certificate-authority.ts";
import { IdentityManager, type RenewalResult } from "../identity/identity-manager.ts";
import { IdentityStore } from "../identity/identity-store.ts";
import type { Identity } from "../identity/identity.ts";
import type { LineLogger } from "../line-logger.ts";
import type { ProxyOptions } from "../options/options.ts";
import { version } from "../version.ts";
import type { ClusterView } from "../worker/cluster-views.ts";
import { adsDialer } from "./ads-connection.ts";
import { configDump } from "./config-dump.ts";
import { Configuration } from "./configuration.ts";
import { LastGood, type StoredResource } from "./last-good.ts";
import { readNodeIdentity } from "./node-identity.ts";
import type { ListeningSocket, SocketBroker, SupervisorChannel } from "./socket-broker.ts";
import type { WorkerPool } from "./worker-pool.ts";

/** Names under which Istio's agent, and so this proxy, gives out its certificate and trust bundle (`sds-grpc`). */
const certificateName = "default";
const bundleName = "ROOTCA";

const clock: Clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() };

/** A start that cannot succeed by trying again: the message is for the operator. */
export class StartFailure extends Error {}

/** What a generation is made of before it starts. */
export interface GenerationParts {
  readonly options: ProxyOptions;
  readonly bootstrap: BootstrapConfig;
  readonly channel: SupervisorChannel;
  readonly broker: SocketBroker;
  readonly pool: WorkerPool;
  readonly logger: LineLogger;
}

/**
 * One generation of a proxy: the main thread's side. It holds configuration, certificate, admin port and metrics; all
 * traffic is the workers'. Its parts are started in the order in which they need each other and stopped in reverse.
 */
export class Generation implements AdminSource {
  readonly metrics: MetricReader;
  readonly #options: ProxyOptions;
  readonly #bootstrap: BootstrapConfig;
  readonly #channel: SupervisorChannel;
  readonly #broker: SocketBroker;
  readonly #logger: LineLogger;
  readonly #lastGood: LastGood | undefined;
  readonly #configuration: Configuration;
  readonly #pool: WorkerPool;
  readonly #startedAtMs = Date.now();
  #identityManager: IdentityManager | undefined;
  #ads: AdsClient | undefined;
  #isAdsStarted = false;
  #admin: { readonly server: AdminServer; readonly socket: ListeningSocket } | undefined;
  /** Anchors from the command line, for the authority and for a control plane that gives none. */
  #bundlePem: string | undefined;
  #hasStarted = false;
  #wasLive = false;
  #isDraining = false;
  #hasControlPlaneAnswered = false;
  #onQuit: () => void = () => {};

  constructor(parts: GenerationParts) {
    const { options, pool } = parts;
    this.#options = options;
    this.#bootstrap = parts.bootstrap;
    this.#channel = parts.channel;
    this.#broker = parts.broker;
    this.#logger = parts.logger;
    this.#lastGood = options.stateDir === undefined ? undefined : new LastGood(options.stateDir, clock, this.#logger);
    this.#configuration = new Configuration(this.#broker, this.#lastGood, this.#logger);
    this.#pool = pool;
    this.metrics = pool.metrics;
    pool.serve(() => this.#configuration.everything());
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
    const accepted = await this.#restoreLastGood();
    await this.#startAds(accepted);
    this.#hasStarted = true;
    this.#onConfigured();
  }

  /** Called when `/quitquitquit` asks for the end. */
  onQuit(listener: () => void): void {
    this.#onQuit = listener;
  }

  /** Says not ready, finishes what is open, and ends when all is done or the time is over. */
  async drain(deadlineMs: number): Promise<void> {
    this.#isDraining = true;
    this.#logger.info("draining", { deadlineMs });
    this.#identityManager?.stop();
    const stopped = this.#ads?.stop();
    const drained = this.#pool.drain();
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, deadlineMs);
    });
    await Promise.race([drained, deadline]);
    clearTimeout(timer);
    await this.#pool.close();
    await Promise.race([stopped, new Promise((resolve) => setTimeout(resolve, 100))]);
    await this.#lastGood?.flush();
    await this.#admin?.server.close();
    this.#configuration.close();
    this.#logger.info("drained");
  }

  // Start -----------------------------------------------------------------------------------------

  async #openAdmin(): Promise<void> {
    const address = this.#bootstrap.admin;
    if (address === undefined) return;
    const bound = this.#broker.bind("admin", address.host, address.port);
    if (bound.socket === undefined) throw new StartFailure(`admin: ${bound.message}`);
    const server = new AdminServer(adminRoutes(this), this.#logger);
    await server.listen(bound.socket.fd);
    this.#admin = { server, socket: bound.socket };
  }

  async #applyStatic(): Promise<void> {
    const { resources, ads } = this.#bootstrap;
    // The control plane's own cluster is not for traffic.
    const served = resources.filter(({ type, name }) => type !== CLUSTER_TYPE || name !== ads?.cluster.name);
    const rejected = await this.#configuration.applyStatic(served);
    const [first] = rejected;
    if (first !== undefined) throw new StartFailure(`${first.name}: ${first.error}`);
  }

  async #startIdentity(): Promise<void> {
    const { ca, stateDir } = this.#options;
    if (ca === undefined) return;
    this.#bundlePem = await this.#readBundle(ca.trustBundleFile);
    await this.#configuration.setSecret({
      source: "local",
      secret: {
        kind: "validation",
        name: bundleName,
        validation: {
          trustedCa: { pem: this.#bundlePem },
          matchSubjectAltNames: [],
          trustChainVerification: "verify",
          crlPem: undefined,
        },
      },
    });
    const uri = ca.identity ?? readNodeIdentity(this.#bootstrap.nodeMetadata);
    if (uri === undefined) {
      throw new StartFailure(
        "no identity to ask for: give --identity, or NAMESPACE and SERVICE_ACCOUNT in the node's metadata",
      );
    }
    this.#identityManager = new IdentityManager({
      ca,
      uri,
      store: stateDir === undefined ? undefined : new IdentityStore(stateDir, clock, this.#logger),
      sign: certificateAuthority(ca),
      anchorsPem: () => this.#anchorsPem() ?? "",
      clock,
      random: Math.random,
      schedule: (delayMs, action) => {
        const timer = setTimeout(action, delayMs);
        return () => clearTimeout(timer);
      },
      logger: this.#logger,
      onIdentity: (identity) => this.#serveIdentity(identity),
    });
    await this.#identityManager.start();
  }

  async #readBundle(path: string): Promise<string> {
    try {
      return await readFile(path, "utf8");
    } catch (error) {
      throw new StartFailure(`the trust bundle cannot be read: ${(error as Error).message}`);
    }
  }

  async #serveIdentity(identity: Identity): Promise<void> {
    const { chainPem, privateKeyPem } = identity;
    await this.#configuration.setSecret({
      source: "local",
      secret: { kind: "certificate", name: certificateName, certificateChainPem: chainPem, privateKey: privateKeyPem },
    });
    this.#startAdsWhenKnown();
    this.#onConfigured();
  }

  /** The anchors that the control plane pushed last, else those of the command line. */
  #anchorsPem(): string | undefined {
    for (const { source, secret } of this.#configuration.active.secrets) {
      if (source !== "ads" || secret.kind !== "validation" || secret.name !== bundleName) continue;
      const { trustedCa } = secret.validation;
      if (trustedCa !== undefined && "pem" in trustedCa) return trustedCa.pem;
    }
    return this.#bundlePem;
  }

  async #restoreLastGood(): Promise<Map<ResourceType, ReceivedResource[]>> {
    const accepted = new Map<ResourceType, ReceivedResource[]>();
    const stored = this.#bootstrap.ads === undefined ? [] : ((await this.#lastGood?.read()) ?? []);
    const resources = stored.flatMap((one) => this.#readStored(one) ?? []);
    if (resources.length === 0) return accepted;
    const rejected = await this.#configuration.restore(resources);
    for (const { name, error } of rejected)
      this.#logger.warn("a stored resource is no longer accepted", { name, error });
    const refused = new Set(rejected.map(({ name }) => name));
    for (const resource of resources) {
      if (refused.has(resource.name)) continue;
      const ofType = accepted.get(resource.type) ?? [];
      ofType.push(resource);
      accepted.set(resource.type, ofType);
    }
    this.#logger.info("the last good configuration serves", { resources: resources.length - rejected.length });
    return accepted;
  }

  #readStored({
    typeUrl,
    name,
    version: resourceVersion,
    value,
  }: StoredResource): (ReceivedResource & { type: ResourceType }) | undefined {
    if (!Object.hasOwn(resourceSchemas, typeUrl)) return undefined;
    const resource: Any = create(AnySchema, { typeUrl, value });
    try {
      const message = unpackAny(resource);
      return message === undefined
        ? undefined
        : { type: typeUrl as ResourceType, name, version: resourceVersion, resource, message };
    } catch (error) {
      this.#logger.warn("a stored resource cannot be read", { name, error });
      return undefined;
    }
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
        userAgentName: "heddle",
        userAgentVersionType: { case: "userAgentVersion", value: version },
      },
      delta: ads.delta,
      dial: adsDialer(ads.cluster, findSecret, () => this.#anchorsPem()),
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
    if (this.#options.ca !== undefined && this.#identityManager?.current === undefined) return;
    this.#isAdsStarted = true;
    this.#ads.start();
  }

  /** After each change: readiness, and the file by which others on this host find us. */
  #onConfigured(): void {
    if (!this.#wasLive && this.#isServing()) {
      this.#wasLive = true;
      this.#logger.info("ready", {
        admin: this.#admin?.socket.port,
        listeners: this.#configuration.listeners().length,
        startMs: Math.round(performance.now()),
      });
      // Whoever waits for us to be ready may read the file at once.
      void this.#announce().then(() => this.#channel.send({ type: "ready" }));
    } else void this.#announce();
  }

  #isServing(): boolean {
    if (!this.#hasStarted) return false;
    if (this.#options.ca !== undefined && this.#identityManager?.current === undefined) return false;
    if (this.#bootstrap.ads !== undefined && !this.#hasControlPlaneAnswered) return false;
    return this.#configuration.active.warming.listeners.length === 0;
  }

  #announcing: Promise<void> = Promise.resolve();
  #announced = "";

  #announce(): Promise<void> {
    const { stateDir } = this.#options;
    if (stateDir === undefined) return Promise.resolve();
    const admin = this.#admin?.socket;
    const content = JSON.stringify({
      formatVersion: 1,
      pid: process.pid,
      state: this.state(),
      adminAddress:
        admin === undefined ? undefined : `${admin.host.includes(":") ? `[${admin.host}]` : admin.host}:${admin.port}`,
      listeners: this.listeners(),
    });
    if (content === this.#announced) return this.#announcing;
    this.#announced = content;
    this.#announcing = this.#announcing
      .then(() => replaceFile(join(stateDir, "proxy.json"), `${content}\n`))
      .catch((error: unknown) => this.#logger.warn("proxy.json could not be written", { error }));
    return this.#announcing;
  }

  // What the admin port asks -----------------------------------------------------------------------

  state(): ServerState {
    if (this.#isDraining) return "DRAINING";
    if (this.#wasLive) return "LIVE";
    return this.#options.ca !== undefined && this.#identityManager?.current === undefined
      ? "PRE_INITIALIZING"
      : "INITIALIZING";
  }

  serverInfo(): Record<string, JsonValue> {
    const uptime = Math.floor((Date.now() - this.#startedAtMs) / 1000);
    return {
      version: `heddle/${version}`,
      state: this.state(),
      uptime_current_epoch: `${uptime}s`,
      uptime_all_epochs: `${uptime}s`,
      hot_restart_version: "heddle-sockets-1",
      node: { id: this.#bootstrap.node.id, cluster: this.#bootstrap.node.cluster },
      command_line_options: {
        config_path: this.#options.configPath ?? "",
        concurrency: this.#options.concurrency,
        log_level: this.#options.logLevel,
        drain_time: `${this.#options.drainTimeMs / 1000}s`,
      },
      control_plane: this.#ads === undefined ? null : (structuredClone(this.#ads.state) as unknown as JsonValue),
    };
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
    return this.#configuration
      .listeners()
      .map(({ name, sockets }) => ({ name, addresses: sockets.map(({ host, port }) => ({ host, port })) }));
  }

  certificates(): { ca: CertificateView[]; chain: CertificateView[] }[] {
    const secrets = [...this.#configuration.active.secrets];
    const ca = secrets.flatMap(({ secret }) => {
      const anchors = secret.kind === "validation" ? secret.validation.trustedCa : undefined;
      return anchors !== undefined && "pem" in anchors ? certificateViews(anchors.pem, secret.name) : [];
    });
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
    void this.#pool.drain();
  }

  quit(): void {
    this.#onQuit();
  }

  async renewCertificate(): Promise<RenewalResult> {
    if (this.#identityManager === undefined)
      return { ok: false, reason: "this proxy has no certificate authority (--ca-address)" };
    return this.#identityManager.renew();
  }
}

const pemPattern = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

function certificateViews(pem: string, name: string): CertificateView[] {
  return (pem.match(pemPattern) ?? []).flatMap((one) => {
    let certificate: X509Certificate;
    try {
      certificate = new X509Certificate(one);
    } catch {
      // An unreadable certificate serves nobody; the loader has said so where it came in.
      return [];
    }
    const names = (certificate.subjectAltName ?? "")
      .split(", ")
      .flatMap((entry) => /^(?:URI|DNS|IP Address):(.+)$/.exec(entry)?.[1] ?? []);
    return [
      {
        path: name,
        serialNumber: certificate.serialNumber.toLowerCase(),
        subjectAltNames: names,
        validFromMs: certificate.validFromDate.getTime(),
        expirationMs: certificate.validToDate.getTime(),
      },
    ];
  });
}
