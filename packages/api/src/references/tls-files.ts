import type { Finding } from "../finding.ts";
import type { ClientTls, PolicyBlocks, TrafficPolicy } from "../kinds/destination-rule/spec.ts";
import type { DestinationRuleResource, Resource } from "../resource.ts";
import { describePath } from "../schema/check.ts";
import { findingOn } from "./resource-set.ts";

type Path = readonly (string | number)[];

const fileFields = [
  "caCertificates",
  "caCrl",
  "clientCertificate",
  "privateKey",
] as const satisfies (keyof ClientTls)[];

/**
 * Files that DestinationRules name for TLS and that are not there. Only where a LocalMesh is among the resources: its proxies run on this machine, those
 * of another mesh may not.
 *
 * @param isReadable whether there is such a file, and this process may read it
 */
export function missingTlsFiles(resources: readonly Resource[], isReadable: (path: string) => boolean): Finding[] {
  if (!resources.some(({ kind }) => kind === "LocalMesh")) return [];
  return resources.flatMap((resource) => (resource.kind === "DestinationRule" ? missingOf(resource, isReadable) : []));
}

function missingOf(rule: DestinationRuleResource, isReadable: (path: string) => boolean): Finding[] {
  const { trafficPolicy, subsets = [] } = rule.spec;
  const blocks = [
    ...blocksOf(trafficPolicy, ["spec", "trafficPolicy"]),
    ...subsets.flatMap((subset, index) => blocksOf(subset.trafficPolicy, ["spec", "subsets", index, "trafficPolicy"])),
  ];
  return blocks.flatMap(([{ tls }, at]) =>
    fileFields.flatMap((name) => {
      const file = tls?.[name];
      if (file === undefined || isReadable(file)) return [];
      const path = [...at, "tls", name];
      return [
        findingOn(rule, "HDL0120", path, `${describePath(path)}: there is no file ${file} that can be read here.`),
      ];
    }),
  );
}

function blocksOf(policy: TrafficPolicy | undefined, at: Path): (readonly [PolicyBlocks, Path])[] {
  if (policy === undefined) return [];
  const ofPorts = policy.portLevelSettings ?? [];
  return [[policy, at], ...ofPorts.map((port, index) => [port, [...at, "portLevelSettings", index]] as const)];
}
