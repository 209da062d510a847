import type { ProxyBootstrap } from "../replica-place.ts";
import { namespacePorts } from "./redirect-rules.ts";

export interface NamespaceBootstrapOptions {
  readonly address: string;
  readonly hasIpv6: boolean;
  /** Of the machine: where this process asks the proxy and, through it, the application. */
  readonly door: { readonly host: string; readonly port: number };
  /** Port of the application. */
  readonly application: number;
  /** Undefined: its port alone says that it is ready. */
  readonly readinessPath: string | undefined;
}

/** Path of the door behind which the application's readiness path is, and no other of its paths. */
export const readinessPath = "/app-health/readyz";

/**
 * What Istio's agent and its bootstrap offer in a pod: readiness on 15021, metrics on 15090, admin on loopback; and a door for
 * `heddle up`, which is outside: admin, and the probe of the application.
 */
export function namespaceBootstrap(options: NamespaceBootstrapOptions): ProxyBootstrap {
  const { address, hasIpv6, door, application } = options;
  const path = options.readinessPath;
  const probe = {
    match: { path: readinessPath },
    route: { cluster: "application", regex_rewrite: exactly(path ?? "") },
  };
  return {
    address,
    adminPort: namespacePorts.admin,
    listeners: [
      listener("readiness", namespacePorts.readiness, hasIpv6, [
        { match: { path: "/healthz/ready" }, route: { cluster: "agent", prefix_rewrite: "/ready" } },
      ]),
      listener("prometheus", namespacePorts.metrics, hasIpv6, [
        { match: { path: "/stats/prometheus" }, route: { cluster: "agent" } },
      ]),
      httpListener("door", door.host, door.port, [
        ...(path === undefined ? [] : [probe]),
        { match: { prefix: "/" }, route: { cluster: "agent", timeout: "0s" } },
      ]),
    ],
    clusters: [
      localCluster("agent", namespacePorts.admin),
      ...(path === undefined ? [] : [localCluster("application", application)]),
    ],
  };
}

/** The whole path becomes another, which may have a query of its own. */
function exactly(path: string): object {
  return { pattern: { regex: "^.*$" }, substitution: path.replaceAll("\\", "\\\\") };
}

function listener(name: string, port: number, hasIpv6: boolean, routes: readonly object[]): object {
  const every = httpListener(name, "0.0.0.0", port, routes);
  return hasIpv6 ? { ...every, additional_addresses: [{ address: socketAddress("::", port) }] } : every;
}

function httpListener(name: string, host: string, port: number, routes: readonly object[]): object {
  return {
    name,
    address: socketAddress(host, port),
    filter_chains: [
      {
        filters: [
          {
            name: "envoy.filters.network.http_connection_manager",
            typed_config: {
              "@type":
                "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
              stat_prefix: name,
              route_config: { virtual_hosts: [{ name, domains: ["*"], routes }] },
              http_filters: [
                {
                  name: "envoy.filters.http.router",
                  typed_config: { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" },
                },
              ],
            },
          },
        ],
      },
    ],
  };
}

function localCluster(name: string, port: number): object {
  return {
    name,
    type: "STATIC",
    connect_timeout: "1s",
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: socketAddress("127.0.0.1", port) } }] }],
    },
  };
}

function socketAddress(address: string, port: number): object {
  return { socket_address: { address, port_value: port } };
}
