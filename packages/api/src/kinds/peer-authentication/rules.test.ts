import assert from "node:assert/strict";
import { test } from "node:test";
import { documentOf, resourceOf, specFindings } from "../../testing/resources.ts";

const cases: readonly [string, string, readonly string[]][] = [
  [
    "every mode passes",
    "selector: { matchLabels: { app: a } }\nmtls: { mode: STRICT }\nportLevelMtls: { 80: { mode: DISABLE }, '81': { mode: UNSET }, 82: { mode: PERMISSIVE } }",
    [],
  ],
  ["a mode in small letters is refused", "mtls: { mode: strict }", ["HDL0015:1"]],
  [
    "4.3: portLevelMtls needs a selector",
    "mtls: { mode: STRICT }\nportLevelMtls: { 80: { mode: DISABLE } }",
    ["HDL0022:2"],
  ],
  [
    "4.3: portLevelMtls needs a selector with labels",
    "selector: { matchLabels: {} }\nportLevelMtls: { 80: { mode: DISABLE } }",
    ["HDL0022:2"],
  ],
  [
    "port 0 is refused",
    "selector: { matchLabels: { app: a } }\nportLevelMtls: { 0: { mode: DISABLE } }",
    ["HDL0017:2"],
  ],
  [
    "port 65536 is refused",
    "selector: { matchLabels: { app: a } }\nportLevelMtls: { 65536: { mode: DISABLE } }",
    ["HDL0017:2"],
  ],
  ["an empty portLevelMtls is refused", "selector: { matchLabels: { app: a } }\nportLevelMtls: {}", ["HDL0014:2"]],
  ["a wildcard in a label's value is refused", 'selector: { matchLabels: { app: "a*" } }', ["HDL0017:1"]],
  ["a wildcard in a label's name is refused", 'selector: { matchLabels: { "a*": b } }', ["HDL0017:1"]],
  ["an empty label name is refused", 'selector: { matchLabels: { "": b } }', ["HDL0017:1"]],
  ["a label value of 64 characters is refused", `selector: { matchLabels: { app: ${"a".repeat(64)} } }`, ["HDL0014:1"]],
  ["unknown fields are never tolerated", "mtls: { mode: STRICT, minimum: 1 }", ["HDL0010:1"]],
  [
    "an empty selector block is refused, since it would select everything",
    "selector:\nmtls: { mode: STRICT }",
    ["HDL0011:1"],
  ],
];

for (const [title, spec, expected] of cases) {
  test(title, () => {
    assert.deepEqual(specFindings("PeerAuthentication", spec), expected);
  });
}

test("ports are keys of text, quoted or not", () => {
  const text = documentOf(
    "PeerAuthentication",
    "selector: { matchLabels: { app: a } }\nportLevelMtls: { 80: { mode: DISABLE } }",
  );
  assert.deepEqual(resourceOf("PeerAuthentication", text).spec.portLevelMtls, { "80": { mode: "DISABLE" } });
});
