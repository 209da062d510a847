import assert from "node:assert/strict";
import { test } from "node:test";
import { alwaysMatches, compileRule, neverMatches } from "./rule.ts";

test("A condition on a key that nobody knows widens nothing: an ALLOW rule with it matches never, a DENY rule always", () => {
  const rule = { when: [{ key: "request.future", values: ["a"] }] };
  for (const isHttp of [true, false]) {
    const context = { isHttp, policyNamespace: "default", port: 9080 };
    const { permissions } = compileRule(rule, { ...context, action: "ALLOW" }) ?? {};
    assert.deepEqual(permissions, neverMatches.permissions);
    assert.deepEqual(compileRule(rule, { ...context, action: "DENY" })?.permissions, alwaysMatches.permissions);
  }
});
