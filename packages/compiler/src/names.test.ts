import assert from "node:assert/strict";
import { test } from "node:test";
import {
  inboundClusterName,
  mutualTlsServerName,
  outboundClusterName,
  parsePolicyName,
  policyRuleName,
  unreadablePolicyName,
} from "./names.ts";

test("Clusters and server names are written as Istio writes them", () => {
  const host = "reviews.default.svc.cluster.local";
  assert.equal(outboundClusterName(host, 9080, "v1"), "outbound|9080|v1|reviews.default.svc.cluster.local");
  assert.equal(outboundClusterName(host, 9080, ""), "outbound|9080||reviews.default.svc.cluster.local");
  assert.equal(inboundClusterName(9080), "inbound|9080||");
  assert.equal(mutualTlsServerName(host, 9080, "v1"), "outbound_.9080_.v1_.reviews.default.svc.cluster.local");
});

test("A policy's name leads back to its resource and rule", () => {
  assert.deepEqual(parsePolicyName(policyRuleName("default", "books", 2)), {
    kind: "AuthorizationPolicy",
    namespace: "default",
    name: "books",
    rule: 2,
  });
  assert.deepEqual(parsePolicyName(unreadablePolicyName("PeerAuthentication", "a", "b")), {
    kind: "PeerAuthentication",
    namespace: "a",
    name: "b",
    rule: undefined,
  });
  assert.deepEqual(parsePolicyName(unreadablePolicyName("AuthorizationPolicy", "a", "b")), {
    kind: "AuthorizationPolicy",
    namespace: "a",
    name: "b",
    rule: undefined,
  });
});

test("A policy name that somebody else chose leads nowhere", () => {
  for (const name of ["", "none", "istio-ext-authz-ns[a]-policy[b]-rule[0]", "ns[a]-policy[b]-rule[x]"]) {
    assert.equal(parsePolicyName(name), undefined);
  }
});
