import { resolveHost } from "../hosts.ts";
import type { DestinationRuleResource, ParsedResource } from "../resource.ts";
import { coversHost, definesSubset } from "./governing-rules.ts";
import { destinationsOf } from "./virtual-services.ts";

export interface ChangedResource {
  readonly before: ParsedResource;
  readonly after: ParsedResource;
}

/**
 * Which changed DestinationRules used to define a subset that a VirtualService refers to, and do not any more. (A LocalMesh that
 * lost a service is no culprit: its processes are gone whatever a resource says.)
 */
export function findSubsetCulprits(
  victim: ParsedResource,
  changed: readonly ChangedResource[],
): (ChangedResource & { readonly subset: string })[] {
  if (victim.kind !== "VirtualService") return [];
  const wanted = (victim.spec.http ?? [])
    .flatMap(destinationsOf)
    .map(([, { host, subset }]) => ({ host: resolveHost(host, victim.metadata.namespace), subset }));
  return changed.flatMap(({ before, after }) => {
    if (before.kind !== "DestinationRule" || after.kind !== "DestinationRule") return [];
    const lost = wanted.find(
      ({ host, subset }) => subset !== undefined && defines(before, host, subset) && !defines(after, host, subset),
    );
    return lost?.subset === undefined ? [] : [{ before, after, subset: lost.subset }];
  });
}

function defines(rule: DestinationRuleResource, host: string, subset: string): boolean {
  return coversHost(rule, host) && definesSubset(rule, subset);
}
