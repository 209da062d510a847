import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import type { ContextValues } from "@connectrpc/connect";
import { parseFile } from "@heddle/api";
import type { Dialect, ProxyNode } from "@heddle/compiler";
import type { Clock, Logger } from "@heddle/core";
import { Lifecycle } from "@heddle/core";
import { prepareStateDirectory, replaceFile } from "@heddle/state";
import type { Node } from "@heddle/xds/api";
import { IstioCertificateService } from "@heddle/xds/api/istio-ca";
import { AdsServer } from "@heddle/xds/server";
import { adminRoutes } from "./admin-routes.ts";
import { CertificateAuthority } from "./authority/certificate-authority.ts";
import { callerIdentity, certificateService } from "./authority/certificate-service.ts";
import { JoinTokens } from "./authority/join-tokens.ts";
import { AcceptedStore } from "./push/accepted-store.ts";
import { MeshConfiguration, settingsOf } from "./push/mesh-configuration.ts";
import { authorizeNode } from "./push/node-authorization.ts";
import { proxySnapshot, trustBundleSecret } from "./push/proxy-snapshot.ts";
import { removeRunFile, writeRunFile } from "./run-file.ts";
import { startAdminServer } from "./server/admin-server.ts";
import type { Peer } from "./server/peer.ts";
import { peerOf } from "./server/peer.ts";
import { startSecureServer } from "./server/secure-server.ts";
import type { SecureServer } from "./server/secure-server.ts";
import { FolderSource, scanFolder } from "./sources/folder-source.ts";
import { InstancesSource } from "./sources/instances-source.ts";

export interface Address {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
}

export interface ControlPlaneOptions {
  /** Folder with the resources. */
  readonly folder: string;
  /** Folder for authority, accepted resources, tokens and the run file; usually `<folder>/.heddle`. */
  readonly stateDir: string;
  readonly xdsAddress: Address;
  readonly adminAddress: Address;
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
const instancesName = "instances.json";

/**
 * Starts the control plane of one folder. Resolves when resources and instances have been read once and both doors are
 * open. Rejects, with everything closed again, when the state or a port cannot be used; the message says what to do.
 */
export async function startControlPlane(options: ControlPlaneOptions): Promise<RunningControlPlane> {
  const lifecycle = new Lifecycle();
  try {
    return await new ControlPlane(options, lifecycle).start();
  } catch (error) {
    await lifecycle.drain(AbortSignal.timeout(1000));
    throw error;
  }
}

class ControlPlane {
  readonly #options: ControlPlaneOptions;
  readonly #lifecycle: Lifecycle;
  readonly #nodes = new Map<string, ProxyNode>();

  constructor(options: ControlPlaneOptions, lifecycle: Lifecycle) {
    this.#options = options;
    this.#lifecycle = lifecycle;
  }

  async start(): Promise<RunningControlPlane> {
    const { folder, stateDir, clock, logger } = this.#options;
    prepareStateDirectory(stateDir);
    const store = new AcceptedStore(join(stateDir, "accepted"), clock);
    const { resources: restored, problem } = await store.read();
    if (problem !== undefined) logger.warn(problem);
    const files = (await scanFolder(folder)).files.map(({ path, text }) => parseFile(text, path));
    const { trustDomain, rootNamespace } = settingsOf(files, restored);

    const authority = await CertificateAuthority.open(join(stateDir, "ca"), trustDomain, clock);
    const { tokens, problem: tokenProblem } = await JoinTokens.open(join(stateDir, "tokens"), clock);
    if (tokenProblem !== undefined) logger.warn(tokenProblem);

    const secrets = [trustBundleSecret(authority.rootPem)];
    const configuration: MeshConfiguration = new MeshConfiguration({ store, restored, logger, onChange: () => push() });
    const ads = new AdsServer<Peer>({
      clock,
      logger,
      identifier: `heddle-control-plane ${trustDomain}`,
      authorize: (peer, node) => authorizeNode(peer, node, configuration.instances, trustDomain),
      onNode: (proxyId, node) => {
        this.#nodes.set(proxyId, proxyNode(proxyId, node));
        pushTo(proxyId);
      },
      onGone: (proxyId) => this.#nodes.delete(proxyId),
    });
    const pushTo = (proxyId: string): void => {
      const node = this.#nodes.get(proxyId);
      if (node === undefined || configuration.waitingFor.length > 0) return;
      ads.setSnapshot(proxyId, proxySnapshot(String(configuration.version), configuration.resourcesFor(node), secrets));
    };
    const push = (): void => {
      for (const proxyId of this.#nodes.keys()) pushTo(proxyId);
    };

    await this.#watchFolder(configuration);
    await this.#watchInstances(configuration);
    const identity = `spiffe://${trustDomain}/ns/${rootNamespace}/sa/heddle-control-plane`;
    const server = await this.#openSecureDoor(authority, tokens, ads, identity);
    const token = randomBytes(32).toString("base64url");
    const admin = await startAdminServer({
      ...this.#options.adminAddress,
      token,
      logger,
      routes: adminRoutes({ configuration, ads, tokens, authority, clock }),
    });
    this.#lifecycle.register("admin API", admin);
    this.#lifecycle.register("run file", { close: () => removeRunFile(stateDir) });
    await writeRunFile(stateDir, {
      formatVersion: 1,
      pid: process.pid,
      startTimeMs: clock.wallMs(),
      adminAddress: admin.address,
      xdsAddress: server.address,
      token,
    });
    logger.info("control plane ready", { xds: server.address, admin: admin.address, trustDomain });
    return {
      xdsAddress: server.address,
      adminAddress: admin.address,
      stop: async () => {
        await this.#lifecycle.drain(AbortSignal.timeout(2000));
      },
    };
  }

  async #openSecureDoor(authority: CertificateAuthority, tokens: JoinTokens, ads: AdsServer<Peer>, identity: string): Promise<SecureServer> {
    const { clock, logger, stateDir } = this.#options;
    const { host } = this.#options.xdsAddress;
    const certificates = certificateService({ authority, tokens, logger });
    const issue = () => authority.issueServer(identity, ["localhost"], [host]);
    const credentials = await issue();
    const server = await startSecureServer({
      host,
      port: await this.#preferredPort(),
      credentials,
      rootPem: authority.rootPem,
      routes: (router) => {
        ads.routes(router);
        router.service(IstioCertificateService, certificates);
      },
      identify: (request, values: ContextValues) => {
        const result = peerOf(request, authority.rootPem, authority.trustDomain, clock);
        if (result.kind === "refused") logger.warn("a client certificate was refused", { reason: result.reason });
        if (result.kind !== "verified") return;
        values.set(ads.peerKey, result.peer);
        values.set(callerIdentity, result.peer.identity);
      },
      logger,
    });
    this.#lifecycle.register("xDS server", {
      drain: () => ads.drain(),
      close: () => server.close(),
    });
    await replaceFile(join(stateDir, "ports.json"), `${JSON.stringify({ xds: Number(server.address.split(":").at(-1)) })}\n`);
    // Half of the life, as for every other certificate.
    const halfLifeMs = (credentials.certificate.notAfterMs - clock.wallMs()) / 2;
    const timer = setInterval(() => {
      issue().then(
        (renewed) => server.renew(renewed),
        (error: unknown) => logger.error("the control plane's own certificate could not be renewed", { error: String(error) }),
      );
    }, halfLifeMs);
    timer.unref();
    this.#lifecycle.register("certificate renewal", { close: () => clearInterval(timer) });
    return server;
  }

  /** After a restart the same port as before, so that proxies find the control plane where they look for it. */
  async #preferredPort(): Promise<number> {
    const { port } = this.#options.xdsAddress;
    if (port !== 0) return port;
    try {
      const { xds } = JSON.parse(await readFile(join(this.#options.stateDir, "ports.json"), "utf8")) as { xds?: unknown };
      if (typeof xds === "number" && (await isPortFree(this.#options.xdsAddress.host, xds))) return xds;
    } catch {
      // The first start, or a file that says nothing useful: any port will do.
    }
    return 0;
  }

  async #watchFolder(configuration: MeshConfiguration): Promise<void> {
    const { folder, logger } = this.#options;
    const source = new FolderSource({
      folder,
      debounceMs,
      logger,
      onSnapshot: (snapshot, unreadable) => configuration.setFiles(snapshot, unreadable),
    });
    this.#lifecycle.register("folder source", source);
    await source.start();
  }

  /** The registry changes when replicas come, go, or change their readiness. */
  async #watchInstances(configuration: MeshConfiguration): Promise<void> {
    const { stateDir, clock, logger } = this.#options;
    const source = new InstancesSource({
      path: join(stateDir, instancesName),
      debounceMs,
      clock,
      logger,
      onInstances: (instances) => configuration.setInstances(instances),
    });
    this.#lifecycle.register("instances", source);
    await source.start();
  }
}

function proxyNode(proxyId: string, node: Node): ProxyNode {
  const dialect: Dialect = node.userAgentName === "heddle" ? "heddle" : "envoy";
  const capabilities = node.metadata?.["HEDDLE_CAPABILITIES"];
  return Array.isArray(capabilities)
    ? { instanceId: proxyId, dialect, capabilities: capabilities.filter((entry) => typeof entry === "string") }
    : { instanceId: proxyId, dialect };
}

function isPortFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, host, () => server.close(() => resolve(true)));
  });
}
