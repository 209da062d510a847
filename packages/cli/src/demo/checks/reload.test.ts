import assert from "node:assert/strict";
import { test } from "node:test";
import type { Outcome } from "../edge-client.ts";
import { firstSignMs } from "./reload.ts";

test("a change is first seen when the request was sent that shows it, as its limit is counted", () => {
  const outcomes = Array.from({ length: 60 }, (_, index): Outcome => {
    const startedMs = 1000 + index * 10;
    const version = index >= 30 && index % 2 === 0 ? "v2" : "v1";
    return {
      method: "GET",
      path: "/api/reviews/1",
      startedMs,
      // It took its time.
      endedMs: startedMs + 500,
      status: 200,
      body: JSON.stringify({ version }),
      error: "",
    };
  });
  assert.equal(firstSignMs(outcomes, 1000), 300);
});
