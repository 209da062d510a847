import type { WorkloadInstance } from "@heddle/compiler";
import type { PlannedEdge, PlannedInstance } from "./plan.ts";
import { edgeInstanceId, serviceKey } from "./plan.ts";

/** Every workload of the local mesh shares this address; ports tell them apart. */
export const loopback = "127.0.0.1";

export interface InstancePorts {
  /** Where its proxy takes traffic for it. */
  readonly inbound: number;
  /** Where its proxy takes carriers; undefined: HTTP alone is served. */
  readonly tunnel: number | undefined;
  /** `<service>.<namespace>` → where its proxy takes its calls to that service. */
  readonly outbound: Readonly<Record<string, number>>;
  /** Where the application listens. */
  readonly application: number;
}

/** A planned replica as the control plane registers it. */
export function workloadInstance(planned: PlannedInstance, ports: InstancePorts, ready: boolean): WorkloadInstance {
  return {
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
    inboundPort: ports.inbound,
    ...(ports.tunnel === undefined ? {} : { tunnelPort: ports.tunnel }),
    appPort: ports.application,
    outboundPorts: ports.outbound,
    ready,
    kind: "sidecar",
  };
}

/** The edge as the control plane registers it; `port` is the one that is bound. */
export function edgeInstance(edge: PlannedEdge, port: number): WorkloadInstance {
  return {
    id: edgeInstanceId,
    workload: edgeInstanceId,
    service: edgeInstanceId,
    namespace: edge.namespace,
    serviceAccount: edge.serviceAccount,
    labels: { app: edgeInstanceId },
    version: "",
    protocol: "http",
    servicePort: port,
    address: edge.address,
    inboundPort: 0,
    appPort: 0,
    outboundPorts: {},
    ready: true,
    kind: "edge",
    edgePort: port,
    edgeService: serviceKey(edge.service),
  };
}
