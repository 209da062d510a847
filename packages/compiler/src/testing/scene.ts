import {
  type BrokenPolicy,
  type CarriedProtocol,
  carriedProtocols,
  edgeServiceAccount,
  type Finding,
  type LocalMeshSpec,
  localMeshDefaults,
  type ParsedResource,
  parseFile,
  servicesOf,
  workloadsOf,
} from "@heddle/api";
import type { MeshInputs, WorkloadInstance } from "../inputs.ts";

/** What users write, and the workloads that `heddle up` would start for it; ports are counted out, so that they never change. */
export interface Scene {
  readonly inputs: MeshInputs;
  readonly findings: readonly Finding[];
}

/** Reads resources, a LocalMesh among them. A security resource with an error becomes a broken policy. */
export function readScene(text: string, file: string): Scene {
  const parsed = parseFile(text, file);
  const mesh = parsed.resources.find((resource) => resource.kind === "LocalMesh")?.spec;
  const rootNamespace = mesh?.rootNamespace ?? localMeshDefaults.rootNamespace;
  const broken: BrokenPolicy[] = parsed.broken.flatMap(({ identity, security, source }) =>
    identity !== undefined && (identity.kind === "AuthorizationPolicy" || identity.kind === "PeerAuthentication")
      ? [{ ...identity, kind: identity.kind, selector: security?.selector, source }]
      : [],
  );
  return {
    findings: parsed.findings,
    inputs: {
      resources: parsed.resources,
      broken,
      instances: mesh === undefined ? [] : instancesOf(mesh, rootNamespace),
      settings: { trustDomain: mesh?.trustDomain ?? localMeshDefaults.trustDomain, rootNamespace },
    },
  };
}

/** Only the resources, for tests that have their own workloads. */
export function readResources(text: string): ParsedResource[] {
  const { resources, findings } = parseFile(text, "test.yaml");
  const error = findings.find(({ severity }) => severity === "error");
  if (error !== undefined) throw new Error(`${error.file}:${error.line} ${error.message}`);
  return [...resources];
}

function instancesOf(mesh: LocalMeshSpec, rootNamespace: string): WorkloadInstance[] {
  const services = servicesOf(mesh);
  const outboundPorts = Object.fromEntries(
    services.map(({ name, namespace }, index) => [`${name}.${namespace}`, 20_000 + index]),
  );
  const known = workloadsOf(mesh);
  const instances: WorkloadInstance[] = [];
  const hosts = services.map(({ name, namespace }) => `${name}.${namespace}`);
  for (const [index, workload] of mesh.workloads.entries()) {
    const { name, service, namespace, serviceAccount, labels, port } = known[index] ?? fail(workload.name);
    for (let replica = 0; replica < (workload.replicas ?? localMeshDefaults.replicas); replica++) {
      const number = instances.length;
      const protocol = carriedProtocols[workload.protocol ?? localMeshDefaults.protocol];
      instances.push({
        id: `${name}-${replica}`,
        workload: name,
        service,
        namespace,
        serviceAccount,
        labels,
        version: workload.version ?? "",
        protocol,
        servicePort: port,
        ...(mesh.mode === "namespaces"
          ? intercepted(protocol, port, number, hosts.indexOf(`${service}.${namespace}`))
          : {
              address: "127.0.0.1",
              inboundPort: 30_000 + number,
              ...(protocol === "http2" ? {} : { tunnelPort: 35_000 + number }),
              appPort: 40_000 + number,
            }),
        outboundPorts,
        ready: true,
        kind: "sidecar",
      });
    }
  }
  if (mesh.edge !== undefined) instances.push(edgeOf(mesh.edge, rootNamespace));
  return instances;
}

/** As `heddle up` does it in namespaces mode: an address for each replica, and a virtual one for each service. */
function intercepted(protocol: CarriedProtocol, port: number, replica: number, service: number) {
  const address = `198.18.1.${replica + 1}`;
  return {
    address,
    inboundPort: port,
    ...(protocol === "http2" ? {} : { tunnelPort: 15_008 }),
    appPort: port,
    interception: {
      addresses: [address, `fd00::1:${replica + 1}`],
      serviceAddresses: [`240.240.0.${service + 1}`, `2001:2::${service + 1}`],
    },
  };
}

function edgeOf(edge: NonNullable<LocalMeshSpec["edge"]>, rootNamespace: string): WorkloadInstance {
  return {
    id: "edge",
    workload: "edge",
    service: "edge",
    namespace: rootNamespace,
    serviceAccount: edgeServiceAccount,
    labels: { app: "edge" },
    version: "",
    protocol: "http",
    servicePort: edge.port ?? localMeshDefaults.edgePort,
    address: edge.address ?? localMeshDefaults.edgeAddress,
    inboundPort: 0,
    appPort: 0,
    outboundPorts: {},
    ready: true,
    kind: "edge",
    edgePort: edge.port ?? localMeshDefaults.edgePort,
    edgeService: `${edge.service}.${edge.namespace ?? localMeshDefaults.namespace}`,
  };
}

function fail(name: string): never {
  throw new Error(`workload ${name} has no counterpart`);
}
