import type { RandomSource } from "@heddle/core";
import { withoutQuery } from "../bind/path-match.ts";
import type { BoundRoute, BoundRouteTable, BoundVirtualHost, BoundWeightedCluster } from "../bind/types.ts";
import type { DecisionTrace } from "./decision-trace.ts";
import type { RequestRecord } from "./request-record.ts";

/** The virtual host for the request's authority, or undefined. */
export function findVirtualHost(
  table: BoundRouteTable,
  req: RequestRecord,
  trace: DecisionTrace | undefined,
): BoundVirtualHost | undefined {
  const host = table.index.find(req.authority, table.config.ignorePortInHostMatching);
  trace?.add({
    kind: "virtual-host",
    name: host?.name ?? table.name,
    matched: host !== undefined,
    why:
      host === undefined
        ? `no virtual host of ${table.name} has a domain for "${req.authority}"`
        : `"${req.authority}" is one of its domains: ${host.config.domains.join(", ")}`,
    provenance: host?.config.provenance,
  });
  return host;
}

/** The first route that matches, in the order in which they stand. */
export function findRoute(
  host: BoundVirtualHost,
  req: RequestRecord,
  random: RandomSource,
  trace: DecisionTrace | undefined,
): BoundRoute | undefined {
  const path = withoutQuery(req.path);
  const { routes } = host;
  for (let i = 0; i < routes.length; i++) {
    const route = routes[i] as BoundRoute;
    const isMatch = route.matcher.matches(req, path, random);
    trace?.add({
      kind: "route",
      name: route.name === "" ? `${host.name}#${i}` : route.name,
      matched: isMatch,
      why: isMatch
        ? route.matcher.describe()
        : (route.matcher.explainMismatch(req, path) ?? "the random number is outside the route's fraction"),
      provenance: route.provenance,
    });
    if (isMatch) return route;
  }
  return undefined;
}

/** One of a weighted route's clusters, by the random number or by the header that replaces it (`header_name`). */
export function drawWeighted(
  route: BoundRoute,
  req: RequestRecord,
  random: RandomSource,
  trace: DecisionTrace | undefined,
): BoundWeightedCluster | undefined {
  const { weighted, totalWeight, action } = route;
  if (weighted.length === 0 || action.kind !== "route" || action.cluster.kind !== "weighted") return undefined;
  const point = pointFromHeader(req, action.cluster.randomHeader, totalWeight) ?? random() * totalWeight;
  for (let i = 0; i < weighted.length; i++) {
    const share = weighted[i] as BoundWeightedCluster;
    if (point < share.upTo) {
      trace?.add({
        kind: "cluster",
        name: share.cluster || `from header ${share.clusterHeader}`,
        matched: true,
        why: `drawn with weight ${share.weight} of ${totalWeight}`,
        provenance: route.provenance,
      });
      return share;
    }
  }
  return weighted.at(-1);
}

function pointFromHeader(req: RequestRecord, name: string, totalWeight: number): number | undefined {
  if (name === "") return undefined;
  const value = req.headers.get(name);
  if (value === undefined || !/^[0-9]{1,20}$/.test(value)) return undefined;
  return Number(BigInt(value) % BigInt(totalWeight));
}
