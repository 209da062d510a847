import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { untilNothingMissing } from "./readiness.ts";

const running = (): boolean => false;

test("all that is missing is named when the time is over, also when it ends within a look", async () => {
  const limitMs = 20;
  async function* look(): AsyncGenerator<string> {
    try {
      yield* ["web-0", "books-0/proxy"];
    } finally {
      await delay(limitMs);
    }
  }
  const readiness = await untilNothingMissing(limitMs, look, running);
  assert.deepEqual(readiness, { ready: false, missing: ["web-0", "books-0/proxy"] });
});

test("until then a look ends with the first that is missing", async () => {
  const asked: string[] = [];
  const missing = new Set(["web-0", "books-0"]);
  async function* look(): AsyncGenerator<string> {
    for (const name of missing) {
      asked.push(name);
      missing.delete(name);
      yield name;
    }
    asked.push("nothing");
  }
  assert.deepEqual(await untilNothingMissing(60_000, look, running), { ready: true });
  assert.deepEqual(asked, ["web-0", "books-0", "nothing"]);
});

test("a mesh that is being stopped is not waited for", async () => {
  async function* look(): AsyncGenerator<string> {
    yield* ["web-0", "books-0"];
  }
  const readiness = await untilNothingMissing(60_000, look, () => true);
  assert.deepEqual(readiness, { ready: false, missing: ["web-0"] });
});
