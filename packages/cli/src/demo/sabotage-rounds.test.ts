import assert from "node:assert/strict";
import { test } from "node:test";
import { sabotageRounds } from "../testing/sabotage-round.ts";
import { checksOf } from "./check-names.ts";

test("for each two checks there is a round that sabotages the first and not the second", () => {
  for (const first of checksOf("ports")) {
    for (const second of checksOf("ports")) {
      if (first === second) continue;
      assert.ok(
        sabotageRounds.some((round) => round.includes(first) && !round.includes(second)),
        `${first} is never sabotaged without ${second}`,
      );
    }
  }
});
