import { compareAge, hasLabels, type Metadata, type MutualTls, type PeerAuthenticationSpec } from "@heddle/api";
import { originOf, type Origin } from "../provenance.ts";

export type TransportMode = "STRICT" | "PERMISSIVE" | "DISABLE";

export interface PeerAuthenticationRule {
  readonly metadata: Metadata;
  readonly spec: PeerAuthenticationSpec;
}

/** The mode in force on a port and the resource that set it; undefined: nobody did, and it is the default. */
export interface EffectiveMode {
  readonly mode: TransportMode;
  readonly provenance: { readonly origin: Origin; readonly rule: string } | undefined;
}

/**
 * Where Heddle starts the workloads, plaintext is refused unless somebody allows it (design, promise 1); Istio's own default is
 * PERMISSIVE (docs/reference/differences.md).
 */
const defaultMode: EffectiveMode = { mode: "STRICT", provenance: undefined };

/**
 * Root namespace without selector, then namespace, then workload, then the workload policy's entry for the port; UNSET inherits from
 * the level above. At each level the oldest counts; a selector in the root namespace selects nothing (istio.md 4.3).
 *
 * @param rules of the workload's namespace and of the root namespace, in any order
 * @param port the workload's own port
 */
export function effectiveMode(
  rules: readonly PeerAuthenticationRule[],
  workload: { readonly namespace: string; readonly labels: Readonly<Record<string, string>> },
  port: number,
  rootNamespace: string,
): EffectiveMode {
  let mesh: PeerAuthenticationRule | undefined;
  let namespace: PeerAuthenticationRule | undefined;
  let own: PeerAuthenticationRule | undefined;
  for (const rule of [...rules].sort(compareAge)) {
    const labels = rule.spec.selector?.matchLabels ?? {};
    const isRoot = rule.metadata.namespace === rootNamespace;
    if (Object.keys(labels).length === 0) {
      if (isRoot) mesh ??= rule;
      else if (rule.metadata.namespace === workload.namespace) namespace ??= rule;
    } else if (!isRoot && rule.metadata.namespace === workload.namespace) {
      if (hasLabels(workload.labels, labels)) own ??= rule;
    }
  }
  const byNamespace = inherit(
    namespace,
    namespace?.spec.mtls,
    "mtls",
    inherit(mesh, mesh?.spec.mtls, "mtls", defaultMode),
  );
  const byWorkload = inherit(own, own?.spec.mtls, "mtls", byNamespace);
  return inherit(own, own?.spec.portLevelMtls?.[String(port)], `portLevelMtls.${port}`, byWorkload);
}

function inherit(
  rule: PeerAuthenticationRule | undefined,
  mtls: MutualTls | undefined,
  path: string,
  above: EffectiveMode,
): EffectiveMode {
  const mode = mtls?.mode ?? "UNSET";
  if (rule === undefined || mode === "UNSET") return above;
  return { mode, provenance: { origin: originOf("PeerAuthentication", rule.metadata), rule: path } };
}
