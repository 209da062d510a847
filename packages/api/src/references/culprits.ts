import type { Finding } from "../finding.ts";
import type { ParsedResource } from "../resource.ts";
import { resolveHost } from "../hosts.ts";
import { coversHost, destinationsOf } from "./virtual-services.ts";

export interface ChangedResource {
  readonly before: ParsedResource;
  readonly after: ParsedResource;
}

/**
 * Which changes took away what a finding on an unchanged resource misses. Only a DestinationRule can: it used to define the
 * subset. A LocalMesh that lost a service is not held back, since its processes are gone whatever a resource says.
 */
export function findCulprits(finding: Finding, victim: ParsedResource, changed: readonly ChangedResource[]): ChangedResource[] {
  if (finding.code !== "HDL0104" || victim.kind !== "VirtualService") return [];
  const wanted = (victim.spec.http ?? []).flatMap((route) => destinationsOf(route)).map(([, destination]) => destination);
  return changed.filter(({ before }) => {
    if (before.kind !== "DestinationRule") return false;
    const subsets = before.spec.subsets ?? [];
    return wanted.some(
      (destination) =>
        coversHost(before, resolveHost(destination.host, victim.metadata.namespace)) && subsets.some((subset) => subset.name === destination.subset),
    );
  });
}
