import type { CarriedProtocol } from "@heddle/api";
import { create, type Listener, ListenerSchema, TrafficDirection } from "@heddle/xds/api";
import type { Audience } from "../audience.ts";
import type { WorkloadProfile } from "../inputs.ts";
import { compilePeerMetadata, compileStandardMetrics, workloadMetadata } from "../metrics/compile.ts";
import { isDeclaredHttp } from "../model/services.ts";
import { listenerName, opaqueClusterName, outboundClusterName, outboundRouteTableName } from "../names.ts";
import { listenerAddresses, tcpAddress } from "../wire.ts";
import { compileFaultFilter } from "../routing/fault.ts";
import { httpTerminal, routesByName } from "./http-connection-manager.ts";
import { detectionTimes, httpInspector, plaintextHttp } from "./protocol-detection.ts";
import { tcpTerminal } from "./tcp-proxy.ts";

/** In ports mode a service is called on a port of the caller's own proxy, which only the caller's machine can reach. */
const loopback = "127.0.0.1";

/** What could not be connected has carried nothing, so that another endpoint may be tried (design §5, Retries). */
const connectAttempts = 3;

/** One port of a service, as callers' listeners stand for it. */
interface CalledPort {
  readonly host: string;
  readonly port: number;
  readonly protocol: CarriedProtocol;
}

/** Where one workload's application calls one service. */
export function compileOutboundListener(
  instance: WorkloadProfile,
  service: CalledPort,
  localPort: number,
  trustDomain: string,
  audience: Audience,
): Listener {
  const name = listenerName(loopback, localPort);
  return create(ListenerSchema, {
    name,
    address: tcpAddress(loopback, localPort),
    trafficDirection: TrafficDirection.OUTBOUND,
    ...outboundChains(instance, service, name, trustDomain, audience),
  });
}

/**
 * Stands for a service at its own addresses: nothing listens there, but connections that were redirected and meant for them come here
 * (Istio's per-service listeners behind `virtualOutbound`).
 */
export function compileServiceListener(
  instance: WorkloadProfile,
  service: CalledPort & { readonly addresses: readonly string[] },
  trustDomain: string,
  audience: Audience,
): Listener {
  const { addresses, port } = service;
  const name = listenerName(addresses[0] ?? "", port);
  return create(ListenerSchema, {
    name,
    ...listenerAddresses(addresses, port),
    bindToPort: false,
    trafficDirection: TrafficDirection.OUTBOUND,
    ...outboundChains(instance, service, name, trustDomain, audience),
  });
}

function outboundChains(
  instance: WorkloadProfile,
  { host, port, protocol }: CalledPort,
  name: string,
  trustDomain: string,
  audience: Audience,
) {
  const self = compilePeerMetadata(audience, "outbound", workloadMetadata(instance, trustDomain));
  const filters = [...self, compileFaultFilter(), ...compileStandardMetrics(audience, "source")];
  // Of byte streams only tunnels can say, in `baggage`, whose they are.
  const byteFilters = audience.understands.has("TunnelOptions") ? self : [];
  const tcp = (cluster: string) => [...byteFilters, tcpTerminal(cluster, connectAttempts)];
  const http = () =>
    httpTerminal(`outbound_${name}`, filters, { routeSpecifier: routesByName(outboundRouteTableName(host, port)) });
  if (protocol === "auto") {
    return {
      listenerFilters: [httpInspector],
      ...detectionTimes,
      filterChains: [{ name: `${name}_http`, filterChainMatch: plaintextHttp, filters: [http()] }],
      defaultFilterChain: { name, filters: tcp(opaqueClusterName(host, port)) },
    };
  }
  const own = isDeclaredHttp(protocol) ? [http()] : tcp(outboundClusterName(host, port, ""));
  return { filterChains: [{ name, filters: own }] };
}
