import assert from "node:assert/strict";
import { test } from "node:test";
import { isLogged, logLevels, parseLogLevel, silentLogger } from "./logger.ts";

test("a line is written at its level and at every more talkative one", () => {
  const written = logLevels.map((threshold) => logLevels.filter((level) => isLogged(level, threshold)).join(" "));
  assert.deepEqual(written, ["debug info warn error", "info warn error", "warn error", "error", ""]);
});

test("levels are read as Envoy's users write them, too", () => {
  const read = ["INFO", "warning", "critical", "trace", "off", "loud", ""].map(parseLogLevel);
  assert.deepEqual(read, ["info", "warn", "error", "debug", "off", undefined, undefined]);
});

test("children of the silent logger are silent", () => {
  assert.equal(silentLogger.child({ a: 1 }).level, "off");
});
