import assert from "node:assert/strict";
import { test } from "node:test";
import { capabilities } from "@heddle/engine/load";
import { audienceFromKey, audienceOf, everyCapability } from "./audience.ts";

test("Envoy understands no message of ours, whatever it says", () => {
  assert.equal(audienceOf({ dialect: "envoy", capabilities: everyCapability }).understands.size, 0);
});

test("A Heddle proxy that names nothing understands what the first release had", () => {
  assert.deepEqual(
    [...audienceOf({ dialect: "heddle" }).understands],
    ["IdempotentRequest", "PeerMetadata", "StandardMetrics", "TunnelOptions", "TunnelServer"],
  );
});

test("A Heddle proxy that names messages and fields is sent those alone", () => {
  const audience = audienceOf({ dialect: "heddle", capabilities: ["heddle.v1.StandardMetrics", "heddle.v1.Unknown"] });
  assert.deepEqual([...audience.understands], ["StandardMetrics"]);
});

test("This release's proxy names all that this release's compiler may send, so that it is sent all", () => {
  assert.deepEqual(
    everyCapability.filter((name) => !capabilities.includes(name)),
    [],
  );
});

test("An audience survives being a key", () => {
  for (const node of [
    { dialect: "envoy" },
    { dialect: "heddle" },
    { dialect: "heddle", capabilities: ["heddle.v1.X"] },
    { dialect: "heddle", capabilities: everyCapability },
  ] as const) {
    const audience = audienceOf(node);
    assert.deepEqual(
      { ...audienceFromKey(audience.key), understands: [...audienceFromKey(audience.key).understands] },
      {
        ...audience,
        understands: [...audience.understands],
      },
    );
  }
});
