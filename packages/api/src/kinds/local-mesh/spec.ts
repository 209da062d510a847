/** `ports`: each application calls its own proxy's ports. `namespaces`: each replica has a network, whose connections its proxy gets. */
export type MeshMode = "ports" | "namespaces";

/** `LocalMesh` (heddle.dev/v1alpha1): what `heddle up` starts. Absent is absent; `localMeshDefaults` holds the defaults. */
export interface LocalMeshSpec {
  readonly trustDomain?: string;
  readonly rootNamespace?: string;
  /** How traffic gets into the mesh; absent: the best that the machine can do. */
  readonly mode?: MeshMode;
  readonly edge?: LocalEdge;
  /** At least one. */
  readonly workloads: readonly LocalWorkload[];
}

export interface LocalEdge {
  readonly port?: number;
  /** A loopback address. */
  readonly address?: string;
  readonly service: string;
  readonly namespace?: string;
}

export interface LocalWorkload {
  readonly name: string;
  readonly service: string;
  readonly namespace?: string;
  /** The service's name when absent. */
  readonly serviceAccount?: string;
  readonly version?: string;
  /** Added to app (the service) and version. */
  readonly labels?: Readonly<Record<string, string>>;
  readonly replicas?: number;
  /** Program and arguments; no shell. */
  readonly command: readonly string[];
  /** Relative to the folder of the file. */
  readonly workingDir?: string;
  /** The service's port. */
  readonly port: number;
  readonly protocol?: WorkloadProtocol;
  readonly env?: Readonly<Record<string, string>>;
  /** Services it may call: `<service>` in its own namespace or `<service>.<namespace>`. Absent: all. */
  readonly calls?: readonly string[];
  readonly readiness?: LocalReadiness;
}

/** What a service speaks, in Istio's names (istio.md 4.7). `auto`: nobody says, and each connection's first bytes decide. */
export type WorkloadProtocol = "http" | "http2" | "grpc" | "https" | "tls" | "tcp" | "auto";

/** How the mesh carries what a service speaks: as requests of HTTP/1.1 or HTTP/2, as bytes, or as the first bytes say. */
export type CarriedProtocol = "http" | "http2" | "tcp" | "auto";

/** istio.md 4.7: gRPC is HTTP/2, and TLS of the application's own is opaque. */
export const carriedProtocols: Readonly<Record<WorkloadProtocol, CarriedProtocol>> = {
  http: "http",
  http2: "http2",
  grpc: "http2",
  https: "tcp",
  tls: "tcp",
  tcp: "tcp",
  auto: "auto",
};

export interface LocalReadiness {
  readonly httpGet: HttpProbe;
  /** How long the application may take until it is ready. */
  readonly timeout?: string;
}

export interface HttpProbe {
  readonly path: string;
}

/** One place for the defaults: the schema, the local mesh and the compiler read them here. */
export const localMeshDefaults = {
  trustDomain: "cluster.local",
  rootNamespace: "istio-system",
  edgePort: 8080,
  edgeAddress: "127.0.0.1",
  namespace: "default",
  replicas: 1,
  protocol: "http",
  readinessTimeout: "30s",
} as const;

/** The edge proxy's account, in the root namespace. */
export const edgeServiceAccount = "edge";
