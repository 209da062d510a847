import { serviceHost } from "../hosts.ts";
import { localMeshDefaults } from "../kinds/local-mesh/spec.ts";
import type { LocalMeshSpec, LocalWorkload } from "../kinds/local-mesh/spec.ts";

/** A service that resources may name. `host` is its full lower-case DNS name. */
export interface KnownService {
  readonly host: string;
  readonly name: string;
  readonly namespace: string;
  readonly ports: readonly number[];
}

/** A workload as policies see it. */
export interface KnownWorkload {
  readonly name: string;
  readonly service: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly port: number;
}

/** The services of a LocalMesh, in the order of their first workload. */
export function servicesOf(mesh: LocalMeshSpec): KnownService[] {
  const services = new Map<string, KnownService>();
  for (const workload of mesh.workloads) {
    const namespace = workload.namespace ?? localMeshDefaults.namespace;
    const host = serviceHost(workload.service, namespace);
    if (!services.has(host)) services.set(host, { host, name: workload.service, namespace, ports: [workload.port] });
  }
  return [...services.values()];
}

/** The workloads of a LocalMesh with every default filled in. */
export function workloadsOf(mesh: LocalMeshSpec): KnownWorkload[] {
  return mesh.workloads.map((workload) => ({
    name: workload.name,
    service: workload.service,
    namespace: workload.namespace ?? localMeshDefaults.namespace,
    serviceAccount: workload.serviceAccount ?? workload.service,
    labels: workloadLabels(workload),
    port: workload.port,
  }));
}

/** `app` is the service and `version` the version; what the user wrote in `labels` wins over both. */
export function workloadLabels(workload: LocalWorkload): Readonly<Record<string, string>> {
  return {
    app: workload.service,
    ...(workload.version === undefined ? {} : { version: workload.version }),
    ...workload.labels,
  };
}

export function hasLabels(labels: Readonly<Record<string, string>>, wanted: Readonly<Record<string, string>>): boolean {
  return Object.entries(wanted).every(([key, value]) => Object.hasOwn(labels, key) && labels[key] === value);
}
