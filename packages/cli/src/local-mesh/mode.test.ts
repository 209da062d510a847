import assert from "node:assert/strict";
import { test } from "node:test";
import type { MeshMode } from "@heddle/api";
import { chooseMode, ModeProblem } from "./mode.ts";
import type { Capability } from "./namespaces/capability.ts";

const possible: Capability = { problem: undefined, hasIpv6: true };
const ipv4Only: Capability = { problem: undefined, hasIpv6: false };
const impossible: Capability = { problem: "it needs root", remedy: "Run as root" };

const cases: readonly { wanted: MeshMode | undefined; capability: Capability; mode: MeshMode; says: RegExp }[] = [
  { wanted: undefined, capability: possible, mode: "namespaces", says: /; chosen because this machine can/ },
  { wanted: undefined, capability: ipv4Only, mode: "namespaces", says: /IPv4 only since this machine has no IPv6/ },
  { wanted: undefined, capability: impossible, mode: "ports", says: /is not possible: it needs root$/ },
  { wanted: "ports", capability: impossible, mode: "ports", says: /could use the same ports$/ },
  { wanted: "namespaces", capability: possible, mode: "namespaces", says: /gets all of its TCP$/ },
];

for (const { wanted, capability, mode, says } of cases) {
  const machine = capability.problem ?? (capability.hasIpv6 ? "can do namespaces" : "can do them over IPv4");
  test(`mode ${wanted ?? "of no choice"} where the machine says "${machine}" is ${mode}`, async () => {
    const choice = await chooseMode(wanted, async () => capability);
    assert.equal(choice.mode, mode);
    assert.match(choice.notice, says);
  });
}

test("namespaces that are asked for and not possible are refused with the reason", async () => {
  await assert.rejects(
    chooseMode("namespaces", async () => impossible),
    (error) =>
      error instanceof ModeProblem &&
      error.message.endsWith("is not possible here: it needs root") &&
      error.remedy === "Run as root",
  );
});

test("for ports that are asked for nothing is tried out", async () => {
  await chooseMode("ports", () => assert.fail("the machine was asked"));
});
