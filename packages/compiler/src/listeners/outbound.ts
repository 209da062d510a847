import { create, type Listener, ListenerSchema, TrafficDirection } from "@heddle/xds/api";
import type { Audience } from "../audience.ts";
import type { WorkloadProfile } from "../inputs.ts";
import { compilePeerMetadata, compileStandardMetrics, workloadMetadata } from "../metrics/compile.ts";
import { listenerName, opaqueClusterName, outboundClusterName, outboundRouteTableName } from "../names.ts";
import { tcpAddress } from "../wire.ts";
import { compileFaultFilter } from "../routing/fault.ts";
import { httpTerminal, routesByName } from "./http-connection-manager.ts";
import { detection, httpInspector, plaintextHttp } from "./protocol-detection.ts";
import { tcpTerminal } from "./tcp-proxy.ts";

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
  // Tunnels say in `baggage` whose they are; before an Envoy's TCP proxy the filter would mean nothing.
  const says = audience.messages.has("TunnelOptions")
    ? compilePeerMetadata(audience, "outbound", workloadMetadata(instance, trustDomain))
    : [];
  const tcp = (name: string) => [...says, tcpTerminal(name, says.length > 0)];
  const http = () =>
    httpTerminal(`outbound_${name}`, filters, { routeSpecifier: routesByName(outboundRouteTableName(host, port)) });
  const base = {
    name,
    address: tcpAddress(loopback, localPort),
    trafficDirection: TrafficDirection.OUTBOUND,
  };
  if (protocol === "auto") {
    return create(ListenerSchema, {
      ...base,
      ...detection([httpInspector]),
      filterChains: [{ name: `${name}_http`, filterChainMatch: plaintextHttp, filters: [http()] }],
      defaultFilterChain: { name, filters: tcp(opaqueClusterName(host, port)) },
    });
  }
  return create(ListenerSchema, {
    ...base,
    filterChains: [{ name, filters: protocol === "http" ? [http()] : tcp(cluster) }],
  });
}
