import type { Finding } from "./finding.ts";
import { identityKey, makeFinding } from "./finding.ts";
import type { SetOptions } from "./options.ts";
import { checkDestinationRules } from "./references/destination-rules.ts";
import { findDuplicates } from "./references/duplicates.ts";
import { checkIdentities } from "./references/identities.ts";
import { checkLocalMeshes } from "./references/local-meshes.ts";
import { checkPolicies } from "./references/policies.ts";
import { ResourceSet } from "./references/resource-set.ts";
import { checkVirtualServices } from "./references/virtual-services.ts";
import { identityOf } from "./resource.ts";
import type { ParsedResource } from "./resource.ts";

/**
 * Judges resources beside each other: duplicates, hosts, subsets, ports, selectors, identities, and who wins where two speak of
 * the same thing. Hosts and selectors are judged against the services of the LocalMesh in the set; without one a single
 * finding says that they were not.
 */
export function validateSet(resources: readonly ParsedResource[], options: SetOptions): Finding[] {
  const set = new ResourceSet(firstOfEach(resources), options);
  const findings = [
    ...findDuplicates(resources),
    ...checkLocalMeshes(set),
    ...checkVirtualServices(set),
    ...checkDestinationRules(set),
    ...checkPolicies(set),
    ...checkIdentities(set),
  ];
  if (!set.isServiceListKnown && resources.length > 0) {
    findings.push(
      makeFinding("HDL0108", {
        message:
          "There is no valid LocalMesh among the files, so hosts, ports, selectors and identities were not judged.",
      }),
    );
  }
  return findings;
}

/** Duplicates are one finding each; judging every copy would only repeat what the first one says. */
function firstOfEach(resources: readonly ParsedResource[]): ParsedResource[] {
  return [...Map.groupBy(resources, (resource) => identityKey(identityOf(resource))).values()].flatMap(([first]) =>
    first === undefined ? [] : [first],
  );
}
