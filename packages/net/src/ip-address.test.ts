import assert from "node:assert/strict";
import { test } from "node:test";
import { canonicalHost, formatAddress, parseAddress } from "./ip-address.ts";

test("an address has one spelling whatever the kernel or a config calls it", () => {
  const table: [string, string][] = [
    ["127.0.0.1", "127.0.0.1"],
    ["::ffff:127.0.0.1", "127.0.0.1"],
    ["::FFFF:7f00:1", "127.0.0.1"],
    ["0:0:0:0:0:ffff:10.1.2.3", "10.1.2.3"],
    ["::1", "::1"],
    ["::", "::"],
    ["0:0:0:0:0:0:0:1", "::1"],
    ["2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["fe80::1%eth0", "fe80::1"],
    ["1::", "1::"],
    ["::fffe:1.2.3.4", "::fffe:102:304"],
    ["reviews.default", "reviews.default"],
    ["not:an:address", "not:an:address"],
  ];
  for (const [host, expected] of table) assert.equal(canonicalHost(host), expected, host);
});

test("addresses are printed as Envoy prints them and read back", () => {
  assert.equal(formatAddress("10.0.0.1", 80), "10.0.0.1:80");
  assert.equal(formatAddress("::1", 80), "[::1]:80");
  assert.deepEqual(parseAddress("127.0.0.1:41000"), { host: "127.0.0.1", port: 41_000 });
  assert.deepEqual(parseAddress("[::1]:0"), { host: "::1", port: 0 });
  for (const wrong of [
    "127.0.0.1",
    "::1:80",
    "localhost:80",
    "127.0.0.1:65536",
    "127.0.0.1:-1",
    "[127.0.0.1]:80",
    "",
  ]) {
    assert.equal(parseAddress(wrong), undefined, wrong);
  }
});
