import type { HeldPort } from "@heddle/net";
import { formatAddress } from "@heddle/net";
import type { MeshMode } from "@heddle/api";
import { formatSpiffeId, silentLogger } from "@heddle/core";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { instancesVersion, readInstances, readPort, systemClock, writeInstances } from "@heddle/control-plane";
import { StateIsNewer } from "@heddle/state";
import { AdminUnreachable } from "./admin-client.ts";
import type { ControlPlaneAddresses } from "./control-plane-process.ts";
import { ControlPlaneProcess } from "./control-plane-process.ts";
import { Edge } from "./edge.ts";
import { JoinTokenKeeper } from "./join-token-keeper.ts";
import type { ModeChoice } from "./mode.ts";
import { findCaller } from "./namespaces/caller.ts";
import { MeshNetwork } from "./namespaces/mesh-network.ts";
import { OwnNamespace } from "./namespaces/own-namespace.ts";
import type { MeshPlan, PlannedInstance } from "./plan.ts";
import { edgeInstanceId, fingerprint } from "./plan.ts";
import { ApplicationPorts, PortProblem, takePort } from "./ports.ts";
import type { LineSink } from "./process-output.ts";
import type { ProxyFiles, ProxyFilesPlace, ProxyIdentity } from "./proxy-files.ts";
import { proxyFiles, spiffeId, writeProxyFiles } from "./proxy-files.ts";
import type { ReplicaPlace } from "./replica-place.ts";
import { sharedBootstrap } from "./replica-place.ts";
import { type Readiness, untilNothingMissing } from "./readiness.ts";
import { Replica } from "./replica.ts";
import { SharedAddress } from "./shared-address.ts";

export interface MeshRunnerOptions {
  /** Folder with the `LocalMesh` and the resources. */
  readonly folder: string;
  readonly stateDir: string;
  readonly plan: MeshPlan;
  readonly mode: ModeChoice;
  readonly proxyLogLevel: string;
  /** Lines of the processes, each with the process's name: `reviews-v1-0`, `reviews-v1-0/proxy`, `control-plane`. */
  readonly output: LineSink;
  /** Lines of the runner itself about one of them. */
  readonly report: (source: string, line: string, isRepetition?: boolean) => void;
}

const pollMs = 50;
const xdsHost = "127.0.0.1";
/** Istio's, where the machine has an address for the mesh. */
const xdsPort = 15_012;
/** The edge runs on the machine's own network, as this process does. */
const edgePlace: ProxyFilesPlace = { bootstrap: sharedBootstrap, proxyOwner: undefined };
const controlPlaneGraceMs = 5000;
const untilNextStart = "until heddle up is started again";

/**
 * Runs a local mesh: control plane, one proxy and one application for each replica, and the edge. In `ports` mode the sockets of the
 * proxies are bound here and inherited, so that a proxy that is started again finds its ports and loses no connection; in `namespaces`
 * mode each replica has a network of its own, and its proxy's supervisor holds the sockets there.
 */
export class MeshRunner {
  readonly #options: MeshRunnerOptions;
  readonly #replicas = new Map<string, Replica>();
  readonly #controlPlane: ControlPlaneProcess;
  readonly #tokens: JoinTokenKeeper;
  #plan: MeshPlan;
  #edge: Edge | undefined;
  #xdsPort: HeldPort | undefined;
  #addresses: ControlPlaneAddresses | undefined;
  #ports: ApplicationPorts | undefined;
  #network: MeshNetwork | undefined;
  #writing: Promise<void> = Promise.resolve();
  /** Changes follow each other, and `stop` follows the last. */
  #changing: Promise<void> = Promise.resolve();
  #isStopping = false;

  constructor(options: MeshRunnerOptions) {
    this.#options = options;
    this.#plan = options.plan;
    this.#controlPlane = new ControlPlaneProcess({
      folder: options.folder,
      stateDir: options.stateDir,
      trustDomain: options.plan.trustDomain,
      rootNamespace: options.plan.rootNamespace,
      port: () => {
        if (this.#xdsPort === undefined) throw new Error("the mesh was not started");
        return this.#xdsPort;
      },
      output: options.output,
      report: (line) => options.report("control-plane", line),
    });
    this.#tokens = new JoinTokenKeeper({
      issue: async (identity) => (await this.#joinToken(identity)).token,
      report: (line) => options.report("heddle", line),
    });
  }

  get mode(): MeshMode {
    return this.#options.mode.mode;
  }

  get controlPlane(): ControlPlaneProcess {
    return this.#controlPlane;
  }

  /** The running replicas, by instance id. */
  get replicas(): ReadonlyMap<string, Replica> {
    return this.#replicas;
  }

  get edge(): Edge | undefined {
    return this.#edge;
  }

  /**
   * Starts everything. Resolves when the control plane serves and every process was started; `whenReady` says when all of
   * them are ready. Rejects, with nothing left running, when a port is taken or the control plane cannot start.
   */
  async start(): Promise<void> {
    try {
      await this.#change(() => this.#begin());
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  async #begin(): Promise<void> {
    const { edge, trustDomain, instances } = this.#plan;
    // The edge's port first: it is the one that may be taken, and then nothing must have been started.
    if (edge !== undefined) this.#edge = new Edge({ ...this.#common(), planned: edge, trustDomain });
    await this.#openNetwork();
    this.#xdsPort = await this.#holdXdsPort();
    this.#ports = await ApplicationPorts.open();
    await this.#judgeOldInstances();
    // Keys and configuration of an earlier run speak of ports that are others now.
    await rm(join(this.#options.stateDir, "proxies"), { recursive: true, force: true });
    // Nothing of the last run: the control plane loads its code while the replicas get their places.
    await this.#writeInstances();
    this.#goOn();
    throwFirst(await Promise.allSettled([this.#startControlPlane(), this.#prepareAll(instances)]));
    const proxies = [...this.#replicas.values(), ...(this.#edge === undefined ? [] : [this.#edge])];
    await Promise.all([...this.#replicas.values()].map(({ identity, place }) => this.#equipProxy(identity, place)));
    if (this.#edge !== undefined) await this.#equipProxy(this.#edge.identity, edgePlace);
    this.#goOn();
    for (const { sidecar } of proxies) sidecar.start();
  }

  async #startControlPlane(): Promise<void> {
    try {
      this.#addresses = await this.#controlPlane.start();
    } catch (error) {
      // Nobody waits for what else was begun to be ready: it is ended.
      this.#isStopping = true;
      throw error;
    }
  }

  /** Gives every replica a place, and starts its application. */
  async #prepareAll(instances: readonly PlannedInstance[]): Promise<void> {
    const opened = await Promise.allSettled(instances.map((planned) => this.#openReplica(planned)));
    // In the order of the plan, and those of a start that fails, too: `stop` takes their places away.
    for (const each of opened) if (each.status === "fulfilled") this.#replicas.set(each.value.planned.id, each.value);
    throwFirst(opened);
    await this.#writeInstances();
    this.#goOn();
    for (const { application } of this.#replicas.values()) application.start();
  }

  /** Any free port when somebody has taken the one that it should be: proxies of this run are told. */
  async #holdXdsPort(): Promise<HeldPort> {
    const wanted = await this.#wantedXdsPort();
    try {
      return takePort(wanted.host, wanted.port);
    } catch (error) {
      if (!(error instanceof PortProblem) || wanted.port === 0) throw error;
      this.#options.report("heddle", `the control plane's port ${wanted.name} is taken; it gets another`);
      return takePort(wanted.host, 0);
    }
  }

  /** Istio's, on a network of the mesh's own; else that of the run before, where proxies that others run look for the control plane. */
  async #wantedXdsPort(): Promise<{ host: string; port: number; name: string }> {
    if (this.#network !== undefined) {
      const host = this.#network.subnet.hostIpv4;
      return { host, port: xdsPort, name: formatAddress(host, xdsPort) };
    }
    const { stateDir, report } = this.#options;
    const logger = { ...silentLogger, warn: (message: string) => report("heddle", message) };
    const port = await readPort(stateDir, systemClock, logger);
    return { host: xdsHost, port, name: `of the last run, ${port},` };
  }

  /** The list of the run before is written anew; not over one of a newer Heddle, and not in silence over one that is damaged. */
  async #judgeOldInstances(): Promise<void> {
    const path = this.#instancesPath;
    const content = await readInstances(path, Date.now());
    if (content.kind === "newer") throw new StateIsNewer(path, content.formatVersion, instancesVersion);
    if (content.kind === "corrupt") {
      const { reason, movedTo } = content;
      this.#options.report(
        "heddle",
        `the list of instances of the last run cannot be used (${reason}): it is kept as ${movedTo} and written anew`,
      );
    }
  }

  get #instancesPath(): string {
    return join(this.#options.stateDir, "instances.json");
  }

  /** Nothing may be started behind the back of `stop`. */
  #goOn(): void {
    if (this.#isStopping) throw new Error("the mesh was stopped");
  }

  /**
   * Resolves when every application and proxy is ready and every proxy has the configuration that says so, or with the names of
   * those that are not after `limitMs`.
   */
  whenReady(limitMs: number): Promise<Readiness> {
    return untilNothingMissing(
      limitMs,
      () => this.#notReady(),
      () => this.#isStopping,
    );
  }

  /** Resolves when the edge takes requests, whether or not the mesh behind it is ready. */
  whenEdgeServes(limitMs: number): Promise<Readiness> {
    return untilNothingMissing(
      limitMs,
      () => this.#edgeNotReady(),
      () => this.#isStopping,
    );
  }

  /**
   * Takes a changed `LocalMesh`: stops replicas that are gone, starts new ones, and starts again those whose command,
   * environment or callable services changed. The rest is not touched. Resolves with what cannot change while it runs, in words.
   *
   * What fails leaves every replica whole, as it was or gone: the same plan may be applied again and does what is left.
   *
   * @param plan has the trust domain and the root namespace of the start
   */
  async apply(plan: MeshPlan): Promise<readonly string[]> {
    const held: string[] = [];
    await this.#change(async () => {
      const wanted = new Map(plan.instances.map((planned) => [planned.id, planned]));
      const leaving = [...this.#replicas.values()].filter(({ planned }) => {
        const next = wanted.get(planned.id);
        return next === undefined || fingerprint(next) !== fingerprint(planned);
      });
      const isEdgeAsWished =
        plan.edge === undefined ? this.#edge === undefined : this.#edge?.retarget(plan.edge) === true;
      if (!isEdgeAsWished) {
        const now =
          this.#edge === undefined ? "the mesh stays without an edge" : `the edge stays at ${this.#edge.address}`;
        held.push(`${plan.edgePlace}: ${now} ${untilNextStart}`);
      }
      this.#plan = plan;
      for (const replica of leaving) await this.#remove(replica);
      for (const planned of plan.instances) if (!this.#replicas.has(planned.id)) await this.#add(planned);
      await this.#writeInstances();
    });
    return held;
  }

  /** Kills a replica's application and proxy, supervisor included; its ports close. `replaceReplica` brings it back. */
  loseReplica(id: string): Promise<void> {
    return this.#change(async () => {
      this.#tokens.forget(proxyFiles(this.#options.stateDir, id).token);
      await this.#replicas.get(id)?.lose();
    });
  }

  /** A new replica, with ports and keys of its own, in place of a lost one. */
  replaceReplica(id: string): Promise<void> {
    return this.#change(async () => {
      const lost = this.#replicas.get(id);
      if (lost === undefined) return;
      this.#replicas.delete(id);
      await lost.stop();
      await this.#add(lost.planned);
    });
  }

  /** Ends everything: the edge first, so that nothing new comes in, then replicas, then the control plane. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    // A start waits for the control plane's first word.
    if (this.#addresses === undefined) await this.#controlPlane.stop(controlPlaneGraceMs);
    await this.#changing.catch(() => undefined);
    await this.#tokens.close();
    await this.#edge?.stop();
    await Promise.all([...this.#replicas.values()].map((replica) => replica.end()));
    await this.#controlPlane.stop(controlPlaneGraceMs);
    this.#xdsPort?.close();
    this.#xdsPort = undefined;
    const network = this.#network;
    this.#network = undefined;
    await network?.close();
    await this.#writing.catch(() => undefined);
    this.#replicas.clear();
    this.#edge = undefined;
  }

  #change(work: () => Promise<void>): Promise<void> {
    const changing = this.#changing
      .catch(() => undefined)
      .then(() => {
        this.#goOn();
        return work();
      });
    this.#changing = changing;
    return changing;
  }

  #common() {
    const { stateDir, output, report, proxyLogLevel } = this.#options;
    return {
      stateDir,
      output,
      report,
      proxyLogLevel,
      xdsAddress: () => this.#addresses?.xdsAddress ?? "",
      // What it kept may be what it died of.
      onProxyCrash: (files: ProxyFiles) => this.#tokens.refresh(files.token),
    };
  }

  async #openNetwork(): Promise<void> {
    const { mode, report } = this.#options;
    if (mode.mode !== "namespaces") return;
    this.#network = await MeshNetwork.open(mode.hasIpv6, (line) => report("heddle", line));
  }

  #openPlace(planned: PlannedInstance): Promise<ReplicaPlace> {
    if (this.#ports === undefined) throw new Error("the mesh was not started");
    if (this.#network === undefined) return SharedAddress.open(planned, this.#ports);
    const { stateDir } = this.#options;
    return OwnNamespace.open({
      planned,
      network: this.#network,
      caller: findCaller(),
      stateDir,
      stateFolder: proxyFiles(stateDir, planned.id).folder,
    });
  }

  async #openReplica(planned: PlannedInstance): Promise<Replica> {
    return new Replica(
      {
        ...this.#common(),
        planned,
        trustDomain: this.#plan.trustDomain,
        folder: this.#options.folder,
        onReadiness: () => void this.#writeInstances(),
      },
      await this.#openPlace(planned),
    );
  }

  async #add(planned: PlannedInstance): Promise<void> {
    const replica = await this.#openReplica(planned);
    this.#replicas.set(planned.id, replica);
    try {
      await this.#writeInstances();
      this.#goOn();
      replica.application.start();
      const { folder } = proxyFiles(this.#options.stateDir, planned.id);
      await rm(folder, { recursive: true, force: true });
      await this.#equipProxy(replica.identity, replica.place);
      this.#goOn();
      replica.sidecar.start();
    } catch (error) {
      // Whole or not at all: the next try must find it missing, not half there.
      this.#replicas.delete(planned.id);
      this.#tokens.forget(replica.files.token);
      await replica.stop();
      throw error;
    }
  }

  async #remove(replica: Replica): Promise<void> {
    this.#replicas.delete(replica.planned.id);
    this.#tokens.forget(replica.files.token);
    try {
      // Endpoints leave before the processes do, so that nobody is sent there.
      await this.#writeInstances();
    } finally {
      await replica.stop();
    }
  }

  /** Gives a proxy what it needs before its first start: bootstrap, a join token for its identity, and the anchors. */
  async #equipProxy(proxy: ProxyIdentity, place: ProxyFilesPlace): Promise<void> {
    const { token, trustBundlePem } = await this.#joinToken(spiffeId(proxy));
    const controlPlaneId = formatSpiffeId(proxy.trustDomain, this.#plan.rootNamespace, "heddle-control-plane");
    const files = proxyFiles(this.#options.stateDir, proxy.instanceId);
    const xdsAddress = this.#addresses?.xdsAddress ?? "";
    await writeProxyFiles(files, proxy, { xdsAddress, controlPlaneId, token, trustBundlePem }, place);
    this.#tokens.keep(files.token, spiffeId(proxy), place.proxyOwner);
  }

  /** Waits for a control plane that is between two lives. */
  async #joinToken(identity: string): Promise<{ token: string; trustBundlePem: string }> {
    for (;;) {
      try {
        const admin = await this.#controlPlane.admin();
        if (admin === undefined) throw new AdminUnreachable("the control plane is not running");
        const [{ token }, { pem }] = await Promise.all([
          admin.createJoinToken({ identity, uses: 1 }),
          admin.trustBundle(),
        ]);
        return { token, trustBundlePem: pem };
      } catch (error) {
        if (!(error instanceof AdminUnreachable)) throw error;
        this.#goOn();
        await delay(pollMs);
      }
    }
  }

  async *#notReady(): AsyncGenerator<string> {
    let isAnyMissing = false;
    for await (const name of this.#notStarted()) {
      isAnyMissing = true;
      yield name;
    }
    if (!isAnyMissing) yield* await this.#notTold();
  }

  async *#notStarted(): AsyncGenerator<string> {
    for (const { planned, application, sidecar } of this.#replicas.values()) {
      if (!application.isReady) yield planned.id;
      else if (!(await sidecar.isReady())) yield `${planned.id}/proxy`;
    }
    yield* this.#edgeNotReady();
  }

  async *#edgeNotReady(): AsyncGenerator<string> {
    if (this.#edge !== undefined && !(await this.#edge.sidecar.isReady())) yield `${edgeInstanceId}/proxy`;
  }

  /** Proxies that the control plane has not yet told that everybody is ready. */
  async #notTold(): Promise<string[]> {
    const admin = await this.#controlPlane.admin();
    if (admin === undefined) return ["control-plane"];
    try {
      const { proxies } = await admin.proxies();
      return proxies.filter((row) => !row.isReady || !row.isConnected || !row.isSynced).map(({ id }) => `${id}/proxy`);
    } catch {
      // Between two lives: the next look finds it.
      return ["control-plane"];
    }
  }

  /** Tells the control plane which replicas there are and which are ready. Writes follow each other; the last one wins. */
  #writeInstances(): Promise<void> {
    const write = (): Promise<void> => {
      const instances = [...this.#replicas.values()].map(({ instance }) => instance);
      if (this.#edge !== undefined) instances.push(this.#edge.instance);
      return writeInstances(this.#instancesPath, instances);
    };
    this.#writing = this.#writing.then(write, write);
    void this.#writing.catch((error: unknown) => {
      this.#options.report(
        "heddle",
        `the list of instances cannot be written: ${error instanceof Error ? error.message : String(error)}`,
      );
    });
    return this.#writing;
  }
}

function throwFirst(results: readonly PromiseSettledResult<unknown>[]): void {
  const failed = results.find(({ status }) => status === "rejected");
  if (failed?.status === "rejected") throw failed.reason;
}
