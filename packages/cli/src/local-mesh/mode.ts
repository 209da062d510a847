import type { MeshMode } from "@heddle/api";
import type { Capability } from "./namespaces/capability.ts";
import { namespacesCapability } from "./namespaces/capability.ts";

/** How traffic gets into the mesh this time, and why so. */
export type ModeChoice =
  | { readonly mode: "ports"; readonly notice: string }
  | { readonly mode: "namespaces"; readonly hasIpv6: boolean; readonly notice: string };

/** A mode was asked for that this machine cannot do; the message says why. */
export class ModeProblem extends Error {
  /** What to do about it; empty when nothing can be done here. */
  readonly remedy: string;

  constructor(message: string, remedy: string) {
    super(message);
    this.remedy = remedy;
  }
}

const portsNotice =
  "mode ports: traffic between services is encrypted and steered, but not isolated: another program on this machine could use the same ports";

/**
 * The mode that was asked for, else the best that is possible here.
 *
 * @throws ModeProblem (as a rejection) when what was asked for is not possible
 */
export async function chooseMode(
  wanted: MeshMode | undefined,
  capabilityOf: () => Promise<Capability> = namespacesCapability,
): Promise<ModeChoice> {
  if (wanted === "ports") return { mode: "ports", notice: portsNotice };
  const capability = await capabilityOf();
  if (capability.problem !== undefined) {
    if (wanted === "namespaces")
      throw new ModeProblem(`mode namespaces is not possible here: ${capability.problem}`, capability.remedy);
    return {
      mode: "ports",
      notice: `${portsNotice}. Mode namespaces, which isolates, is not possible: ${capability.problem}`,
    };
  }
  const { hasIpv6 } = capability;
  const families = hasIpv6 ? "" : ", IPv4 only since this machine has no IPv6 to redirect";
  const why = wanted === undefined ? "; chosen because this machine can, --mode ports goes without" : "";
  return {
    mode: "namespaces",
    hasIpv6,
    notice: `mode namespaces: each replica has a network of its own, from which nothing leaves this machine, and its proxy gets all of its TCP${families}${why}`,
  };
}
