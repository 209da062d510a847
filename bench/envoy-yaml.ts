import { backendPort, hasTwoHops } from "./peer.ts";
import type { Site, Topology } from "./peer.ts";

/** Ports of one run. `inner` is the second hop's listener. */
export interface Ports {
  readonly outer: number;
  readonly inner: number;
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
              filters: [isRelay ? tcpProxy() : connectionManager(services, codec)],
            },
          ],
        },
      ],
      clusters: [
        isToInner
          ? cluster("backend", ports.inner, overTls(site, inner))
          : cluster("backend", backendPort(topology, site), topology === "grpc" ? overHttp2() : {}),
        ...Array.from({ length: services }, (_, index) => cluster(`service-${index}`, backendPort(topology, site), {})),
      ],
    },
  };
  return JSON.stringify(root);
}

/** What is offered between the two, by ALPN. In a mesh of Heddle's both: few requests have connections of their own, many share one. */
const spokenBetween: Readonly<Partial<Record<Topology, readonly string[]>>> = {
  "two-hops": ["http/1.1"],
  "two-hops-http2": ["h2"],
  mesh: ["h2", "http/1.1"],
};

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

function connectionManager(services: number, codec: "AUTO" | "HTTP1"): object {
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
      http_filters: [
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
  const carriersName = "heddle.v1.CarrierOptions";
  const options = { "@type": `type.googleapis.com/${optionsName}`, ...protocolOptions(alpn) };
  // As Heddle's compiler has it.
  const carriers = { "@type": `type.googleapis.com/${carriersName}`, min_concurrent_requests: 16 };
  return {
    transport_socket: upstreamTls(site, alpn),
    typed_extension_protocol_options: {
      [optionsName]: options,
      ...(alpn.length > 1 ? { [carriersName]: carriers } : {}),
    },
  };
}

function protocolOptions(alpn: readonly string[]): object {
  if (alpn.length > 1) return { auto_config: { http_protocol_options: {}, http2_protocol_options: {} } };
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
