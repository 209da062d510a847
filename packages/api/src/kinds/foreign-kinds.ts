const inLocalMesh = "In a LocalMesh, workloads and their services stand in spec.workloads.";

/**
 * Kinds that are known and not carried out yet, by API group, each with what to do instead ("" when there is nothing to say).
 * Some groups share a kind's name with a kind that is carried out; the group decides.
 */
export const foreignKinds: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "networking.istio.io": {
    EnvoyFilter:
      "EnvoyFilter patches Envoy's own configuration, which Heddle's proxy does not run on; say the same with VirtualService, DestinationRule or AuthorizationPolicy.",
    Gateway: "A local mesh takes outside traffic through spec.edge of its LocalMesh.",
    ProxyConfig: "`heddle proxy` takes these settings as options: --concurrency, --log-level, --drain-time-s.",
    ServiceEntry: "Services outside the mesh cannot be named yet.",
    Sidecar: "In a LocalMesh, spec.workloads[].calls limits what a workload may call.",
    WorkloadEntry: "In a LocalMesh, workloads stand in spec.workloads.",
    WorkloadGroup: "In a LocalMesh, workloads stand in spec.workloads.",
  },
  "security.istio.io": {
    RequestAuthentication:
      "Requests are not authenticated by token yet; AuthorizationPolicy can match the caller's workload identity.",
  },
  "telemetry.istio.io": { Telemetry: "Metrics and access logs are on for every workload." },
  "extensions.istio.io": {
    TrafficExtension: "Extensions do not run in Heddle's proxy.",
    WasmPlugin: "WebAssembly plugins do not run in Heddle's proxy.",
  },
  "gateway.networking.k8s.io": {
    BackendTLSPolicy: "Use spec.trafficPolicy.tls of a DestinationRule.",
    GRPCRoute: "For HTTP services use a VirtualService.",
    Gateway: "A local mesh takes outside traffic through spec.edge of its LocalMesh.",
    GatewayClass: "A local mesh takes outside traffic through spec.edge of its LocalMesh.",
    HTTPRoute: "Use a VirtualService of networking.istio.io.",
    ListenerSet: "A local mesh takes outside traffic through spec.edge of its LocalMesh.",
    ReferenceGrant: "A VirtualService may name services of any namespace without one.",
    TCPRoute: "Connections that are not HTTP go to their service as they are; nothing can be routed yet.",
    TLSRoute: "Connections that are not HTTP go to their service as they are; nothing can be routed yet.",
    UDPRoute: "UDP passes the mesh by.",
  },
  "policy.linkerd.io": {
    AuthorizationPolicy: "Use the AuthorizationPolicy of security.istio.io.",
    EgressNetwork: "Services outside the mesh cannot be named yet.",
    HTTPLocalRateLimitPolicy:
      "There are no rate limits yet; connectionPool of a DestinationRule bounds what is open at once.",
    HTTPRoute: "Use a VirtualService of networking.istio.io.",
    MeshTLSAuthentication: "Use principals in an AuthorizationPolicy of security.istio.io.",
    NetworkAuthentication: "Use ipBlocks in an AuthorizationPolicy of security.istio.io.",
    Server: "Use an AuthorizationPolicy of security.istio.io.",
    ServerAuthorization: "Use an AuthorizationPolicy of security.istio.io.",
  },
  "linkerd.io": { ServiceProfile: "Use a VirtualService of networking.istio.io for retries and timeouts." },
  "workload.linkerd.io": { ExternalWorkload: "In a LocalMesh, workloads stand in spec.workloads." },
  "": {
    Service: inLocalMesh,
    ServiceAccount: inLocalMesh,
    Pod: inLocalMesh,
    Endpoints: inLocalMesh,
    Namespace: "In a LocalMesh, a namespace is there as soon as a workload names it.",
    ConfigMap: "",
    Secret: "",
  },
  apps: { Deployment: inLocalMesh, StatefulSet: inLocalMesh, DaemonSet: inLocalMesh },
  "networking.k8s.io": {
    Ingress: "A local mesh takes outside traffic through spec.edge of its LocalMesh.",
    NetworkPolicy: "Use an AuthorizationPolicy of security.istio.io.",
  },
};
