import type { WorkloadInstance } from "@heddle/compiler";
import type { HeldPort } from "@heddle/net";
import { Application } from "./application.ts";
import type { PlannedInstance } from "./plan.ts";
import { serviceKey } from "./plan.ts";
import type { ApplicationPorts } from "./ports.ts";
import { takePort } from "./ports.ts";
import type { LineSink } from "./process-output.ts";
import type { ProxyFiles, ProxyIdentity } from "./proxy-files.ts";
import { proxyFiles, spiffeId } from "./proxy-files.ts";
import { Sidecar } from "./sidecar.ts";
import { loopback, workloadInstance } from "./workload-instance.ts";

export interface ReplicaOptions {
  readonly planned: PlannedInstance;
  readonly trustDomain: string;
  readonly folder: string;
  readonly stateDir: string;
  readonly proxyLogLevel: string;
  readonly xdsAddress: () => string;
  readonly output: LineSink;
  readonly report: (source: string, line: string, isRepetition?: boolean) => void;
  /** The proxy ended unasked and will be started again. */
  readonly onProxyCrash: (files: ProxyFiles) => void;
  /** Its application became ready, or is no longer. */
  readonly onReadiness: () => void;
}

const appGraceMs = 5000;
const proxyGraceMs = 8000;

/** One application process with its proxy, and the ports that belong to them. */
export class Replica {
  readonly planned: PlannedInstance;
  readonly identity: ProxyIdentity;
  readonly application: Application;
  readonly sidecar: Sidecar;
  readonly files: ProxyFiles;
  readonly #inbound: HeldPort;
  /** Carriers to it come in here, where bytes are served that are not HTTP. */
  readonly #tunnel: HeldPort | undefined;
  readonly #outbound: ReadonlyMap<string, HeldPort>;
  readonly #applicationPort: number;
  readonly #ports: ApplicationPorts;
  #isClosed = false;

  private constructor(options: ReplicaOptions, ports: ApplicationPorts, applicationPort: number) {
    const { planned, stateDir, output, report } = options;
    this.planned = planned;
    this.identity = { ...planned, instanceId: planned.id, trustDomain: options.trustDomain, kind: "sidecar" };
    this.files = proxyFiles(stateDir, planned.id);
    this.#ports = ports;
    this.#applicationPort = applicationPort;
    this.#inbound = takePort(loopback, 0);
    this.#tunnel = planned.protocol === "http" ? undefined : takePort(loopback, 0);
    this.#outbound = new Map(planned.calls.map((service) => [serviceKey(service), takePort(loopback, 0)]));
    this.application = new Application({
      instance: planned,
      folder: options.folder,
      address: loopback,
      port: applicationPort,
      outboundPorts: this.#outboundPorts,
      output,
      report: (line, isRepetition) => report(planned.id, line, isRepetition),
      onReady: () => options.onReadiness(),
    });
    this.sidecar = new Sidecar({
      name: `${planned.id}/proxy`,
      files: this.files,
      xdsAddress: options.xdsAddress,
      identity: spiffeId(this.identity),
      ports: this.#held,
      logLevel: options.proxyLogLevel,
      output,
      report: (line) => report(planned.id, line),
      onCrash: () => options.onProxyCrash(this.files),
    });
  }

  /** Binds the replica's ports; nothing is started yet. */
  static async prepare(options: ReplicaOptions, ports: ApplicationPorts): Promise<Replica> {
    return new Replica(options, ports, await ports.take(loopback));
  }

  get instance(): WorkloadInstance {
    const ports = {
      inbound: this.#inbound.address.port,
      tunnel: this.#tunnel?.address.port,
      outbound: this.#outboundPorts,
      application: this.#applicationPort,
    };
    return workloadInstance(this.planned, ports, this.application.isReady);
  }

  /** Lets open requests finish: the proxy drains while its application still runs. Resolves when both are gone. */
  async stop(): Promise<void> {
    this.#closeSockets();
    await this.sidecar.stop(proxyGraceMs);
    await this.application.stop(appGraceMs);
    this.#closePorts();
  }

  /**
   * The whole mesh ends, and what came in by the edge has been answered: both are told at once. Their idle connections would
   * otherwise be waited for, which an HTTP/1.1 client may keep as long as it likes.
   */
  async end(): Promise<void> {
    this.#closeSockets();
    await Promise.all([this.sidecar.stop(proxyGraceMs), this.application.stop(appGraceMs)]);
    this.#closePorts();
  }

  /** What the loss of a machine does: both processes are killed at once, and nobody listens on the ports any more. */
  async lose(): Promise<void> {
    await Promise.all([this.sidecar.killAndHold(), this.application.killAndHold()]);
    this.#closePorts();
  }

  /** What its proxy listens on. */
  get #held(): HeldPort[] {
    return [this.#inbound, ...(this.#tunnel === undefined ? [] : [this.#tunnel]), ...this.#outbound.values()];
  }

  get #outboundPorts(): Record<string, number> {
    return Object.fromEntries([...this.#outbound].map(([key, { address }]) => [key, address.port]));
  }

  /** The proxy has its own; while these are open, clients of one that ends would wait in their queue. */
  #closeSockets(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const port of this.#held) port.close();
  }

  #closePorts(): void {
    this.#closeSockets();
    this.#ports.release(this.#applicationPort);
  }
}
