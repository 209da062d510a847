import { TcpProxySchema } from "@heddle/xds/api";
import { compileAccessLog } from "../access-log/compile.ts";
import { extension } from "../wire.ts";

/**
 * The TCP terminal of a filter chain: bytes go to this cluster.
 *
 * @param maxConnectAttempts endpoints that are tried where one cannot be reached, or its proxy refuses the CONNECT; by default one
 */
export function tcpTerminal(cluster: string, maxConnectAttempts?: number) {
  return extension("envoy.filters.network.tcp_proxy", TcpProxySchema, {
    statPrefix: cluster,
    ...(maxConnectAttempts === undefined ? {} : { maxConnectAttempts }),
    clusterSpecifier: { case: "cluster", value: cluster },
    accessLog: compileAccessLog(),
  });
}
