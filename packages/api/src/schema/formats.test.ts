import assert from "node:assert/strict";
import { test } from "node:test";
import * as formats from "./formats.ts";
import { addressOrRange, loopbackAddress } from "./ip-address.ts";
import type { TextFormat } from "./text-format.ts";

const cases: readonly { format: TextFormat; right: readonly string[]; wrong: readonly string[] }[] = [
  {
    format: formats.duration,
    right: ["1ms", "1.5s", "1h2m3s", "0.001s"],
    wrong: ["5", "0s", "0.5ms", "-1s", "1 s", "1d", "s", ""],
  },
  {
    format: formats.regex,
    right: ["a.*b", "(?i)x", "[[:alpha:]]+", "\\d+", "(?P<n>x)"],
    wrong: ["(?=a)", "(a", "\\1", "a**", "[z-a]", "x{1001}", "(x{1000}){1000}", "a".repeat(5000)],
  },
  {
    format: formats.dnsLabel,
    right: ["a", "a-b", "0", "a".repeat(63)],
    wrong: ["A", "-a", "a-", "a.b", "a_b", "a".repeat(64)],
  },
  {
    format: formats.resourceName,
    right: ["a", "a.b-c", "a".repeat(63)],
    wrong: ["a..b", ".a", "A", Array(64).fill("abcd").join(".")],
  },
  {
    format: formats.hostName,
    right: ["reviews", "a.b.svc.cluster.local", "A_b", "10.0.0.1"],
    wrong: ["*", "*.a", "a..b", "a b", "http://a", "a:80", "a/b"],
  },
  {
    format: formats.wildcardHost,
    right: ["reviews", "*.a", "*.default.svc.cluster.local"],
    wrong: ["*", "a.*", "*a.b", "*.*.a", "*."],
  },
  {
    format: formats.labelKey,
    right: ["app", "example.com/app", "A_b.c", "__proto__".slice(2, 7)],
    wrong: ["", "a b", "/a", "a/", "a/b/c", "*", "__proto__", "-a"],
  },
  { format: formats.labelValue, right: ["", "v1", "A.b_c-d"], wrong: ["*", "v1*", "a b", "-a", "a".repeat(64)] },
  {
    format: formats.headerName,
    right: ["x-a", "X_A", "!#$%&'*+-.^_`|~", "__proto__"],
    wrong: ["", "a b", "a:", ":path", "é", "a\r\n"],
  },
  { format: formats.headerValue, right: ["", "a b\tc", "é", "日"], wrong: ["a\r\nb", "\u0000", "\u007f", "\ud800"] },
  { format: formats.portText, right: ["0", "80", "65535"], wrong: ["65536", "-1", "080", "8 0", "http", "", "1e3"] },
  { format: formats.portKey, right: ["1", "65535"], wrong: ["0", "65536", "01"] },
  { format: formats.urlPath, right: ["/", "/a?b=c", "/%20"], wrong: ["", "a", "/a b", "/é", "/a\n"] },
  { format: formats.base64, right: ["", "YQ==", "YWI=", "YWJj"], wrong: ["YQ", "Y===", "a b", "YQ==x"] },
  {
    format: formats.timestamp,
    right: ["2026-08-22T09:30:00Z", "2026-08-22T09:30:00.123+02:00"],
    wrong: ["2026-08-22", "yesterday", "2026-13-22T09:30:00Z"],
  },
  {
    format: addressOrRange,
    right: [
      "10.1.2.3",
      "0.0.0.0/0",
      "10.0.0.0/32",
      "::",
      "::1",
      "fd00::/8",
      "1:2:3:4:5:6:7:8",
      "::ffff:10.0.0.1",
      "1::8",
      "2001:db8::1/128",
      "1:2:3:4:5:6:7::",
    ],
    wrong: [
      "10.1.2",
      "10.1.2.256",
      "010.1.2.3",
      "10.1.2.3/33",
      "10.1.2.3/",
      "10.1.2.3/08",
      "1:2:3:4:5:6:7",
      "1::2::3",
      ":1",
      "1:",
      "::g",
      "fd00::/129",
      "1:2:3:4:5:6:7:8::",
      "10.0.0.1::",
      "localhost",
      "*",
    ],
  },
  {
    format: loopbackAddress,
    right: ["127.0.0.1", "127.1.2.3", "::1"],
    wrong: ["0.0.0.0", "10.0.0.1", "127.0.0", "localhost", "::"],
  },
];

for (const { format, right, wrong } of cases) {
  test(`${format.name}: right values pass, wrong ones do not`, () => {
    for (const value of right) assert.equal(format.problem(value), undefined, JSON.stringify(value));
    for (const value of wrong) assert.notEqual(format.problem(value), undefined, JSON.stringify(value));
  });

  test(`${format.name}: the pattern for editors accepts what the format accepts`, () => {
    if (format.pattern === undefined) return;
    for (const value of right) assert.match(value, new RegExp(format.pattern, "u"));
  });
}
