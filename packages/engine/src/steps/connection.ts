import type { RandomSource } from "@heddle/core";
import type { ConnectionView } from "../bind/connection.ts";
import type { Snapshot } from "../bind/snapshot.ts";
import type { BoundCluster, BoundFilterChain, BoundListener } from "../bind/types.ts";
import type { DecisionTrace } from "./decision-trace.ts";

/** The filter chain for a connection; undefined: none fits and there is no default, so the connection is closed. */
export function matchFilterChain(
  listener: BoundListener,
  connection: ConnectionView,
  trace?: DecisionTrace,
): BoundFilterChain | undefined {
  const found = listener.index.find(connection);
  const chain = found ?? listener.defaultChain;
  trace?.add({
    kind: "filter-chain",
    name: chain?.name ?? listener.name,
    matched: chain !== undefined,
    why: describe(connection, found, chain),
    provenance: chain?.provenance,
  });
  return chain;
}

function describe(
  connection: ConnectionView,
  found: BoundFilterChain | undefined,
  chain: BoundFilterChain | undefined,
): string {
  const { localAddress, sni, transportProtocol, applicationProtocols } = connection;
  const what = [
    `port ${localAddress.port}`,
    transportProtocol,
    sni === "" ? "no server name" : `server name ${sni}`,
    applicationProtocols.length === 0
      ? "no application protocol"
      : `application protocols ${applicationProtocols.join(", ")}`,
  ].join(", ");
  if (found !== undefined) return `the most specific chain for ${what}`;
  return chain === undefined ? `no chain fits ${what}, and there is no default` : `no chain fits ${what}: the default`;
}

/** For TCP proxying: the cluster, drawn by weight; undefined: the snapshot does not have it. */
export function chooseTcpCluster(
  snapshot: Snapshot,
  chain: BoundFilterChain,
  random: RandomSource,
): BoundCluster | undefined {
  const clusters = chain.tcp?.clusters ?? [];
  const total = clusters.reduce((sum, { weight }) => sum + weight, 0);
  let left = clusters.length > 1 ? random() * total : 0;
  for (const { name, weight } of clusters) {
    left -= weight;
    if (left < 0) return snapshot.clusters.get(name);
  }
  return undefined;
}
