import assert from "node:assert/strict";
import { test } from "node:test";
import { compareHostSpecificity, hostCovers, resolveHost, serviceHost } from "./hosts.ts";

test("4.4: only a name without a dot is short, and it lies in the resource's namespace", () => {
  const cases: readonly [string, string][] = [
    ["reviews", "reviews.shop.svc.cluster.local"],
    ["Reviews", "reviews.shop.svc.cluster.local"],
    ["reviews.default", "reviews.default"],
    ["reviews.default.svc.cluster.local", "reviews.default.svc.cluster.local"],
    ["*.example.org", "*.example.org"],
    ["*", "*"],
  ];
  for (const [host, expected] of cases) assert.equal(resolveHost(host, "shop"), expected);
  assert.equal(serviceHost("a", "b"), "a.b.svc.cluster.local");
});

test("a wildcard covers what ends like it, but not its own suffix alone", () => {
  const cases: readonly [string, string, boolean][] = [
    ["a.b", "a.b", true],
    ["a.b", "x.a.b", false],
    ["*", "a.b", true],
    ["*.b", "a.b", true],
    ["*.b", "x.a.b", true],
    ["*.b", "b", false],
    ["*.b", ".b", false],
    ["*.b", "ab", false],
  ];
  for (const [pattern, host, expected] of cases)
    assert.equal(hostCovers(pattern, host), expected, `${pattern} ${host}`);
});

test("4.5: exact hosts are most specific, then longer wildcards", () => {
  assert.deepEqual(["*", "*.b", "a.b", "*.a.b"].sort(compareHostSpecificity), ["a.b", "*.a.b", "*.b", "*"]);
});
