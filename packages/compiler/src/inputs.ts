import type { Message } from "@heddle/xds/api";
import type { BrokenPolicy, CarriedProtocol, ParsedResource } from "@heddle/api";

/** One running replica behind its proxy, or the edge. */
export interface WorkloadInstance {
  /** `reviews-v1-0`; unique in the mesh. */
  readonly id: string;
  readonly workload: string;
  readonly service: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Empty when the workload names none. */
  readonly version: string;
  readonly protocol: CarriedProtocol;
  /** The port that users and resources know. */
  readonly servicePort: number;
  /** Address of the proxy and the application. */
  readonly address: string;
  /** Where the proxy takes traffic for this workload. */
  readonly inboundPort: number;
  /**
   * Where its proxy takes carriers, whose streams are connections (HBONE); undefined: connections are made one by one to `inboundPort`, as of and to
   * a proxy that is an Envoy, and where HTTP/2 shares them as it is.
   */
  readonly tunnelPort?: number;
  /** Where the application listens, on the same address. */
  readonly appPort: number;
  /**
   * Whom the workload may call: `<service>.<namespace>` → the local port on which its proxy takes traffic for that service. Where its
   * traffic is intercepted the port says nothing: services are called at their own addresses and ports.
   */
  readonly outboundPorts: Readonly<Record<string, number>>;
  /** Present where all TCP of the workload is redirected to its proxy, as in a pod. Absent: its application calls ports of the proxy. */
  readonly interception?: Interception;
  readonly ready: boolean;
  readonly kind: "sidecar" | "edge";
  /** Edge only: where plaintext from outside comes in, and which service (`<service>` or `<service>.<namespace>`) takes it. */
  readonly edgePort?: number;
  readonly edgeService?: string;
}

/** How a workload and its service are known on a network whose connections are redirected to proxies. */
export interface Interception {
  /** Every address of the workload, `address` among them. */
  readonly addresses: readonly string[];
  /** Virtual addresses of its service: nobody listens there, the proxies of its callers stand for it. */
  readonly serviceAddresses: readonly string[];
}

/** An instance without what changes while it runs: whether it is ready, and whom it may call. */
export type WorkloadProfile = Omit<WorkloadInstance, "ready" | "outboundPorts">;

export interface MeshSettings {
  readonly trustDomain: string;
  readonly rootNamespace: string;
}

/** Everything that decides what proxies are told. */
export interface MeshInputs {
  /** Accepted versions only. */
  readonly resources: readonly ParsedResource[];
  /** Security resources without an accepted version: what they select is denied. */
  readonly broken: readonly BrokenPolicy[];
  readonly instances: readonly WorkloadInstance[];
  readonly settings: MeshSettings;
}

/** Envoy gets stock Envoy messages; Heddle's proxy may also get those of `heddle.v1`. */
export type Dialect = "envoy" | "heddle";

/** For whom configuration is compiled. */
export interface ProxyNode {
  readonly instanceId: string;
  readonly dialect: Dialect;
  /**
   * Full names of the `heddle.v1` messages, and of their fields, that the proxy says it understands, from its node metadata. None (or an
   * empty list): those of the first release. Without meaning for Envoy.
   */
  readonly capabilities?: readonly string[];
}

/** One resource for one proxy. The object stays the same while its content does. */
export interface CompiledResource<Resource extends Message = Message> {
  readonly name: string;
  /** Content hash of the message. */
  readonly version: string;
  readonly message: Resource;
}
