import assert from "node:assert/strict";
import { test } from "node:test";
import { parseFile } from "../../parse-file.ts";
import { documentOf } from "../../testing/resources.ts";

const to = "route: [{ destination: { host: a } }]";

/** Messages about routes that can never match, of a VirtualService with these matches in this order. */
function unreachable(...matches: readonly string[]): string[] {
  const routes = matches.map((match) => `- match: ${match}\n  ${to}`).join("\n");
  const { findings } = parseFile(documentOf("VirtualService", `hosts: [a]\nhttp:\n${routes}`), "a.yaml");
  assert.deepEqual(
    findings.filter(({ severity }) => severity === "error"),
    [],
  );
  return findings.filter(({ code }) => code === "HDL0030").map(({ message }) => message);
}

const pairs: readonly [above: string, below: string, isReached: boolean][] = [
  ["[{ uri: { prefix: /a } }]", "[{ uri: { prefix: /ab } }]", false],
  ["[{ uri: { prefix: /a } }]", "[{ uri: { exact: /a/b } }]", false],
  ["[{ uri: { prefix: /a } }]", "[{ uri: { prefix: / } }]", true],
  ["[{ uri: { exact: /a } }]", "[{ uri: { exact: /a } }]", false],
  ["[{ uri: { exact: /a } }]", "[{ uri: { prefix: /a } }]", true],
  ["[{ uri: { regex: /a+ } }]", "[{ uri: { exact: /aaa } }]", false],
  ["[{ uri: { regex: /a+ } }]", "[{ uri: { exact: /b } }]", true],
  ["[{ uri: { regex: /a+ } }]", "[{ uri: { regex: /a+ } }]", false],
  ["[{ uri: { regex: /a* } }]", "[{ uri: { regex: /a+ } }]", true],
  ['[{ uri: { regex: ".*" } }]', "[{ uri: { prefix: /a } }]", false],
  ["[{ uri: { prefix: /A }, ignoreUriCase: true }]", "[{ uri: { prefix: /ab } }]", false],
  ["[{ uri: { prefix: /a } }]", "[{ uri: { prefix: /ab }, ignoreUriCase: true }]", true],
  ["[{ uri: { prefix: /1 } }]", "[{ uri: { prefix: /1a }, ignoreUriCase: true }]", false],
  ["[{ headers: { x: {} } }]", "[{ headers: { x: { exact: a }, y: {} } }]", false],
  ["[{ headers: { x: { exact: a } } }]", "[{ headers: { x: {} } }]", true],
  ["[{ headers: { x: {} } }]", "[{ uri: { prefix: /a } }]", true],
  ["[{ withoutHeaders: { x: { exact: a } } }]", "[{ withoutHeaders: { x: {} } }]", false],
  ["[{ withoutHeaders: { x: {} } }]", "[{ withoutHeaders: { x: { exact: a } } }]", true],
  ["[{ withoutHeaders: { x: {} } }]", "[{ headers: { y: {} } }]", true],
  ["[{ queryParams: { q: { prefix: a } } }]", "[{ queryParams: { q: { exact: ab } } }]", false],
  ["[{ queryParams: { q: { exact: ab } } }]", "[{ queryParams: { Q: { exact: ab } } }]", true],
  ["[{ method: { exact: GET } }]", "[{ method: { exact: GET }, port: 80 }]", false],
  ["[{ method: { exact: GET }, port: 80 }]", "[{ method: { exact: GET } }]", true],
  ["[{ port: 80 }]", "[{ uri: { exact: /a }, port: 80 }]", false],
  ["[{ port: 80 }]", "[{ uri: { exact: /a }, port: 81 }]", true],
  ["[{ gateways: [mesh], sourceNamespace: shop }]", "[{ sourceNamespace: other }]", false],
  ["[{ sourceNamespace: shop }]", "[{ gateways: [mesh], sourceNamespace: shop }]", true],
  ["[{ authority: { exact: a } }]", "[{ authority: { exact: a }, uri: { exact: / } }]", false],
  ['[{ authority: { regex: "a|b" } }]', "[{ authority: { exact: a } }]", true],
  ["[{ sourceLabels: { app: web } }]", "[{ sourceLabels: { app: web, v: a } }]", false],
  ["[{ sourceLabels: { app: web, v: a } }]", "[{ sourceLabels: { app: web } }]", true],
  ["[{ sourceNamespace: shop }]", "[{ sourceNamespace: shop, port: 80 }]", false],
  ["[{ sourceNamespace: shop }]", "[{ sourceNamespace: other }]", true],
  ["[{ uri: { prefix: /a } }, { uri: { prefix: /b } }]", "[{ uri: { exact: /b } }, { uri: { exact: /a } }]", false],
  ["[{ uri: { prefix: /a } }]", "[{ uri: { exact: /a } }, { uri: { exact: /b } }]", true],
];

for (const [above, below, isReached] of pairs) {
  test(`4.4: below ${above} the match ${below} ${isReached ? "can be reached" : "is never reached"}`, () => {
    assert.equal(unreachable(above, below).length, isReached ? 0 : 1);
  });
}

test("each route that is never reached is named with those above it, up to the first that matches everything", () => {
  assert.deepEqual(
    unreachable(
      "[{ uri: { prefix: /a } }]",
      "[{ uri: { prefix: /b } }]",
      "[{ uri: { exact: /a } }]",
      "[{ uri: { exact: /a } }, { uri: { exact: /b } }]",
      "[{ uri: { prefix: / } }]",
      "[{ uri: { exact: /c } }]",
      "[{ uri: { exact: /d } }]",
    ),
    [
      "spec.http[2] can never match: spec.http[0] matches every request that it does.",
      "spec.http[3] can never match: spec.http[0] and spec.http[1] match every request that it does.",
      "spec.http[5] can never match: spec.http[4] matches every request.",
    ],
  );
});
