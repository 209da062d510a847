import { create, type Listener, ListenerSchema, TrafficDirection } from "@heddle/xds/api";
import type { WorkloadProfile } from "../inputs.ts";
import { blackHoleClusterName, interceptionPorts, outboundListenerName, passthroughClusterName } from "../names.ts";
import { listenerAddresses } from "../wire.ts";
import { tcpTerminal } from "./tcp-proxy.ts";
import { wildcards } from "./wildcards.ts";

/**
 * Where everything arrives that an intercepted workload sends. A connection goes on to the listener of the address that it was meant
 * for; what no service has goes where it was meant to go (Istio's `outboundTrafficPolicy` ALLOW_ANY).
 */
export function compileVirtualOutbound(instance: WorkloadProfile): Listener {
  const { outbound } = interceptionPorts;
  return create(ListenerSchema, {
    name: outboundListenerName,
    ...listenerAddresses(wildcards(instance), outbound),
    useOriginalDst: true,
    trafficDirection: TrafficDirection.OUTBOUND,
    filterChains: [
      // Nobody redirected it: passing it on would send it here again.
      {
        ...tcpChain("virtualOutbound-blackhole", blackHoleClusterName),
        filterChainMatch: { destinationPort: outbound },
      },
      tcpChain("virtualOutbound-catchall-tcp", passthroughClusterName),
    ],
  });
}

function tcpChain(name: string, cluster: string) {
  return { name, filters: [tcpTerminal(cluster)] };
}
