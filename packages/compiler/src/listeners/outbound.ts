import { create, type Listener, ListenerSchema, TcpProxySchema, TrafficDirection } from "@heddle/xds/api";
import { compileAccessLog } from "../access-log/compile.ts";
import type { Audience } from "../audience.ts";
import type { WorkloadProfile } from "../inputs.ts";
import { compilePeerMetadata, compileStandardMetrics, workloadMetadata } from "../metrics/compile.ts";
import { listenerName, outboundClusterName, outboundRouteTableName } from "../names.ts";
import { extension, tcpAddress } from "../wire.ts";
import { compileFaultFilter } from "../routing/fault.ts";
import { httpTerminal, routesByName } from "./http-connection-manager.ts";

/** In ports mode a service is called on a port of the caller's own proxy, which only the caller's machine can reach. */
const loopback = "127.0.0.1";

/** Where one workload's application calls one service. */
export function compileOutboundListener(
  instance: WorkloadProfile,
  service: { readonly host: string; readonly port: number; readonly protocol: string },
  localPort: number,
  trustDomain: string,
  audience: Audience,
): Listener {
  const name = listenerName(loopback, localPort);
  const { host, port, protocol } = service;
  const cluster = outboundClusterName(host, port, "");
  const filters = [
    ...compilePeerMetadata(audience, "outbound", workloadMetadata(instance, trustDomain)),
    compileFaultFilter(),
    ...compileStandardMetrics(audience, "source"),
  ];
  const terminal =
    protocol === "http"
      ? httpTerminal(`outbound_${name}`, filters, {
          routeSpecifier: routesByName(outboundRouteTableName(host, port)),
        })
      : extension("envoy.filters.network.tcp_proxy", TcpProxySchema, {
          statPrefix: cluster,
          clusterSpecifier: { case: "cluster", value: cluster },
          accessLog: compileAccessLog(),
        });
  return create(ListenerSchema, {
    name,
    address: tcpAddress(loopback, localPort),
    trafficDirection: TrafficDirection.OUTBOUND,
    filterChains: [{ name, filters: [terminal] }],
  });
}
