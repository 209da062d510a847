import { field, map, object, oneOf } from "../../schema/field-table.ts";
import { portKey } from "../../schema/formats.ts";
import { workloadSelector } from "../selector.ts";
import * as rules from "./rules.ts";
import type * as spec from "./spec.ts";

const mutualTls = object<spec.MutualTls>({
  fields: {
    mode: field(
      oneOf(["UNSET", "DISABLE", "PERMISSIVE", "STRICT"]),
      "STRICT takes mutual TLS only, PERMISSIVE plaintext too, DISABLE plaintext only; UNSET inherits.",
      {
        default: "UNSET",
      },
    ),
  },
});

export const peerAuthenticationFields = object<spec.PeerAuthenticationSpec>({
  fields: {
    selector: field(
      workloadSelector,
      "Workloads of the namespace that the policy is for; absent means all of them, or the mesh in the root namespace.",
    ),
    mtls: field(mutualTls, "Mode for all ports."),
    portLevelMtls: field(
      map(portKey, mutualTls, { minEntries: 1 }),
      "Modes for single ports of the workload; needs a selector with labels.",
    ),
  },
  checks: [rules.portLevelNeedsSelector],
});
