import {
  create,
  HttpConnectionManager_ForwardClientCertDetails,
  HttpConnectionManager_PathWithEscapedSlashesAction,
  HttpProtocolOptions_HeadersWithUnderscoresAction,
  type Listener,
  ListenerSchema,
  TrafficDirection,
} from "@heddle/xds/api";
import type { Audience } from "../audience.ts";
import { compileHttpAuthorization, type WorkloadPolicies } from "../authorization/compile.ts";
import type { WorkloadProfile } from "../inputs.ts";
import { compilePeerMetadata, compileStandardMetrics, workloadMetadata } from "../metrics/compile.ts";
import { edgeRouteTableName, listenerName } from "../names.ts";
import { compileFaultFilter } from "../routing/fault.ts";
import { duration, tcpAddress } from "../wire.ts";
import { httpTerminal, routesByName } from "./http-connection-manager.ts";

/**
 * Where plaintext from outside comes in. Whoever is there is not trusted: what he says about addresses and certificates is dropped or
 * set anew, and Envoy's recommendations for an edge proxy hold (hardening.md section 2). Towards the mesh the edge is a client like any
 * other.
 */
export function compileEdgeListener(
  instance: WorkloadProfile,
  port: number,
  policies: WorkloadPolicies,
  trustDomain: string,
  audience: Audience,
): Listener {
  const name = listenerName(instance.address, port);
  const filters = [
    ...compilePeerMetadata(audience, "outbound", workloadMetadata(instance, trustDomain)),
    ...compileHttpAuthorization(policies, port),
    compileFaultFilter(),
    ...compileStandardMetrics(audience, "source"),
  ];
  const terminal = httpTerminal(`edge_${name}`, filters, {
    routeSpecifier: routesByName(edgeRouteTableName(port)),
    useRemoteAddress: true,
    forwardClientCertDetails: HttpConnectionManager_ForwardClientCertDetails.SANITIZE,
    mergeSlashes: true,
    pathWithEscapedSlashesAction: HttpConnectionManager_PathWithEscapedSlashesAction.UNESCAPE_AND_REDIRECT,
    commonHttpProtocolOptions: {
      idleTimeout: duration(3_600_000),
      headersWithUnderscoresAction: HttpProtocolOptions_HeadersWithUnderscoresAction.REJECT_REQUEST,
    },
    streamIdleTimeout: duration(300_000),
    requestTimeout: duration(300_000),
    requestHeadersTimeout: duration(10_000),
    http2ProtocolOptions: {
      allowConnect: true,
      maxConcurrentStreams: 100,
      initialStreamWindowSize: 64 * 1024,
      initialConnectionWindowSize: 1024 * 1024,
    },
  });
  return create(ListenerSchema, {
    name,
    address: tcpAddress(instance.address, port),
    trafficDirection: TrafficDirection.OUTBOUND,
    perConnectionBufferLimitBytes: 32 * 1024,
    filterChains: [{ name, filters: [terminal] }],
  });
}
