import type { WorkloadInstance } from "@heddle/compiler";
import { Application } from "./application.ts";
import type { PlannedInstance } from "./plan.ts";
import type { LineSink } from "./process-output.ts";
import type { ProxyFiles, ProxyIdentity } from "./proxy-files.ts";
import { proxyFiles, spiffeId } from "./proxy-files.ts";
import type { ReplicaPlace } from "./replica-place.ts";
import { Sidecar } from "./sidecar.ts";
import { workloadInstance } from "./workload-instance.ts";

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

/** One application process with its proxy, in a place of their own. Nothing is started when it is made. */
export class Replica {
  readonly planned: PlannedInstance;
  readonly identity: ProxyIdentity;
  readonly application: Application;
  readonly sidecar: Sidecar;
  readonly files: ProxyFiles;
  readonly place: ReplicaPlace;

  constructor(options: ReplicaOptions, place: ReplicaPlace) {
    const { planned, stateDir, output, report } = options;
    this.planned = planned;
    this.place = place;
    this.identity = { ...planned, instanceId: planned.id, trustDomain: options.trustDomain, kind: "sidecar" };
    this.files = proxyFiles(stateDir, planned.id);
    this.application = new Application({
      instance: planned,
      folder: options.folder,
      place,
      output,
      report: (line, isRepetition) => report(planned.id, line, isRepetition),
      onReady: () => options.onReadiness(),
    });
    this.sidecar = new Sidecar({
      name: `${planned.id}/proxy`,
      files: this.files,
      xdsAddress: options.xdsAddress,
      identity: spiffeId(this.identity),
      ports: place.proxySockets,
      command: (argv) => place.proxyCommand(argv),
      adminAddress: place.adminAddress,
      logLevel: options.proxyLogLevel,
      output,
      report: (line) => report(planned.id, line),
      onCrash: () => options.onProxyCrash(this.files),
    });
  }

  get instance(): WorkloadInstance {
    return workloadInstance(this.planned, this.place.ports, this.application.isReady);
  }

  /** Lets open requests finish: the proxy drains while its application still runs. Resolves when both are gone. */
  async stop(): Promise<void> {
    this.place.closeSockets();
    await this.sidecar.stop(proxyGraceMs);
    await this.application.stop(appGraceMs);
    await this.place.release();
  }

  /**
   * The whole mesh ends, and what came in by the edge has been answered: both are told at once. Their idle connections would
   * otherwise be waited for, which an HTTP/1.1 client may keep as long as it likes.
   */
  async end(): Promise<void> {
    this.place.closeSockets();
    await Promise.all([this.sidecar.stop(proxyGraceMs), this.application.stop(appGraceMs)]);
    await this.place.release();
  }

  /**
   * Both processes are killed at once, and nobody listens on the ports any more: who connects is refused. The place stays until `stop`; without an
   * address nobody would be answered at all, and a connection on its way would wait for its timeout.
   */
  async lose(): Promise<void> {
    this.place.closeSockets();
    await Promise.all([this.sidecar.killAndHold(), this.application.killAndHold()]);
  }
}
