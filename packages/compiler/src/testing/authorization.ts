import { TestMesh } from "./test-mesh.ts";
import { type Call, type Result, Traffic } from "./traffic.ts";

export interface PolicyFields {
  name?: string;
  namespace?: string;
  action?: "ALLOW" | "DENY";
  labels?: string;
  /** Value of the annotation; undefined: none. */
  dryRun?: string;
}

/** A policy whose rules are given as a YAML flow list. */
export function policy(
  rules: string | undefined,
  { name = "p", namespace = "default", action = "ALLOW", labels, dryRun }: PolicyFields = {},
) {
  return `---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata:
  name: ${name}
  namespace: ${namespace}
  ${dryRun === undefined ? "" : `annotations: { istio.io/dry-run: "${dryRun}" }`}
spec:
  ${labels === undefined ? "" : `selector: { matchLabels: { ${labels} } }`}
  action: ${action}
  ${rules === undefined ? "" : `rules: ${rules}`}
`;
}

export const deny = { action: "DENY" as const };

export function call(resources: string, fields: Partial<Call> = {}): Result {
  return new Traffic(new TestMesh(resources)).call({ from: "web-0", to: "reviews.default", ...fields });
}

/** Whether a call is let in under a policy that allows what the rule matches. */
export function allows(rule: string, fields: Partial<Call> = {}): boolean {
  return call(policy(`[${rule}]`), fields).status === 200;
}
