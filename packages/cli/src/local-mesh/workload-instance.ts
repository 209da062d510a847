import { carriedProtocols } from "@heddle/api";
import type { WorkloadInstance } from "@heddle/compiler";
import type { PlannedEdge, PlannedInstance } from "./plan.ts";
import { edgeInstanceId, serviceKey } from "./plan.ts";
import type { ReplicaPlace } from "./replica-place.ts";

/** A planned replica as the control plane registers it. */
export function workloadInstance(
  planned: PlannedInstance,
  ports: ReplicaPlace["ports"],
  ready: boolean,
): WorkloadInstance {
  return {
    id: planned.id,
    workload: planned.workload,
    service: planned.service,
    namespace: planned.namespace,
    serviceAccount: planned.serviceAccount,
    labels: planned.labels,
    version: planned.version,
    protocol: carriedProtocols[planned.protocol],
    servicePort: planned.servicePort,
    ...ports,
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
