import type { KnownService, LocalMeshResource, LocalWorkload, MeshMode, WorkloadProtocol } from "@heddle/api";
import { edgeServiceAccount, localMeshDefaults, servicesOf, workloadLabels } from "@heddle/api";

/** One replica that shall run: everything that `LocalMesh` says of it, defaults filled in. */
export interface PlannedInstance {
  /** `reviews-v1-0` */
  readonly id: string;
  readonly workload: string;
  readonly service: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly version: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly protocol: WorkloadProtocol;
  readonly servicePort: number;
  readonly command: readonly string[];
  readonly workingDir: string | undefined;
  readonly env: Readonly<Record<string, string>>;
  /** Services that it may call. */
  readonly calls: readonly CalledService[];
  readonly readiness: { readonly path: string; readonly timeout: string } | undefined;
  /** Where the workload stands, for messages: `mesh.yaml:12`. */
  readonly place: string;
}

export interface ServiceRef {
  readonly name: string;
  readonly namespace: string;
}

export interface CalledService extends ServiceRef {
  /** Of its URL. */
  readonly scheme: "http" | "https" | "tcp";
  readonly port: number;
}

/** The edge, when there is one. */
export interface PlannedEdge {
  readonly address: string;
  readonly port: number;
  readonly service: ServiceRef;
  readonly serviceAccount: string;
  readonly namespace: string;
}

export interface MeshPlan {
  readonly name: string;
  readonly trustDomain: string;
  readonly rootNamespace: string;
  readonly instances: readonly PlannedInstance[];
  readonly edge: PlannedEdge | undefined;
  /** Where the edge's port stands, for messages: `mesh.yaml:12`. */
  readonly edgePlace: string;
  /** As the file says it; undefined: it leaves it open. */
  readonly mode: MeshMode | undefined;
}

export const edgeInstanceId = "edge";

/** Turns a `LocalMesh` into the instances that shall run. Pure: names, labels and defaults only. */
export function planMesh(mesh: LocalMeshResource): MeshPlan {
  const { spec } = mesh;
  const services = servicesOf(spec);
  const rootNamespace = spec.rootNamespace ?? localMeshDefaults.rootNamespace;
  const { file, line } = mesh.locate(["spec", "edge", "port"]);
  return {
    name: mesh.metadata.name,
    trustDomain: spec.trustDomain ?? localMeshDefaults.trustDomain,
    rootNamespace,
    instances: spec.workloads.flatMap((workload, index) => planWorkload(mesh, workload, index, services)),
    edge:
      spec.edge === undefined
        ? undefined
        : {
            address: spec.edge.address ?? localMeshDefaults.edgeAddress,
            port: spec.edge.port ?? localMeshDefaults.edgePort,
            service: { name: spec.edge.service, namespace: spec.edge.namespace ?? localMeshDefaults.namespace },
            serviceAccount: edgeServiceAccount,
            namespace: rootNamespace,
          },
    edgePlace: `${file}:${line}`,
    mode: spec.mode,
  };
}

/** Trust domain and root namespace are in every certificate that a mesh has given out, so they are those of its start. */
export function hasSettingsOf(plan: MeshPlan, { trustDomain, rootNamespace }: MeshPlan): boolean {
  return plan.trustDomain === trustDomain && plan.rootNamespace === rootNamespace;
}

/** `<service>.<namespace>`, the key of `WorkloadInstance.outboundPorts`. */
export function serviceKey(service: ServiceRef): string {
  return `${service.name}.${service.namespace}`;
}

/** `REVIEWS_URL`, for a service in the caller's namespace; `REVIEWS_SHOP_URL` for one in the namespace `shop`. */
export function urlVariable(service: ServiceRef, callerNamespace: string): string {
  const name = service.namespace === callerNamespace ? service.name : `${service.name}_${service.namespace}`;
  return `${name.toUpperCase().replaceAll(/[^A-Z0-9]/g, "_")}_URL`;
}

/** What decides whether a running replica must be started again when the plan changes. */
export function fingerprint(instance: PlannedInstance): string {
  const { place: _place, ...rest } = instance;
  return JSON.stringify(rest);
}

/** Equal for plans that say the same in other places of the file. */
export function planText(plan: MeshPlan): string {
  return JSON.stringify(plan, (name, value: unknown) => (name === "place" || name === "edgePlace" ? undefined : value));
}

function planWorkload(
  mesh: LocalMeshResource,
  workload: LocalWorkload,
  index: number,
  services: readonly KnownService[],
): PlannedInstance[] {
  const namespace = workload.namespace ?? localMeshDefaults.namespace;
  const version = workload.version ?? "";
  const { file, line } = mesh.locate(["spec", "workloads", index]);
  return Array.from({ length: workload.replicas ?? localMeshDefaults.replicas }, (_, replica) => ({
    id: `${workload.name}-${replica}`,
    workload: workload.name,
    service: workload.service,
    namespace,
    serviceAccount: workload.serviceAccount ?? workload.service,
    version,
    labels: workloadLabels(workload),
    protocol: workload.protocol ?? localMeshDefaults.protocol,
    servicePort: workload.port,
    command: workload.command,
    workingDir: workload.workingDir,
    env: workload.env ?? {},
    calls: callsOf(workload, namespace, services).map((service) => ({ ...service, scheme: schemeOf(mesh, service) })),
    readiness:
      workload.readiness === undefined
        ? undefined
        : {
            path: workload.readiness.httpGet.path,
            timeout: workload.readiness.timeout ?? localMeshDefaults.readinessTimeout,
          },
    place: `${file}:${line}`,
  }));
}

/** A port that may carry anything is written as the one of HTTP, which it is asked for most. */
const urlSchemes: Readonly<Record<WorkloadProtocol, CalledService["scheme"]>> = {
  http: "http",
  http2: "http",
  grpc: "http",
  https: "https",
  tls: "tcp",
  tcp: "tcp",
  auto: "http",
};

function schemeOf({ spec }: LocalMeshResource, { name, namespace }: ServiceRef): CalledService["scheme"] {
  const provider = spec.workloads.find(
    (workload) => workload.service === name && (workload.namespace ?? localMeshDefaults.namespace) === namespace,
  );
  return urlSchemes[provider?.protocol ?? localMeshDefaults.protocol];
}

function callsOf(
  workload: LocalWorkload,
  namespace: string,
  services: readonly KnownService[],
): Omit<CalledService, "scheme">[] {
  if (workload.calls === undefined) {
    return services
      .filter((service) => service.name !== workload.service || service.namespace !== namespace)
      .map(({ name, namespace: where, ports }) => ({ name, namespace: where, port: ports[0] ?? 0 }));
  }
  return workload.calls.map((call) => {
    const dot = call.indexOf(".");
    const service = dot < 0 ? { name: call, namespace } : { name: call.slice(0, dot), namespace: call.slice(dot + 1) };
    const known = services.find((each) => each.name === service.name && each.namespace === service.namespace);
    return { ...service, port: known?.ports[0] ?? 0 };
  });
}
