// Pieces of Envoy bootstraps for tests: what a test is about is given, the rest is the least that a proxy needs.

type Json = Record<string, unknown>;

const filterPackage = "type.googleapis.com/envoy.extensions.filters";

export function router(): Json {
  return { name: "router", typed_config: { "@type": `${filterPackage}.http.router.v3.Router` } };
}

export interface HttpListener {
  readonly name: string;
  readonly routes: readonly Json[];
  /** Fields of the connection manager beside routes and filters. */
  readonly manager?: Json;
  /** HTTP filters before the router. */
  readonly filters?: readonly Json[];
  readonly virtualHost?: Json;
  /** Fields of the route table beside its one virtual host. */
  readonly routeConfig?: Json;
  readonly direction?: "INBOUND" | "OUTBOUND";
  /** `transport_socket` of its one filter chain. */
  readonly transportSocket?: Json;
  /** Fields of its one filter chain beside these. */
  readonly chain?: Json;
  /** Fields of the listener beside these. */
  readonly listener?: Json;
  readonly port?: number;
}

/** A listener on a free port of 127.0.0.1 that ends in HTTP. */
export function httpListener(options: HttpListener): Json {
  const { name, routes, manager, filters, virtualHost, routeConfig, direction, transportSocket, listener } = options;
  return {
    name,
    address: { socket_address: { address: "127.0.0.1", port_value: options.port ?? 0 } },
    ...(direction === undefined ? {} : { traffic_direction: direction }),
    filter_chains: [
      {
        ...(transportSocket === undefined ? {} : { transport_socket: transportSocket }),
        ...options.chain,
        filters: [
          {
            name: "http",
            typed_config: {
              "@type": `${filterPackage}.network.http_connection_manager.v3.HttpConnectionManager`,
              stat_prefix: name,
              route_config: {
                name,
                virtual_hosts: [{ name: "all", domains: ["*"], routes, ...virtualHost }],
                ...routeConfig,
              },
              http_filters: [...(filters ?? []), router()],
              ...manager,
            },
          },
        ],
      },
    ],
    ...listener,
  };
}

/** A listener on a free port of 127.0.0.1 that relays bytes. `more`: fields of the relay. */
export function tcpListener(name: string, clusterName: string, filters: readonly Json[] = [], more: Json = {}): Json {
  const proxyType = `${filterPackage}.network.tcp_proxy.v3.TcpProxy`;
  const relay = { "@type": proxyType, stat_prefix: name, cluster: clusterName, ...more };
  return {
    name,
    address: { socket_address: { address: "127.0.0.1", port_value: 0 } },
    filter_chains: [{ filters: [...filters, { name: "tcp", typed_config: relay }] }],
  };
}

/** A listener on a free port of each address that answers questions for these names. `client`: how others are passed on; undefined: they are not. */
export function dnsListener(
  domains: Readonly<Record<string, readonly string[]>>,
  client?: Json,
  ttl = "30s",
  addresses = ["127.0.0.1", "::1"],
): Json {
  const [first = "", ...more] = addresses.map((address) => ({
    socket_address: { address, port_value: 0, protocol: "UDP" },
  }));
  const virtual_domains = Object.entries(domains).map(([name, address]) => ({
    name,
    endpoint: { address_list: { address } },
    answer_ttl: ttl,
  }));
  return {
    name: "dns",
    address: first,
    additional_addresses: more.map((address) => ({ address })),
    listener_filters: [
      {
        name: "envoy.filters.udp.dns_filter",
        typed_config: {
          "@type": "type.googleapis.com/envoy.extensions.filters.udp.dns_filter.v3.DnsFilterConfig",
          stat_prefix: "names",
          server_config: { inline_dns_table: { virtual_domains } },
          ...(client === undefined ? {} : { client_config: client }),
        },
      },
    ],
  };
}

/** A listener filter. `type`: below `envoy.extensions.filters.listener`. */
export function listenerFilter(type: string, config: Json = {}, more: Json = {}): Json {
  return { name: type, typed_config: { "@type": `${filterPackage}.listener.${type}`, ...config }, ...more };
}

export const tlsInspector = "tls_inspector.v3.TlsInspector";
export const httpInspector = "http_inspector.v3.HttpInspector";
export const proxyProtocol = "proxy_protocol.v3.ProxyProtocol";

/** A network RBAC filter. */
export function networkRbac(action: "ALLOW" | "DENY", permission: Json, principal: Json = { any: true }): Json {
  return {
    name: "rbac",
    typed_config: {
      "@type": `${filterPackage}.network.rbac.v3.RBAC`,
      stat_prefix: "rbac",
      rules: { action, policies: { only: { permissions: [permission], principals: [principal] } } },
    },
  };
}

/** The one filter chain of a listener, with another match. */
export function chainOf(listener: Json, name: string, match: Json): Json {
  const [chain] = listener["filter_chains"] as [Json];
  return { ...chain, name, filter_chain_match: match };
}

/** An access log in a file. */
export function fileLog(path: string, format: string): Json {
  const type = "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog";
  const logFormat = { text_format_source: { inline_string: `${format}\n` } };
  return { access_log: [{ name: "log", typed_config: { "@type": type, path, log_format: logFormat } }] };
}

/** A static cluster on these ports of 127.0.0.1. */
export function cluster(name: string, ports: readonly number[], more: Json = {}): Json {
  return {
    name,
    type: "STATIC",
    connect_timeout: "5s",
    load_assignment: {
      cluster_name: name,
      endpoints: [
        {
          lb_endpoints: ports.map((port) => ({
            endpoint: { address: { socket_address: { address: "127.0.0.1", port_value: port } } },
          })),
        },
      ],
    },
    ...more,
  };
}

export function route(prefix: string, clusterName: string, action: Json = {}, more: Json = {}): Json {
  return { match: { prefix }, route: { cluster: clusterName, ...action }, ...more };
}

export function bootstrap(listeners: readonly Json[], clusters: readonly Json[], more: Json = {}): Json {
  return {
    node: { id: "test", cluster: "test" },
    admin: { address: { socket_address: { address: "127.0.0.1", port_value: 0 } } },
    static_resources: { listeners, clusters },
    ...more,
  };
}

const tlsPackage = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3";

export interface TlsMaterial {
  readonly chainPem: string;
  readonly privateKeyPem: string;
  readonly anchorsPem: string;
}

function commonTls({ chainPem, privateKeyPem, anchorsPem }: TlsMaterial, validation: Json = {}, alpn?: string[]): Json {
  return {
    ...(alpn === undefined ? {} : { alpn_protocols: alpn }),
    tls_params: { tls_minimum_protocol_version: "TLSv1_3", tls_maximum_protocol_version: "TLSv1_3" },
    tls_certificates: [
      { certificate_chain: { inline_string: chainPem }, private_key: { inline_string: privateKeyPem } },
    ],
    validation_context: { trusted_ca: { inline_string: anchorsPem }, ...validation },
  };
}

/** A `transport_socket` that demands client certificates. */
export function serverTls(material: TlsMaterial, more: Json = {}, alpn?: string[]): Json {
  return {
    name: "tls",
    typed_config: {
      "@type": `${tlsPackage}.DownstreamTlsContext`,
      require_client_certificate: true,
      common_tls_context: commonTls(material, {}, alpn),
      ...more,
    },
  };
}

/** A `transport_socket` that expects this SPIFFE identity of the server. */
export function clientTls(material: TlsMaterial, expectedUri: string, alpn?: string[]): Json {
  const validation = { match_typed_subject_alt_names: [{ san_type: "URI", matcher: { exact: expectedUri } }] };
  return {
    name: "tls",
    typed_config: {
      "@type": `${tlsPackage}.UpstreamTlsContext`,
      common_tls_context: commonTls(material, validation, alpn),
    },
  };
}

const upstreamOptions = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/**
 * Fields of a cluster: its `HttpProtocolOptions`.
 *
 * @param others more extensions, by the name of their message
 */
export function protocolOptions(options: Json, others: Readonly<Record<string, Json>> = {}): Json {
  const extensions = Object.entries({ [upstreamOptions]: options, ...others }).map(([name, message]) => [
    name,
    { "@type": `type.googleapis.com/${name}`, ...message },
  ]);
  return { typed_extension_protocol_options: Object.fromEntries(extensions) as Json };
}

/** Fields of a cluster whose endpoints speak HTTP/2. */
export function http2Cluster(): Json {
  return protocolOptions({ explicit_http_config: { http2_protocol_options: {} } });
}
