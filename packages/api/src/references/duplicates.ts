import type { Finding } from "../finding.ts";
import { identityKey } from "../finding.ts";
import { identityOf } from "../resource.ts";
import type { ParsedResource } from "../resource.ts";
import { describeResource, findingOn } from "./resource-set.ts";

/** Every document that shares its identity with another one, each finding naming the other place. */
export function findDuplicates(resources: readonly ParsedResource[]): Finding[] {
  const groups = Map.groupBy(resources, (resource) => identityKey(identityOf(resource)));
  const findings: Finding[] = [];
  for (const group of groups.values()) {
    if (group.length < 2) continue;
    for (const resource of group) {
      const others = group.filter((each) => each !== resource).map((each) => describeResource(each));
      findings.push(
        findingOn(
          resource,
          "HDL0101",
          ["metadata"],
          `The same resource is written again: ${others.join(", ")}. None of them is taken.`,
          // Under another name it would be one too many all the same.
          resource.kind === "LocalMesh" ? "Remove one of the two: a mesh has one LocalMesh." : undefined,
        ),
      );
    }
  }
  return findings;
}
