import type { ResponseFlag } from "@heddle/core";
import type { Provenance } from "../config/address.ts";
import type { ConnectionView } from "../bind/connection.ts";
import type { MutableHeaders } from "../bind/headers.ts";
import type { Snapshot } from "../bind/snapshot.ts";
import type {
  BoundCluster,
  BoundEndpoint,
  BoundHttpConnectionManager,
  BoundRoute,
  BoundRouteTable,
  BoundVirtualHost,
} from "../bind/types.ts";

/**
 * One request as the engine reads and writes it; pooled by the proxy. Before `prepareRequest` the proxy calls
 * {@link RequestRecord.begin}; everything below "written by the engine" is then reset.
 */
export declare class RequestRecord {
  method: string;
  /** Origin form with query. Normalised and rewritten in place. */
  path: string;
  /** `:authority`; rewritten in place. */
  authority: string;
  /** `http` or `https`. */
  scheme: string;
  headers: MutableHeaders;
  connection: ConnectionView;

  // Written by prepareRequest.
  /** Address of the client after trusted X-Forwarded-For hops: `remote_ip`, %DOWNSTREAM_REMOTE_ADDRESS%. */
  remoteHost: string;
  remotePort: number;
  requestId: string;
  /** Envoy's `x-envoy-internal`: came from a trusted, internal address. */
  isInternal: boolean;
  /** Path as received, before normalisation and rewrites. */
  originalPath: string;
  originalAuthority: string;

  // Written by decideRequest.
  snapshot: Snapshot | undefined;
  hcm: BoundHttpConnectionManager | undefined;
  routeTable: BoundRouteTable | undefined;
  virtualHost: BoundVirtualHost | undefined;
  route: BoundRoute | undefined;
  cluster: BoundCluster | undefined;
  /** Name of the wanted cluster, also when it does not exist. */
  clusterName: string;
  /** Response flags so far, in order (`FI`, `UF`, `URX` …). */
  readonly flags: ResponseFlag[];
  /** Response code details of the last decision; empty: `via_upstream` when one answered. */
  details: string;
  /** What decided, for logs and explain: the RBAC policy of a denial, else the route's resource. */
  decidedBy: Provenance | undefined;
  /** Shadow RBAC: name of the policy that would have decided, and how; empty: none. */
  shadowPolicy: string;
  shadowResult: "" | "allowed" | "denied";
  /** Whole request, from its end to the end of the response; 0: none. */
  timeoutMs: number;
  /** 0: none. */
  perTryTimeoutMs: number;
  /** 0: none. */
  perTryIdleTimeoutMs: number;
  /** Stream idle timeout in force; 0: none. */
  idleTimeoutMs: number;

  // Written by chooseEndpoint and the steps after it.
  /** 0 before the first attempt, then 1, 2, … */
  attempt: number;
  endpoint: BoundEndpoint | undefined;
  /** Endpoints tried before, oldest first. */
  readonly previousEndpoints: BoundEndpoint[];
  /** Whether the body must be kept for a retry. */
  canRetry: boolean;

  constructor();
  begin(
    method: string,
    path: string,
    authority: string,
    scheme: string,
    headers: MutableHeaders,
    connection: ConnectionView,
  ): void;
  /** Drops every reference, so that a pooled record keeps nothing alive. */
  release(): void;
}
