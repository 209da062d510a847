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
] as const;

export type CheckName = (typeof checkNames)[number];
