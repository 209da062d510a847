import type { RouteConfig, VirtualHostConfig } from "../config/route.ts";
import type { LoadProblem, Path } from "./loading.ts";

/** A cluster without which a table must not serve, and the field that names it. */
export interface RequiredCluster {
  readonly name: string;
  readonly path: string;
}

/**
 * The clusters that Envoy looks up for `RouteConfiguration.validate_clusters`: of routes, of their weighted clusters and of their
 * mirrors. One that a request header names is known only when a request comes.
 *
 * @param at the path of `virtual_hosts`
 */
export function requiredClusters(virtualHosts: readonly VirtualHostConfig[], at: Path): RequiredCluster[] {
  return virtualHosts.flatMap((host, index) =>
    host.routes.flatMap((route, place) =>
      clustersOf(route, at.index(index).field("routes").index(place).field("route")),
    ),
  );
}

function clustersOf({ action }: RouteConfig, at: Path): RequiredCluster[] {
  if (action.kind !== "route") return [];
  const { cluster, mirrors } = action;
  const found: RequiredCluster[] = [];
  if (cluster.kind === "cluster") found.push({ name: cluster.name, path: at.field("cluster").toString() });
  if (cluster.kind === "weighted") {
    const clusters = at.field("weighted_clusters").field("clusters");
    cluster.clusters.forEach(({ cluster: name }, index) => {
      if (name !== "") found.push({ name, path: clusters.index(index).field("name").toString() });
    });
  }
  const policies = at.field("request_mirror_policies");
  mirrors.forEach(({ cluster: name }, index) =>
    found.push({ name, path: policies.index(index).field("cluster").toString() }),
  );
  return found;
}

/** What is wrong with a table whose clusters are looked up now. */
export function missingClusters(
  required: readonly RequiredCluster[],
  isKnown: (name: string) => boolean,
): LoadProblem[] {
  return required
    .filter(({ name }) => !isKnown(name))
    .map(({ name, path }) => ({
      path,
      message: `there is no cluster "${name}"`,
      hint: "define the cluster, correct its name, or set `validate_clusters: false` to answer with an error until it is there",
    }));
}
