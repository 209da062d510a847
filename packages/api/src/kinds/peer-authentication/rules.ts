import { describePath } from "../../schema/check.ts";
import type { Check } from "../../schema/check.ts";
import type * as spec from "./spec.ts";

/** Ports belong to workloads: a policy for a namespace or the mesh cannot name them (istio.md 4.3). */
export const portLevelNeedsSelector: Check<spec.PeerAuthenticationSpec> = (policy, context) => {
  if (policy.portLevelMtls === undefined) return;
  if (Object.keys(policy.selector?.matchLabels ?? {}).length > 0) return;
  const message = `${describePath([...context.path, "portLevelMtls"])} needs a selector with at least one label.`;
  context.report("HDL0022", ["portLevelMtls"], message, "Add selector.matchLabels, or set mtls.mode for all ports.");
};
