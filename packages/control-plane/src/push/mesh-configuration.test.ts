import assert from "node:assert/strict";
import { test } from "node:test";
import { parseFile } from "@heddle/api";
import { settingsOf } from "./mesh-configuration.ts";

const mesh = (name: string, rootNamespace: string) =>
  parseFile(
    `apiVersion: heddle.dev/v1alpha1
kind: LocalMesh
metadata: { name: ${name} }
spec:
  rootNamespace: ${rootNamespace}
  workloads: [{ name: api, service: api, command: [a], port: 80 }]
`,
    `${name}.yaml`,
  );
const [ours, another, third] = [mesh("ours", "roots"), mesh("another", "elsewhere"), mesh("third", "nowhere")];

const cases: readonly [string, Parameters<typeof settingsOf>, string][] = [
  ["nothing says otherwise: the defaults", [[], []], "istio-system"],
  ["the only LocalMesh counts", [[ours], []], "roots"],
  ["a changed one counts", [[mesh("ours", "trunks")], ours.resources], "trunks"],
  ["one that is gone or broken counts as it was accepted", [[], ours.resources], "roots"],
  ["a second one changes nothing, for it is not accepted", [[another, ours], ours.resources], "roots"],
  ["two that are both new change nothing", [[another, third], ours.resources], "roots"],
];

for (const [title, input, rootNamespace] of cases) {
  test(`settings: ${title}`, () => {
    assert.equal(settingsOf(...input).rootNamespace, rootNamespace);
  });
}
