import { randomBytes } from "node:crypto";
import { stat } from "node:fs/promises";
import { isIP } from "node:net";
import { join } from "node:path";
import type { ParsedResource } from "@heddle/api";
import { parseFile } from "@heddle/api";
import type { MeshSettings } from "@heddle/compiler";
import type { Clock, Logger } from "@heddle/core";
import { Lifecycle, formatSpiffeId } from "@heddle/core";
import type { SocketAddress } from "@heddle/net";
import { prepareStateDirectory, replaceFile } from "@heddle/state";
import { IstioCertificateService } from "@heddle/xds/api/istio-ca";
import { adminRoutes } from "./admin-routes.ts";
import { CertificateAuthority } from "./authority/certificate-authority.ts";
import type { ServerCredentials } from "./authority/certificate-authority.ts";
import { keepRenewed } from "./authority/certificate-renewal.ts";
import { certificateService, maxCertificateRequestBytes } from "./authority/certificate-service.ts";
import { JoinTokens } from "./authority/join-tokens.ts";
import { ControlPlaneMetrics } from "./control-plane-metrics.ts";
import { readPort, writePort } from "./port-file.ts";
import { AcceptedStore } from "./push/accepted-store.ts";
import { MeshConfiguration, settingsOf } from "./push/mesh-configuration.ts";
import { trustBundleSecret } from "./push/proxy-snapshot.ts";
import { Publisher } from "./push/publisher.ts";
import { removeRunFile, requireAlone, runFileVersion, writeRunFile } from "./run-file.ts";
import { startAdminServer } from "./server/admin-server.ts";
import { PeerVerifier } from "./server/peer.ts";
import type { SecureServer, SecureServerOptions } from "./server/secure-server.ts";
import { startSecureServer } from "./server/secure-server.ts";
import { scanFolder } from "./sources/folder-scan.ts";
import { FolderSource } from "./sources/folder-source.ts";
import { InstancesSource } from "./sources/instances-source.ts";

export interface ControlPlaneOptions {
  /** Folder with the resources. */
  readonly folder: string;
  /** Folder for authority, accepted resources, tokens and the run file; usually `<folder>/.heddle`. */
  readonly stateDir: string;
  /** Port 0: the one of the run before when it is free, else any. */
  readonly xdsAddress: SocketAddress;
  /** The bound socket of `xdsAddress`, when a parent keeps the port for every life of this process. */
  readonly xdsDescriptor?: number;
  readonly adminAddress: SocketAddress;
  /** Those that the mesh was started with, by whoever runs it; absent: what the files say at this start. */
  readonly settings?: MeshSettings;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface RunningControlPlane {
  /** host:port as bound. */
  readonly xdsAddress: string;
  readonly adminAddress: string;
  /** Ends streams, closes the doors and removes the run file. Proxies go on with what they have. */
  stop(): Promise<void>;
}

/** Quiet time after a change before it is taken, in milliseconds (design, issue 1). */
const debounceMs = 10;
const stopDeadlineMs = 2000;

/**
 * Starts the control plane of one folder. Resolves when resources and instances have been read once and both doors are
 * open. Rejects, with everything closed again, when the folder, the state or a port cannot be used; the message says what to do.
 */
export async function startControlPlane(options: ControlPlaneOptions): Promise<RunningControlPlane> {
  const lifecycle = new Lifecycle();
  try {
    return await new ControlPlane(options, lifecycle).start();
  } catch (error) {
    await lifecycle.drain(AbortSignal.timeout(stopDeadlineMs));
    throw error;
  }
}

class ControlPlane {
  readonly #options: ControlPlaneOptions;
  readonly #lifecycle: Lifecycle;
  readonly #metrics = new ControlPlaneMetrics();

  constructor(options: ControlPlaneOptions, lifecycle: Lifecycle) {
    this.#options = options;
    this.#lifecycle = lifecycle;
  }

  async start(): Promise<RunningControlPlane> {
    const { folder, stateDir, clock, logger } = this.#options;
    await requireFolder(folder);
    await requireAlone(stateDir);
    prepareStateDirectory(stateDir);
    // The authority's key lies below: `git add` in the folder of a user must not take it along.
    await replaceFile(join(stateDir, ".gitignore"), "*\n");
    const { configuration, trustDomain, rootNamespace, onChange } = await this.#openConfiguration();
    const authority = await CertificateAuthority.open(join(stateDir, "ca"), trustDomain, clock);
    const { tokens, problem } = await JoinTokens.open(join(stateDir, "tokens"), clock);
    if (problem !== undefined) logger.warn(problem);

    const secrets = [trustBundleSecret(authority.rootPem)];
    const publisher = new Publisher({ configuration, secrets, trustDomain, clock, logger });
    onChange(() => publisher.publish());
    // Open before anything has been read, so that whoever asks whether it is ready hears what it waits for.
    const token = randomBytes(32).toString("base64url");
    const admin = await startAdminServer({
      ...this.#options.adminAddress,
      token,
      logger,
      routes: adminRoutes({ configuration, publisher, tokens, authority, metrics: this.#metrics, clock }),
    });
    this.#lifecycle.register("admin API", admin);
    await this.#watchSources(configuration);

    const identity = formatSpiffeId(trustDomain, rootNamespace, "heddle-control-plane");
    const server = await this.#openSecureDoor(configuration, authority, tokens, publisher, identity);
    this.#lifecycle.register("run file", { close: () => removeRunFile(stateDir, process.pid) });
    await writeRunFile(stateDir, {
      formatVersion: runFileVersion,
      pid: process.pid,
      startTimeMs: clock.wallMs(),
      adminAddress: admin.address,
      xdsAddress: server.address,
      token,
    });
    logger.info("control plane ready", { xds: server.address, admin: admin.address, trustDomain });
    return { xdsAddress: server.address, adminAddress: admin.address, stop: () => this.#stop() };
  }

  async #stop(): Promise<void> {
    const { late, failures } = await this.#lifecycle.drain(AbortSignal.timeout(stopDeadlineMs));
    for (const name of late) this.#options.logger.warn("closed before it had drained", { name });
    for (const { name, error } of failures) {
      this.#options.logger.error("could not be closed", {
        name,
        error: error instanceof Error ? error.message : String(error),
      });
    }
  }

  /** What was in force before this start, and the settings that hold for all of it. */
  async #openConfiguration(): Promise<{
    configuration: MeshConfiguration;
    trustDomain: string;
    rootNamespace: string;
    onChange: (listener: () => void) => void;
  }> {
    const { folder, stateDir, clock, logger } = this.#options;
    const store = new AcceptedStore(join(stateDir, "accepted"), clock);
    const { resources: restored, problem } = await store.read();
    if (problem !== undefined) logger.warn(problem);
    this.#lifecycle.register("accepted resources", { close: () => store.flush() });
    const { settings = await readSettings(folder, restored) } = this.#options;
    let listener = (): void => {};
    const configuration = new MeshConfiguration({
      store,
      restored,
      settings,
      logger,
      onChange: () => listener(),
      onJudged: this.#metrics.countValidation,
    });
    const onChange = (wanted: () => void): void => {
      listener = wanted;
    };
    return { configuration, ...settings, onChange };
  }

  async #watchSources(configuration: MeshConfiguration): Promise<void> {
    const { folder, stateDir, clock, logger } = this.#options;
    const files = new FolderSource({
      folder,
      debounceMs,
      clock,
      logger,
      onSnapshot: (snapshot, unreadable) => configuration.setFiles(snapshot.files, unreadable),
    });
    this.#lifecycle.register("folder source", files);
    await files.start();
    const instances = new InstancesSource({
      path: join(stateDir, "instances.json"),
      debounceMs,
      clock,
      logger,
      onInstances: (list, isKnown) => configuration.setInstances(list, isKnown),
    });
    this.#lifecycle.register("instances", instances);
    await instances.start();
  }

  async #openSecureDoor(
    configuration: MeshConfiguration,
    authority: CertificateAuthority,
    tokens: JoinTokens,
    publisher: Publisher,
    identity: string,
  ): Promise<SecureServer> {
    const { clock, logger, stateDir, xdsAddress, xdsDescriptor } = this.#options;
    const { host } = xdsAddress;
    const { ads } = publisher;
    const verifier = new PeerVerifier(authority.rootPem, authority.trustDomain, clock);
    const hasWorkload = (id: string): boolean | undefined => configuration.hasWorkload(id);
    const certificates = certificateService({ authority, tokens, peerKey: ads.peerKey, hasWorkload, logger });
    const issue = (): Promise<ServerCredentials> =>
      isIP(host) === 0
        ? authority.issueServer(identity, [...new Set(["localhost", host])], [])
        : authority.issueServer(identity, ["localhost"], [host]);
    const credentials = await issue();
    const server = await listenWherePossible(
      {
        ...xdsAddress,
        ...(xdsDescriptor === undefined ? {} : { descriptor: xdsDescriptor }),
        credentials,
        rootPem: authority.rootPem,
        routes: (router) => {
          ads.routes(router);
          router.service(IstioCertificateService, certificates, { readMaxBytes: maxCertificateRequestBytes });
        },
        interceptors: [this.#metrics.interceptor],
        identify: (request, values) => values.set(ads.peerKey, verifier.peerOf(request)),
        logger,
      },
      xdsAddress.port === 0 ? await readPort(stateDir, clock, logger) : 0,
    );
    this.#lifecycle.register("xDS server", {
      drain: () => ads.drain(),
      close: () => server.close(),
    });
    this.#lifecycle.register("certificate expiry", publisher);
    await writePort(stateDir, server.port);
    const onRenewed = (renewed: ServerCredentials): void => server.renew(renewed);
    const renewal = keepRenewed({ first: credentials, issue, onRenewed, clock, logger });
    this.#lifecycle.register("certificate renewal", renewal);
    return server;
  }
}

/** Opens the door at the port of the run before, where proxies look for it, unless somebody else has taken that. */
async function listenWherePossible(options: SecureServerOptions, lastPort: number): Promise<SecureServer> {
  if (lastPort === 0) return startSecureServer(options);
  try {
    return await startSecureServer({ ...options, port: lastPort });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
    options.logger.warn(
      "the port of the run before is taken: proxies that look for it there must be told the new one",
      {
        port: lastPort,
      },
    );
    return startSecureServer(options);
  }
}

async function readSettings(folder: string, restored: readonly ParsedResource[]): Promise<MeshSettings> {
  const { files } = await scanFolder(folder);
  return settingsOf(
    files.map(({ path, text }) => parseFile(text, path)),
    restored,
  );
}

async function requireFolder(folder: string): Promise<void> {
  const entry = await stat(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT" && error.code !== "ENOTDIR") throw error;
    return undefined;
  });
  if (entry === undefined) throw new Error(`there is no folder ${folder}: make it and put resource files into it`);
  if (!entry.isDirectory())
    throw new Error(`${folder} is not a folder: name the folder that the resource files are in`);
}
