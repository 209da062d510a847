import { TcpProxySchema } from "@heddle/xds/api";
import { compileAccessLog } from "../access-log/compile.ts";
import { extension } from "../wire.ts";

/** The TCP terminal of a filter chain: bytes go to this cluster. */
export function tcpTerminal(cluster: string) {
  return extension("envoy.filters.network.tcp_proxy", TcpProxySchema, {
    statPrefix: cluster,
    clusterSpecifier: { case: "cluster", value: cluster },
    accessLog: compileAccessLog(),
  });
}
