import { backendPort, hasTwoHops } from "./peer.ts";
import type { Site, Topology } from "./peer.ts";

/** Ports of one run. `inner` is the second hop's listener, `carriers` where it takes what is shared. */
export interface Ports {
  readonly outer: number;
  readonly inner: number;
  readonly carriers: number;
  readonly outerAdmin: number;
  readonly innerAdmin: number;
}

const identity = "spiffe://cluster.local/ns/default/sa/bench";

/**
 * One bootstrap in Envoy's format, served by Envoy and by Heddle alike: routes by header, prefix and default, so that
 * routing is on; statistics are on in both by default.
 */
export function bootstrap(topology: Topology, hop: "outer" | "inner", site: Site, ports: Ports): string {
  const isTwoHops = hasTwoHops(topology);
  const inner = spokenBetween[topology] ?? ["http/1.1"];
  const services = topology === "thousand-services" ? 1000 : 0;
  const listenPort = hop === "outer" ? ports.outer : ports.inner;
  const isToInner = isTwoHops && hop === "outer";
  const hasTlsInFront = topology === "tls-front" || (isTwoHops && hop === "inner");
  const isRelay = topology === "tcp" || topology === "tls-relay";
  const carriedFrom = carriedFromRequests[topology];
  const codec = topology === "http2" || topology === "grpc" || inner.includes("h2") ? "AUTO" : "HTTP1";
  const root = {
    node: { id: `bench-${hop}`, cluster: "bench" },
    admin: { address: address(hop === "outer" ? ports.outerAdmin : ports.innerAdmin) },
    static_resources: {
      listeners: [
        {
          name: "ingress",
          address: address(listenPort),
          filter_chains: [
            {
              ...(hasTlsInFront ? { transport_socket: downstreamTls(site, inner) } : {}),
              filters: [isRelay ? tcpProxy() : connectionManager(services, codec, {}, meshFilters(topology, hop))],
            },
          ],
        },
        ...(carriedFrom !== undefined && hop === "inner"
          ? tunnelListeners(ports.carriers, site, meshFilters(topology, hop))
          : []),
      ],
      clusters: [
        isToInner
          ? carriedFrom === undefined
            ? cluster("backend", ports.inner, overTls(site, inner))
            : tunnelled(ports, site, carriedFrom)
          : cluster("backend", backendPort(topology, site), topology === "grpc" ? overHttp2() : {}),
        ...Array.from({ length: services }, (_, index) => cluster(`service-${index}`, backendPort(topology, site), {})),
      ],
    },
  };
  return JSON.stringify(root);
}

/** What a CONNECT asks for: the inner proxy's application, by a port that nobody listens on. */
const target = { host: "127.0.0.1", port: 80 };

/** What a mesh of Heddle's counts besides: Istio's standard metrics, with who is at the other side. */
function meshFilters(topology: Topology, hop: "outer" | "inner"): object[] {
  if (carriedFromRequests[topology] === undefined) return [];
  const local = { workload: hop, namespace: "default", canonical_service: hop, app: hop, principal: identity };
  const isOuter = hop === "outer";
  return [
    ourFilter("heddle.peer_metadata", "PeerMetadata", {
      direction: isOuter ? "DIRECTION_OUTBOUND" : "DIRECTION_INBOUND",
      local,
    }),
    ourFilter("heddle.standard_metrics", "StandardMetrics", {
      reporter: isOuter ? "REPORTER_SOURCE" : "REPORTER_DESTINATION",
    }),
  ];
}

function ourFilter(name: string, message: string, fields: object): object {
  return { name, typed_config: { "@type": `type.googleapis.com/heddle.v1.${message}`, ...fields } };
}

/** The HBONE port, and what its streams are connections of. */
function tunnelListeners(port: number, site: Site, filters: readonly object[]): object[] {
  const server = ourFilter("heddle.tunnel_server", "TunnelServer", { listener: "tunnelled" });
  const manager = connectionManager(0, "AUTO", { upgrade_configs: [{ upgrade_type: "CONNECT" }] }, [server]);
  return [
    {
      name: "carriers",
      address: address(port),
      filter_chains: [{ transport_socket: downstreamTls(site, ["h2"]), filters: [manager] }],
    },
    {
      name: "tunnelled",
      internal_listener: {},
      filter_chains: [
        {
          filter_chain_match: { destination_port: target.port },
          filters: [connectionManager(0, "HTTP1", {}, filters)],
        },
      ],
    },
  ];
}

/** HTTP/1.1, as Heddle's compiler has it: from so many requests in progress on its connections are streams of carriers. */
function tunnelled({ inner, carriers }: Ports, site: Site, minConcurrentRequests: number): object {
  const optionsOf = (name: string, options: object): object => ({
    [name]: { "@type": `type.googleapis.com/${name}`, ...options },
  });
  return {
    name: "backend",
    type: "STATIC",
    connect_timeout: "5s",
    load_assignment: {
      cluster_name: "backend",
      endpoints: [
        {
          lb_endpoints: [
            {
              endpoint: { address: address(inner) },
              metadata: {
                filter_metadata: {
                  "envoy.transport_socket_match": { tunnel: "h2" },
                  "heddle.tunnel": { port: `${carriers}`, authority: `${target.host}:${target.port}` },
                },
              },
            },
          ],
        },
      ],
    },
    transport_socket: upstreamTls(site, ["http/1.1"]),
    transport_socket_matches: [
      { name: "tunnel", match: { tunnel: "h2" }, transport_socket: upstreamTls(site, ["h2"]) },
    ],
    typed_extension_protocol_options: {
      ...optionsOf(optionsName, protocolOptions(["http/1.1"])),
      ...optionsOf("heddle.v1.TunnelOptions", {
        transport_socket_match: "tunnel",
        min_concurrent_requests: minConcurrentRequests,
      }),
    },
  };
}

/** What is offered between the two, by ALPN. */
const spokenBetween: Readonly<Partial<Record<Topology, readonly string[]>>> = { "two-hops-http2": ["h2"] };

/** Requests in progress from which on they ride in carriers. In a mesh of Heddle's few have connections of their own. */
const carriedFromRequests: Readonly<Partial<Record<Topology, number>>> = { mesh: 4, "mesh-virtual": 0 };

function address(port: number): object {
  return { socket_address: { address: "127.0.0.1", port_value: port } };
}

function tcpProxy(): object {
  return {
    name: "envoy.filters.network.tcp_proxy",
    typed_config: {
      "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
      stat_prefix: "relay",
      cluster: "backend",
    },
  };
}

/**
 * @param more fields beside those of every connection manager here
 * @param filters before the router
 */
function connectionManager(
  services: number,
  codec: "AUTO" | "HTTP1",
  more: object = {},
  filters: readonly object[] = [],
): object {
  const routes = [
    {
      name: "canary",
      match: { prefix: "/", headers: [{ name: "x-canary", string_match: { exact: "yes" } }] },
      route: { cluster: "backend" },
    },
    { name: "api", match: { prefix: "/api/" }, route: { cluster: "backend", timeout: "5s" } },
    { name: "default", match: { prefix: "/" }, route: { cluster: "backend", timeout: "15s" } },
  ];
  return {
    name: "envoy.filters.network.http_connection_manager",
    typed_config: {
      "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
      stat_prefix: "ingress",
      codec_type: codec,
      use_remote_address: true,
      route_config: {
        name: "local",
        virtual_hosts: [
          ...Array.from({ length: services }, (_, index) => ({
            name: `service-${index}`,
            domains: [`service-${index}.example`],
            routes: [{ match: { prefix: "/" }, route: { cluster: `service-${index}` } }],
          })),
          { name: "all", domains: ["*"], routes },
        ],
      },
      ...more,
      http_filters: [
        ...filters,
        {
          name: "envoy.filters.http.router",
          typed_config: { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" },
        },
      ],
    },
  };
}

function cluster(name: string, port: number, more: object): object {
  return {
    name,
    type: "STATIC",
    connect_timeout: "5s",
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: address(port) } }] }],
    },
    ...more,
  };
}

const optionsName = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

function overHttp2(): object {
  const options = { "@type": `type.googleapis.com/${optionsName}`, ...protocolOptions(["h2"]) };
  return { typed_extension_protocol_options: { [optionsName]: options } };
}

function overTls(site: Site, alpn: readonly string[]): object {
  const options = { "@type": `type.googleapis.com/${optionsName}`, ...protocolOptions(alpn) };
  return {
    transport_socket: upstreamTls(site, alpn),
    typed_extension_protocol_options: { [optionsName]: options },
  };
}

function protocolOptions(alpn: readonly string[]): object {
  return { explicit_http_config: alpn[0] === "h2" ? { http2_protocol_options: {} } : { http_protocol_options: {} } };
}

function commonTls(site: Site, alpn: readonly string[]): object {
  return {
    alpn_protocols: alpn,
    tls_params: { tls_minimum_protocol_version: "TLSv1_3", tls_maximum_protocol_version: "TLSv1_3" },
    tls_certificates: [
      { certificate_chain: { filename: site.tls.certificate }, private_key: { filename: site.tls.key } },
    ],
    validation_context: {
      trusted_ca: { filename: site.tls.ca },
      match_typed_subject_alt_names: [{ san_type: "URI", matcher: { exact: identity } }],
    },
  };
}

function downstreamTls(site: Site, alpn: readonly string[]): object {
  return {
    name: "envoy.transport_sockets.tls",
    typed_config: {
      "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
      require_client_certificate: true,
      common_tls_context: commonTls(site, alpn),
    },
  };
}

function upstreamTls(site: Site, alpn: readonly string[]): object {
  return {
    name: "envoy.transport_sockets.tls",
    typed_config: {
      "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
      sni: "bench.example",
      common_tls_context: commonTls(site, alpn),
    },
  };
}
