import type { MeshMode } from "@heddle/api";

/** What `heddle demo --check` checks, in the order in which it does. */
export const checkNames = [
  "mtls",
  "split",
  "forbidden",
  "reload",
  "invalid-edit",
  "control-plane-loss",
  "control-plane-back",
  "replica-loss",
  "renewal",
  "interception",
] as const;

export type CheckName = (typeof checkNames)[number];

/** Those that a mode can be asked: only namespaces redirect what a program sends. */
export function checksOf(mode: MeshMode): readonly CheckName[] {
  return mode === "namespaces" ? checkNames : checkNames.filter((name) => name !== "interception");
}
