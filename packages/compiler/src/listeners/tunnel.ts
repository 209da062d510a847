import {
  create,
  HttpConnectionManager_CodecType,
  HttpConnectionManager_ForwardClientCertDetails,
  type Listener,
  Listener_InternalListenerConfigSchema,
  ListenerSchema,
  TrafficDirection,
  TunnelServerSchema,
} from "@heddle/xds/api";
import { compileRefusalLog } from "../access-log/compile.ts";
import type { Audience } from "../audience.ts";
import type { WorkloadPolicies } from "../authorization/compile.ts";
import type { WorkloadProfile } from "../inputs.ts";
import { compilePeerMetadata, workloadMetadata } from "../metrics/compile.ts";
import type { EffectiveMode } from "../mtls/effective-mode.ts";
import { handshakeTimeoutMs, tunnelServerSocket } from "../mtls/tls-context.ts";
import { inboundClusterName, tunnelledListenerName, tunnelListenerName } from "../names.ts";
import { duration, extension, tcpAddress } from "../wire.ts";
import { httpTerminal } from "./http-connection-manager.ts";
import { chainMetadata, tunnelledFilters } from "./inbound.ts";

/**
 * Where carriers from other proxies come in (HBONE): mutual TLS with HTTP/2 whose CONNECT streams are connections of the listener below. Nothing else
 * is answered there, and no route leads anywhere.
 */
export function compileTunnelListener(
  instance: WorkloadProfile,
  port: number,
  mode: EffectiveMode,
  trustDomain: string,
  audience: Audience,
): Listener {
  const filters = [
    ...compilePeerMetadata(audience, "inbound", workloadMetadata(instance, trustDomain)),
    extension("heddle.tunnel_server", TunnelServerSchema, { listener: tunnelledListenerName }),
  ];
  const terminal = httpTerminal(tunnelListenerName, filters, {
    codecType: HttpConnectionManager_CodecType.HTTP2,
    forwardClientCertDetails: HttpConnectionManager_ForwardClientCertDetails.SANITIZE,
    // What a stream carries is logged as what it is, by the listener below: requests, or a connection of bytes.
    accessLog: compileRefusalLog(),
    // A stream is a connection: how long it may be still is for the relay to say.
    streamIdleTimeout: duration(0),
    upgradeConfigs: [{ upgradeType: "CONNECT" }],
    routeSpecifier: {
      case: "routeConfig",
      value: { name: tunnelListenerName, virtualHosts: [], validateClusters: false },
    },
  });
  return create(ListenerSchema, {
    name: tunnelListenerName,
    address: tcpAddress(instance.address, port),
    trafficDirection: TrafficDirection.INBOUND,
    filterChains: [
      {
        name: "carriers",
        transportSocket: tunnelServerSocket(trustDomain, audience),
        transportSocketConnectTimeout: duration(handshakeTimeoutMs),
        ...chainMetadata({ mode }),
        filters: [terminal],
      },
    ],
  });
}

/**
 * What a CONNECT may ask for: this workload's own address and the port that it serves, so that policies and `portLevelMtls` see that port. It has no
 * address of its own: a connection that is not inside a carrier cannot get there.
 */
export function compileTunnelledListener(
  instance: WorkloadProfile,
  mode: EffectiveMode,
  policies: WorkloadPolicies,
  trustDomain: string,
  audience: Audience,
): Listener {
  const { address, servicePort } = instance;
  const prefixLen = address.includes(":") ? 128 : 32;
  return create(ListenerSchema, {
    name: tunnelledListenerName,
    listenerSpecifier: { case: "internalListener", value: create(Listener_InternalListenerConfigSchema) },
    trafficDirection: TrafficDirection.INBOUND,
    filterChains: [
      {
        name: inboundClusterName(servicePort),
        filterChainMatch: {
          destinationPort: servicePort,
          prefixRanges: [{ addressPrefix: address, prefixLen }],
        },
        ...chainMetadata({ mode }),
        filters: tunnelledFilters(instance, policies, trustDomain, audience),
      },
    ],
  });
}
