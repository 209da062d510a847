import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { duplicateDomains, portStart, VirtualHostIndex, withoutPort } from "./virtual-host-index.ts";

function indexOf(...domains: string[]): VirtualHostIndex<string> {
  return new VirtualHostIndex(domains.map((domain) => ({ domains: [domain], host: domain })));
}

test("exact domains win over suffixes, suffixes over prefixes, and longer over shorter ones", () => {
  const index = indexOf("*", "www.Foo.com", "*.foo.com", "*-bar.foo.com", "foo.*", "foo.com.*", "*.com");
  for (const [authority, expected] of [
    ["www.foo.com", "www.Foo.com"],
    ["WWW.FOO.COM", "www.Foo.com"],
    ["api.foo.com", "*.foo.com"],
    ["x-bar.foo.com", "*-bar.foo.com"],
    ["other.com", "*.com"],
    ["foo.org", "foo.*"],
    ["foo.com.au", "foo.com.*"],
    ["foo.com", "*.com"],
    ["elsewhere", "*"],
    ["", "*"],
    // A wildcard stands for at least one character.
    ["-bar.foo.com", "*.foo.com"],
    [".foo.com", "*.com"],
  ] as const) {
    assert.equal(index.find(authority, false), expected, authority);
  }
  assert.equal(indexOf("a.example").find("b.example", false), undefined);
});

test("the port is part of the name unless it is to be ignored", () => {
  const index = indexOf("a.example", "a.example:8080", "*");
  assert.equal(index.find("a.example:8080", false), "a.example:8080");
  assert.equal(index.find("a.example:9090", false), "*");
  assert.equal(index.find("a.example:9090", true), "a.example");
});

test("a port is digits behind the last colon, outside brackets", () => {
  for (const [authority, host] of [
    ["a:80", "a"],
    ["a", "a"],
    ["a:", "a:"],
    ["a:x", "a:x"],
    ["[::1]:80", "[::1]"],
    ["[::1]", "[::1]"],
    ["::1", "::1"],
    ["", ""],
  ] as const) {
    assert.equal(withoutPort(authority), host);
    assert.equal(portStart(authority) === -1, host === authority);
  }
});

test("domains that are listed twice are named", () => {
  assert.deepEqual(duplicateDomains([{ domains: ["a", "B"] }, { domains: ["b", "c"] }, { domains: ["*"] }]), ["b"]);
});

/** The search as the rule reads, one domain after the other. */
function naive(domains: readonly string[], authority: string): string | undefined {
  const name = authority.toLowerCase();
  const all = domains.map((domain) => ({ domain, lower: domain.toLowerCase() }));
  const exact = all.find(({ lower }) => lower === name && !lower.includes("*"));
  if (exact !== undefined) return exact.domain;
  const longest = (candidates: typeof all): string | undefined =>
    candidates.toSorted((a, b) => b.lower.length - a.lower.length)[0]?.domain;
  return (
    longest(
      all.filter(
        ({ lower }) =>
          lower.length > 1 && lower.startsWith("*") && name.length >= lower.length && name.endsWith(lower.slice(1)),
      ),
    ) ??
    longest(
      all.filter(
        ({ lower }) =>
          lower.length > 1 && lower.endsWith("*") && name.length >= lower.length && name.startsWith(lower.slice(0, -1)),
      ),
    ) ??
    all.find(({ lower }) => lower === "*")?.domain
  );
}

test("the index finds what the rule says", () => {
  const label = fc.constantFrom("a", "b", "A", "ab", ".", "-");
  const name = fc.array(label, { minLength: 1, maxLength: 5 }).map((parts) => parts.join(""));
  const domain = fc.oneof(
    name,
    name.map((text) => `*${text}`),
    name.map((text) => `${text}*`),
    fc.constant("*"),
  );
  fc.assert(
    fc.property(
      fc.uniqueArray(domain, { selector: (text) => text.toLowerCase(), maxLength: 8 }),
      fc.array(name, { maxLength: 6 }),
      (domains, authorities) => {
        const index = indexOf(...domains);
        for (const authority of authorities)
          assert.equal(index.find(authority, false), naive(domains, authority), `${authority} in ${domains.join(" ")}`);
      },
    ),
    { numRuns: 500 },
  );
});
