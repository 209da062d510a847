import type { PolicyBlocks, TrafficPolicy } from "@heddle/api";
import type { Origin } from "../provenance.ts";
import type { MergedRule } from "./lookup.ts";

/** The blocks in force for one port of a service or of one of its subsets, and the resource that they come from. */
export interface EffectivePolicy {
  readonly blocks: PolicyBlocks;
  readonly provenance: { readonly origin: Origin; readonly rule: string } | undefined;
}

/**
 * A subset's policy overrides the top level's block by block, with nothing merged inside a block. An entry of `portLevelSettings` for
 * the port replaces all blocks of its own level and of the levels above: those that it leaves out fall to the defaults (istio.md 4.5).
 */
export function effectivePolicy(rule: MergedRule | undefined, port: number, subsetName: string): EffectivePolicy {
  const top = rule?.policy;
  const subset = rule?.subsets.find(({ subset }) => subset.name === subsetName);
  const blocks = override(override({}, top?.trafficPolicy, port), subset?.subset.trafficPolicy, port);
  if (subset !== undefined) return { blocks, provenance: { origin: subset.origin, rule: `subsets[${subset.index}]` } };
  return { blocks, provenance: top && { origin: top.origin, rule: "trafficPolicy" } };
}

function override(below: PolicyBlocks, policy: TrafficPolicy | undefined, port: number): PolicyBlocks {
  const onPort = policy?.portLevelSettings?.find((entry) => entry.port.number === port);
  if (onPort !== undefined) return pick(onPort);
  return policy === undefined ? below : { ...below, ...pick(policy) };
}

function pick({ loadBalancer, connectionPool, tls }: PolicyBlocks): PolicyBlocks {
  return {
    ...(loadBalancer === undefined ? {} : { loadBalancer }),
    ...(connectionPool === undefined ? {} : { connectionPool }),
    ...(tls === undefined ? {} : { tls }),
  };
}
