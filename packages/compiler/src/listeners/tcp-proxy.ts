import { TcpProxySchema } from "@heddle/xds/api";
import { compileAccessLog } from "../access-log/compile.ts";
import { extension } from "../wire.ts";

/** What could not be connected has carried nothing, so that another endpoint may be tried (design §5, Retries). */
const connectAttempts = 3;

/**
 * The TCP terminal of a filter chain: bytes go to this cluster.
 *
 * @param triesOthers where an endpoint cannot be reached, or its proxy refuses the CONNECT
 */
export function tcpTerminal(cluster: string, triesOthers = false) {
  return extension("envoy.filters.network.tcp_proxy", TcpProxySchema, {
    statPrefix: cluster,
    ...(triesOthers ? { maxConnectAttempts: connectAttempts } : {}),
    clusterSpecifier: { case: "cluster", value: cluster },
    accessLog: compileAccessLog(),
  });
}
