import { compareAge, hasLabels, type Metadata, type MutualTls, type PeerAuthenticationSpec } from "@heddle/api";
import { originOf, type Origin } from "../provenance.ts";

export type TransportMode = "STRICT" | "PERMISSIVE" | "DISABLE";

export interface PeerAuthenticationRule {
  readonly metadata: Metadata;
  readonly spec: PeerAuthenticationSpec;
}

/** A mode in force and the resource that set it; undefined: nobody did, and it is the default. */
export interface EffectiveMode {
  readonly mode: TransportMode;
  readonly provenance: { readonly origin: Origin; readonly rule: string } | undefined;
}

/**
 * Where Heddle starts the workloads, plaintext is refused unless somebody allows it (design, promise 1); Istio's own default is
 * PERMISSIVE (docs/reference/differences.md).
 */
const defaultMode: EffectiveMode = { mode: "STRICT", provenance: undefined };

/** What holds on a workload's ports. */
export interface EffectiveModes {
  /** On every port that is not among `ports`. */
  readonly general: EffectiveMode;
  /** By port, where the workload's own policy says something about it. */
  readonly ports: Readonly<Record<string, EffectiveMode>>;
}

/**
 * Root namespace without selector, then namespace, then workload, then the workload policy's entry for the port; UNSET inherits from
 * the level above. At each level the oldest counts; a selector in the root namespace selects nothing (istio.md 4.3).
 *
 * @param rules of the workload's namespace and of the root namespace, in any order
 */
export function effectiveModes(
  rules: readonly PeerAuthenticationRule[],
  workload: { readonly namespace: string; readonly labels: Readonly<Record<string, string>> },
  rootNamespace: string,
): EffectiveModes {
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
  const general = inherit(own, own?.spec.mtls, "mtls", byNamespace);
  const ports: Record<string, EffectiveMode> = {};
  for (const [port, mtls] of Object.entries(own?.spec.portLevelMtls ?? {})) {
    const mode = inherit(own, mtls, `portLevelMtls.${port}`, general);
    if (mode !== general) ports[port] = mode;
  }
  return { general, ports };
}

/** @param port the workload's own port */
export function modeOnPort({ general, ports }: EffectiveModes, port: number): EffectiveMode {
  return ports[String(port)] ?? general;
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
