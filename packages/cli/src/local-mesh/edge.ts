import type { WorkloadInstance } from "@heddle/compiler";
import type { HeldPort } from "@heddle/net";
import { formatAddress } from "@heddle/net";
import type { PlannedEdge } from "./plan.ts";
import { edgeInstanceId } from "./plan.ts";
import { PortProblem, takePort } from "./ports.ts";
import type { LineSink } from "./process-output.ts";
import type { ProxyFiles, ProxyIdentity } from "./proxy-files.ts";
import { proxyFiles, spiffeId } from "./proxy-files.ts";
import { Sidecar } from "./sidecar.ts";
import { edgeInstance } from "./workload-instance.ts";

export interface EdgeOptions {
  readonly planned: PlannedEdge;
  readonly trustDomain: string;
  readonly stateDir: string;
  readonly proxyLogLevel: string;
  readonly xdsAddress: () => string;
  readonly output: LineSink;
  readonly report: (source: string, line: string) => void;
  /** The proxy ended unasked and will be started again. */
  readonly onProxyCrash: (files: ProxyFiles) => void;
}

const proxyGraceMs = 8000;

/** The port that the edge should have, the one that people choose, could not be had. */
export class EdgePortProblem extends PortProblem {}

/** The proxy that takes plaintext requests from this machine into the mesh. */
export class Edge {
  readonly sidecar: Sidecar;
  readonly identity: ProxyIdentity;
  readonly #port: HeldPort;
  #planned: PlannedEdge;

  /** Binds its port; throws `EdgePortProblem` when somebody has it. Nothing is started yet. */
  constructor(options: EdgeOptions) {
    const { planned, trustDomain, stateDir, report } = options;
    this.#planned = planned;
    this.identity = {
      instanceId: edgeInstanceId,
      workload: edgeInstanceId,
      service: edgeInstanceId,
      namespace: planned.namespace,
      serviceAccount: planned.serviceAccount,
      version: "",
      labels: { app: edgeInstanceId },
      trustDomain,
      kind: "edge",
    };
    this.#port = takeEdgePort(planned);
    const files = proxyFiles(stateDir, edgeInstanceId);
    this.sidecar = new Sidecar({
      name: `${edgeInstanceId}/proxy`,
      files,
      xdsAddress: options.xdsAddress,
      identity: spiffeId(this.identity),
      ports: [this.#port],
      logLevel: options.proxyLogLevel,
      output: options.output,
      report: (line) => report(edgeInstanceId, line),
      onCrash: () => options.onProxyCrash(files),
    });
  }

  /** host:port as bound. */
  get address(): string {
    return formatAddress(this.#port.address.host, this.#port.address.port);
  }

  get instance(): WorkloadInstance {
    return edgeInstance(this.#planned, this.#port.address.port);
  }

  /** Takes another service behind the same port. False when the port itself should be another, which only a new start can do. */
  retarget(planned: PlannedEdge): boolean {
    if (planned.port !== this.#planned.port || planned.address !== this.#planned.address) return false;
    this.#planned = planned;
    return true;
  }

  async stop(): Promise<void> {
    // The proxy has its own descriptor; while this one is open, clients would wait in its queue.
    this.#port.close();
    await this.sidecar.stop(proxyGraceMs);
  }
}

function takeEdgePort({ address, port }: PlannedEdge): HeldPort {
  try {
    return takePort(address, port);
  } catch (error) {
    throw error instanceof PortProblem ? new EdgePortProblem(error.message) : error;
  }
}
