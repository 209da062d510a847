import type { Destination } from "@heddle/api";
import { outboundClusterName } from "../names.ts";

export interface DestinationResolver {
  /** The full name that a host means where the route stands. */
  readonly hostOf: (host: string) => string;
  /** Ports of a service by full name; undefined: there is no such service. */
  readonly portsOf: (host: string) => readonly number[] | undefined;
}

/** Cluster of a destination. Without a port: the service's only one, else the one that the request came to (istio.md 4.4). */
export function destinationCluster(
  destination: Destination,
  requestPort: number,
  { hostOf, portsOf }: DestinationResolver,
): string {
  const host = hostOf(destination.host);
  const ports = portsOf(host) ?? [];
  const onlyPort = ports.length === 1 ? ports[0] : undefined;
  return outboundClusterName(host, destination.port?.number ?? onlyPort ?? requestPort, destination.subset ?? "");
}
