import assert from "node:assert/strict";
import { test } from "node:test";
import { formatSpiffeId, parseSpiffeId } from "./spiffe-id.ts";

test("a workload's SPIFFE ID gives trust domain, namespace and service account", () => {
  assert.deepEqual(parseSpiffeId("spiffe://cluster.local/ns/default/sa/reviews"), {
    trustDomain: "cluster.local",
    path: "/ns/default/sa/reviews",
    namespace: "default",
    serviceAccount: "reviews",
  });
  assert.equal(formatSpiffeId("cluster.local", "default", "reviews"), "spiffe://cluster.local/ns/default/sa/reviews");
});

test("a valid ID with another path has no namespace and no service account", () => {
  for (const path of ["", "/agent", "/ns/a/sa/b/c", "/ns/a/sb/b", "/x/a/sa/b"]) {
    const id = parseSpiffeId(`spiffe://td.example${path}`);
    assert.deepEqual(id, { trustDomain: "td.example", path, namespace: "", serviceAccount: "" }, path);
  }
});

test("the letters that the specification allows are accepted", () => {
  assert.equal(parseSpiffeId("spiffe://a_b-c.0/A.b_C-9/...")?.path, "/A.b_C-9/...");
  assert.notEqual(parseSpiffeId(`spiffe://${"a".repeat(255)}`), undefined);
  assert.notEqual(parseSpiffeId(`spiffe://td/${"a".repeat(2048 - "spiffe://td/".length)}`), undefined);
});

test("whatever breaks a rule of the specification is no SPIFFE ID", () => {
  const wrong = [
    "",
    "spiffe://",
    "spiffe:///ns/a/sa/b",
    "SPIFFE://td/ns/a/sa/b",
    "http://td/ns/a/sa/b",
    "spiffe:/td/a",
    "spiffe://TD/ns/a/sa/b",
    "spiffe://td:443/ns/a/sa/b",
    "spiffe://user@td/ns/a/sa/b",
    "spiffe://td/",
    "spiffe://td/ns/a/sa/b/",
    "spiffe://td//ns/a/sa/b",
    "spiffe://td/ns/../sa/b",
    "spiffe://td/ns/./sa/b",
    "spiffe://td/ns/a%2Fb/sa/b",
    "spiffe://td/ns/a/sa/b?x=1",
    "spiffe://td/ns/a/sa/b#x",
    "spiffe://td/ns/a b/sa/b",
    "spiffe://td/ns/ä/sa/b",
    "spiffe://td/ns/a\u0000/sa/b",
    "spiffe://td/ns/a/sa/b\n",
    " spiffe://td/ns/a/sa/b",
    `spiffe://${"a".repeat(256)}`,
    `spiffe://td/${"a".repeat(2049 - "spiffe://td/".length)}`,
  ];
  for (const uri of wrong) assert.equal(parseSpiffeId(uri), undefined, JSON.stringify(uri));
});
