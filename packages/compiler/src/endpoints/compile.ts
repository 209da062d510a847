import { hasLabels } from "@heddle/api";
import { type ClusterLoadAssignment, ClusterLoadAssignmentSchema, create, HealthStatus } from "@heddle/xds/api";
import { mutualTlsMode, tunnelMode } from "../mtls/client.ts";
import { outboundClusterName } from "../names.ts";
import { metadataOf } from "../provenance.ts";
import { tcpAddress } from "../wire.ts";

/** A ready replica, as clients reach it. */
export interface ServiceEndpoint {
  readonly address: string;
  readonly port: number;
  readonly labels: Readonly<Record<string, string>>;
  /** `istio.workload` of its metadata. */
  readonly workload: string;
  /** Whether its proxy takes mutual TLS on this port. */
  readonly takesMutualTls: boolean;
  /** Where its proxy takes carriers, and what a stream asks for; undefined: nowhere. */
  readonly tunnel: { readonly port: number; readonly authority: string } | undefined;
}

/**
 * Who answers for a service or a subset now. Replicas that are not ready are left out; when none is, the assignment is empty and
 * requests are answered 503 UH instead of being tried on replicas that cannot serve them.
 *
 * @param subset its labels; undefined: the whole service
 */
export function compileEndpoints(
  host: string,
  port: number,
  subsetName: string,
  subset: Readonly<Record<string, string>> | undefined,
  endpoints: readonly ServiceEndpoint[],
): ClusterLoadAssignment {
  const lbEndpoints = endpoints
    .filter(({ labels }) => hasLabels(labels, subset ?? {}))
    .map((endpoint) => {
      const tunnel = endpoint.takesMutualTls ? endpoint.tunnel : undefined;
      const metadata = metadataOf({
        "envoy.transport_socket_match": transportMatchOf(endpoint),
        "heddle.tunnel": tunnel && { port: String(tunnel.port), authority: tunnel.authority },
        istio: { workload: endpoint.workload },
      });
      return {
        hostIdentifier: { case: "endpoint" as const, value: { address: tcpAddress(endpoint.address, endpoint.port) } },
        healthStatus: HealthStatus.HEALTHY,
        loadBalancingWeight: 1,
        ...(metadata === undefined ? {} : { metadata }),
      };
    });
  return create(ClusterLoadAssignmentSchema, {
    clusterName: outboundClusterName(host, port, subsetName),
    endpoints: lbEndpoints.length === 0 ? [] : [{ lbEndpoints }],
  });
}

/** An Envoy looks for `tlsMode` alone, and makes plain mutual TLS of it. */
function transportMatchOf({ takesMutualTls, tunnel }: ServiceEndpoint): Record<string, string> | undefined {
  if (!takesMutualTls) return undefined;
  return tunnel === undefined ? { tlsMode: mutualTlsMode } : { tlsMode: mutualTlsMode, tunnel: tunnelMode };
}
