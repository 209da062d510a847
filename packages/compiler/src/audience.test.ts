import assert from "node:assert/strict";
import { test } from "node:test";
import { audienceFromKey, audienceOf } from "./audience.ts";

test("Envoy understands no message of ours, whatever it says", () => {
  assert.equal(audienceOf({ dialect: "envoy", capabilities: ["heddle.v1.StandardMetrics"] }).messages.size, 0);
});

test("A Heddle proxy that names nothing understands the messages of the first release", () => {
  assert.deepEqual(
    [...audienceOf({ dialect: "heddle" }).messages],
    ["IdempotentRequest", "PeerMetadata", "StandardMetrics", "TunnelOptions", "TunnelServer"],
  );
});

test("A Heddle proxy that names messages is sent those alone", () => {
  const audience = audienceOf({ dialect: "heddle", capabilities: ["heddle.v1.StandardMetrics", "heddle.v1.Unknown"] });
  assert.deepEqual([...audience.messages], ["StandardMetrics"]);
});

test("An audience survives being a key", () => {
  for (const node of [
    { dialect: "envoy" },
    { dialect: "heddle" },
    { dialect: "heddle", capabilities: ["heddle.v1.X"] },
  ] as const) {
    const audience = audienceOf(node);
    assert.deepEqual(
      { ...audienceFromKey(audience.key), messages: [...audienceFromKey(audience.key).messages] },
      {
        ...audience,
        messages: [...audience.messages],
      },
    );
  }
});
