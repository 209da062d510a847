import { cluster, httpListener } from "./bootstrap-json.ts";

// Both ends of carriers (HBONE), as the compiler puts them into a mesh.

type Json = Record<string, unknown>;

const heddle = "type.googleapis.com/heddle.v1";

export interface CarrierListeners {
  /** Of the listener whose connections are the streams of carriers. */
  readonly filterChains: readonly Json[];
  readonly transportSocket?: Json;
  /** HTTP filters of the CONNECTs, before the one that serves them. */
  readonly filters?: readonly Json[];
  /** Fields of the connection manager of the CONNECTs beside those that it needs. */
  readonly manager?: Json;
}

/** Where carriers come in, `carriers`, and what is served in their streams, `inside`. */
export function carrierListeners({ filterChains, transportSocket, filters, manager }: CarrierListeners): Json[] {
  const server = { name: "tunnel", typed_config: { "@type": `${heddle}.TunnelServer`, listener: "inside" } };
  return [
    httpListener({
      name: "carriers",
      direction: "INBOUND",
      routes: [],
      filters: [...(filters ?? []), server],
      ...(transportSocket === undefined ? {} : { transportSocket }),
      manager: { upgrade_configs: [{ upgrade_type: "CONNECT" }], stream_idle_timeout: "0s", ...manager },
    }),
    { name: "inside", internal_listener: {}, filter_chains: filterChains },
  ];
}

/** The filter chains of a listener. */
export function chainsOf(listener: Json): Json[] {
  return listener["filter_chains"] as Json[];
}

export interface CarriedEndpoint {
  /** Its port for connections by themselves. */
  readonly own: number;
  /** The port of its proxy for carriers. */
  readonly carriers: number;
}

export interface CarriedCluster {
  readonly name: string;
  readonly endpoints: readonly CarriedEndpoint[];
  /** The transport socket of carriers. */
  readonly carrierSocket: Json;
  /** What CONNECTs name. */
  readonly authority?: string;
  /** Fields of `TunnelOptions`. */
  readonly options?: Json;
  /** Fields of the cluster beside these. */
  readonly more?: Json;
}

/** A static cluster whose endpoints, on 127.0.0.1, take carriers. */
export function carriedCluster(carried: CarriedCluster): Json {
  const { name, endpoints, carrierSocket, authority = "127.0.0.1:8080", options, more } = carried;
  return cluster(name, [], {
    load_assignment: {
      cluster_name: name,
      endpoints: [
        {
          lb_endpoints: endpoints.map(({ own, carriers }) => ({
            endpoint: { address: { socket_address: { address: "127.0.0.1", port_value: own } } },
            metadata: {
              filter_metadata: {
                "envoy.transport_socket_match": { tunnel: "h2" },
                "heddle.tunnel": { port: String(carriers), authority },
              },
            },
          })),
        },
      ],
    },
    transport_socket_matches: [{ name: "tunnel", match: { tunnel: "h2" }, transport_socket: carrierSocket }],
    typed_extension_protocol_options: {
      "heddle.v1.TunnelOptions": { "@type": `${heddle}.TunnelOptions`, transport_socket_match: "tunnel", ...options },
    },
    ...more,
  });
}
