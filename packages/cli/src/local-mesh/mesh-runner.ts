import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { WorkloadInstance } from "@heddle/compiler";
import { writeInstances } from "@heddle/control-plane";
import { Application } from "./application.ts";
import type { ControlPlaneAddresses } from "./control-plane-process.ts";
import { ControlPlaneProcess } from "./control-plane-process.ts";
import type { MeshPlan, PlannedInstance } from "./plan.ts";
import { edgeInstanceId, fingerprint, serviceKey } from "./plan.ts";
import type { HeldPort } from "./ports.ts";
import { ApplicationPorts, holdPort } from "./ports.ts";
import type { LineSink } from "./process-output.ts";
import type { ProxyIdentity } from "./proxy-files.ts";
import { proxyFiles, spiffeId, writeProxyFiles } from "./proxy-files.ts";
import { Sidecar } from "./sidecar.ts";

export interface MeshRunnerOptions {
  /** Folder with the `LocalMesh` and the resources. */
  readonly folder: string;
  readonly stateDir: string;
  readonly plan: MeshPlan;
  readonly proxyLogLevel: string;
  /** Lines of the processes, each with the process's name. */
  readonly output: LineSink;
  /** Lines of the runner itself. */
  readonly report: (source: string, line: string) => void;
}

const loopback = "127.0.0.1";
const pollMs = 50;
const appGraceMs = 5000;
const proxyGraceMs = 8000;

/** One replica with everything that belongs to it. */
export interface Member {
  readonly planned: PlannedInstance;
  readonly application: Application;
  readonly sidecar: Sidecar;
  readonly instance: WorkloadInstance;
}

interface Held {
  readonly inbound: HeldPort;
  readonly outbound: ReadonlyMap<string, HeldPort>;
  readonly appPort: number;
}

/**
 * Runs a local mesh in `ports` mode: control plane, one proxy and one application for each replica, and the edge. Sockets of the
 * proxies are bound here and inherited, so that a proxy that is started again finds its ports and loses no connection.
 */
export class MeshRunner {
  readonly #options: MeshRunnerOptions;
  readonly #members = new Map<string, Member>();
  readonly #held = new Map<string, Held>();
  readonly #controlPlane: ControlPlaneProcess;
  #plan: MeshPlan;
  #edge: { readonly sidecar: Sidecar; readonly instance: WorkloadInstance; readonly port: HeldPort } | undefined;
  #addresses: ControlPlaneAddresses | undefined;
  #ports: ApplicationPorts | undefined;
  #writing: Promise<void> = Promise.resolve();
  #isStopping = false;

  constructor(options: MeshRunnerOptions) {
    this.#options = options;
    this.#plan = options.plan;
    this.#controlPlane = new ControlPlaneProcess({
      folder: options.folder,
      stateDir: options.stateDir,
      output: options.output,
      report: (line) => options.report("control-plane", line),
    });
  }

  get controlPlane(): ControlPlaneProcess {
    return this.#controlPlane;
  }

  /** The running replicas, by instance id. */
  get members(): ReadonlyMap<string, Member> {
    return this.#members;
  }

  get edge(): Sidecar | undefined {
    return this.#edge?.sidecar;
  }

  /** host:port where plaintext from outside comes in; undefined without an edge. */
  get edgeAddress(): string | undefined {
    const port = this.#edge?.port;
    return port === undefined ? undefined : `${port.address}:${port.port}`;
  }

  /**
   * Starts everything. Resolves when the control plane serves and every process was started; `whenReady` says when all of
   * them are ready. Rejects, with nothing left running, when a port is taken or the control plane cannot start.
   */
  async start(): Promise<void> {
    const plan = this.#plan;
    // The edge's port first: it is the one that may be taken, and then nothing must have been started.
    const edgePort = plan.edge === undefined ? undefined : holdPort(plan.edge.address, plan.edge.port);
    try {
      this.#ports = await ApplicationPorts.open();
      for (const planned of plan.instances) this.#held.set(planned.id, await this.#hold(planned));
      if (plan.edge !== undefined && edgePort !== undefined) this.#addEdge(edgePort);
      for (const planned of plan.instances) this.#addMember(planned);
      await this.#writeInstances();
      for (const { application } of this.#members.values()) application.start();
      this.#addresses = await this.#controlPlane.start();
      await Promise.all([...this.#proxyIdentities()].map((proxy) => this.#equipProxy(proxy)));
      for (const { sidecar } of this.#members.values()) sidecar.start();
      this.#edge?.sidecar.start();
    } catch (error) {
      edgePort?.socket.close();
      await this.stop();
      throw error;
    }
  }

  /** Resolves with true when every application and proxy is ready, with the names of those that are not after `limitMs`. */
  async whenReady(limitMs: number): Promise<{ readonly ready: true } | { readonly ready: false; readonly missing: string[] }> {
    const end = performance.now() + limitMs;
    for (;;) {
      const missing = await this.#notReady();
      if (missing.length === 0) return { ready: true };
      if (performance.now() >= end || this.#isStopping) return { ready: false, missing };
      await delay(pollMs);
    }
  }

  /**
   * Takes a changed `LocalMesh`: stops replicas that are gone, starts new ones, and starts again those whose command,
   * environment or callable services changed. The rest is not touched. The edge's own port cannot change while it runs.
   */
  async apply(plan: MeshPlan): Promise<void> {
    const wanted = new Map(plan.instances.map((planned) => [planned.id, planned]));
    const leaving = [...this.#members.values()].filter(({ planned }) => {
      const next = wanted.get(planned.id);
      return next === undefined || fingerprint(next) !== fingerprint(planned);
    });
    if (plan.edge?.port !== this.#plan.edge?.port || plan.edge?.address !== this.#plan.edge?.address) {
      this.#options.report("heddle", "the edge's address changes only when the mesh is started again");
    }
    this.#plan = plan;
    for (const member of leaving) await this.#removeMember(member);
    for (const planned of plan.instances) {
      if (this.#members.has(planned.id) || this.#isStopping) continue;
      this.#held.set(planned.id, await this.#hold(planned));
      const member = this.#addMember(planned);
      await this.#writeInstances();
      member.application.start();
      await this.#equipProxy(this.#identityOf(planned));
      member.sidecar.start();
    }
    await this.#writeInstances();
  }

  /** Ends everything: the edge first, so that nothing new comes in, then replicas, then the control plane. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#edge?.sidecar.stop(proxyGraceMs);
    await Promise.all(
      [...this.#members.values()].map(async ({ sidecar, application }) => {
        await sidecar.stop(proxyGraceMs);
        await application.stop(appGraceMs);
      }),
    );
    await this.#controlPlane.stop(appGraceMs);
    await this.#writing.catch(() => undefined);
    this.#edge?.port.socket.close();
    for (const held of this.#held.values()) closeHeld(held);
    this.#held.clear();
    this.#members.clear();
    this.#edge = undefined;
  }

  async #hold(planned: PlannedInstance): Promise<Held> {
    const appPort = await this.#ports!.take(loopback);
    return {
      appPort,
      inbound: holdPort(loopback, 0),
      outbound: new Map(planned.calls.map((service) => [serviceKey(service), holdPort(loopback, 0)])),
    };
  }

  #addMember(planned: PlannedInstance): Member {
    const { folder, stateDir, output, report, proxyLogLevel } = this.#options;
    const held = this.#held.get(planned.id)!;
    const outboundPorts = Object.fromEntries([...held.outbound].map(([key, { port }]) => [key, port]));
    const instance: WorkloadInstance = {
      id: planned.id,
      workload: planned.workload,
      service: planned.service,
      namespace: planned.namespace,
      serviceAccount: planned.serviceAccount,
      labels: planned.labels,
      version: planned.version,
      protocol: planned.protocol,
      servicePort: planned.servicePort,
      address: loopback,
      inboundPort: held.inbound.port,
      appPort: held.appPort,
      outboundPorts,
      ready: false,
      kind: "sidecar",
    };
    const member: Member = {
      planned,
      instance,
      application: new Application({
        instance: planned,
        folder,
        address: loopback,
        port: held.appPort,
        outboundPorts,
        output,
        report: (line) => report(planned.id, line),
        onReady: () => void this.#writeInstances(),
      }),
      sidecar: new Sidecar({
        name: `${planned.id}/proxy`,
        files: proxyFiles(stateDir, planned.id),
        xdsAddress: () => this.#addresses!.xdsAddress,
        identity: spiffeId(this.#identityOf(planned)),
        ports: [held.inbound, ...held.outbound.values()],
        logLevel: proxyLogLevel,
        output,
        report: (line) => report(planned.id, line),
      }),
    };
    this.#members.set(planned.id, member);
    return member;
  }

  async #removeMember(member: Member): Promise<void> {
    const { id } = member.planned;
    this.#members.delete(id);
    // Endpoints leave before the processes do, so that nobody is sent there.
    await this.#writeInstances();
    await member.sidecar.stop(proxyGraceMs);
    await member.application.stop(appGraceMs);
    const held = this.#held.get(id);
    this.#held.delete(id);
    if (held === undefined) return;
    closeHeld(held);
    this.#ports?.release(held.appPort);
  }

  #addEdge(port: HeldPort): void {
    const { edge } = this.#plan;
    if (edge === undefined) return;
    const { stateDir, output, report, proxyLogLevel } = this.#options;
    const identity = this.#edgeIdentity();
    this.#edge = {
      port,
      instance: {
        id: edgeInstanceId,
        workload: edgeInstanceId,
        service: edgeInstanceId,
        namespace: edge.namespace,
        serviceAccount: edge.serviceAccount,
        labels: identity.labels,
        version: "",
        protocol: "http",
        servicePort: port.port,
        address: edge.address,
        inboundPort: 0,
        appPort: 0,
        outboundPorts: {},
        ready: true,
        kind: "edge",
        edgePort: port.port,
        edgeService: serviceKey(edge.service),
      },
      sidecar: new Sidecar({
        name: edgeInstanceId,
        files: proxyFiles(stateDir, edgeInstanceId),
        xdsAddress: () => this.#addresses!.xdsAddress,
        identity: spiffeId(identity),
        ports: [port],
        logLevel: proxyLogLevel,
        output,
        report: (line) => report(edgeInstanceId, line),
      }),
    };
  }

  #edgeIdentity(): ProxyIdentity {
    const { edge, trustDomain } = this.#plan;
    return {
      instanceId: edgeInstanceId,
      workload: edgeInstanceId,
      service: edgeInstanceId,
      namespace: edge?.namespace ?? "",
      serviceAccount: edge?.serviceAccount ?? "",
      version: "",
      labels: { app: edgeInstanceId },
      trustDomain,
      kind: "edge",
    };
  }

  #identityOf(planned: PlannedInstance): ProxyIdentity {
    return { ...planned, instanceId: planned.id, trustDomain: this.#plan.trustDomain, kind: "sidecar" };
  }

  *#proxyIdentities(): Generator<ProxyIdentity> {
    for (const { planned } of this.#members.values()) yield this.#identityOf(planned);
    if (this.#edge !== undefined) yield this.#edgeIdentity();
  }

  /** Gives a proxy what it needs before its first start: bootstrap, a join token for its identity, and the anchors. */
  async #equipProxy(proxy: ProxyIdentity): Promise<void> {
    const admin = await this.#controlPlane.admin();
    if (admin === undefined || this.#addresses === undefined) throw new Error("the control plane is not running");
    const [{ token }, bundle] = await Promise.all([
      admin.createJoinToken({ identity: spiffeId(proxy), uses: 1 }),
      admin.trustBundle(),
    ]);
    const controlPlaneId = `spiffe://${proxy.trustDomain}/ns/${this.#plan.rootNamespace}/sa/heddle-control-plane`;
    const files = proxyFiles(this.#options.stateDir, proxy.instanceId);
    await writeProxyFiles(files, proxy, this.#addresses.xdsAddress, controlPlaneId, token, bundle.pem);
  }

  async #notReady(): Promise<string[]> {
    const checks: Promise<string | undefined>[] = [...this.#members.values()].map(async ({ planned, application, sidecar }) => {
      if (!application.isReady) return planned.id;
      return (await sidecar.isReady()) ? undefined : `${planned.id}/proxy`;
    });
    const edge = this.#edge?.sidecar;
    if (edge !== undefined) checks.push(edge.isReady().then((isReady) => (isReady ? undefined : edgeInstanceId)));
    return (await Promise.all(checks)).filter((name) => name !== undefined);
  }

  /** Tells the control plane which replicas there are and which are ready. Writes follow each other; the last one wins. */
  #writeInstances(): Promise<void> {
    const write = (): Promise<void> => {
      const instances = [...this.#members.values()].map(({ instance, application }) => ({ ...instance, ready: application.isReady }));
      if (this.#edge !== undefined) instances.push(this.#edge.instance);
      return writeInstances(join(this.#options.stateDir, "instances.json"), instances);
    };
    this.#writing = this.#writing.then(write, write);
    void this.#writing.catch((error: unknown) => {
      this.#options.report("heddle", `the list of instances cannot be written: ${error instanceof Error ? error.message : String(error)}`);
    });
    return this.#writing;
  }
}

function closeHeld(held: Held): void {
  held.inbound.socket.close();
  for (const { socket } of held.outbound.values()) socket.close();
}
