import assert from "node:assert/strict";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { silentLogger } from "@heddle/core";
import { type TapEvent, readTapConfig } from "@heddle/telemetry";
import { Taps } from "./taps.ts";

test("a tap that is opened when the others have ended says so, too, and no worker is asked to watch", async () => {
  const watching = new Set<number>();
  const workers = {
    openTap: async ({ id }: { id: number }) => void watching.add(id),
    closeTap: (id: number) => void watching.delete(id),
  };
  const taps = new Taps(workers, silentLogger);
  const config = readTapConfig("").config!;
  const before = await taps.open(config);
  taps.end("hand-over");
  const after = await taps.open(config);
  for (const stream of [before, after]) {
    const event = JSON.parse(await text(stream!)) as TapEvent;
    assert.equal(event.event === "tap-end" && event.reason, "hand-over");
  }
  assert.equal(watching.size, 0);
});
