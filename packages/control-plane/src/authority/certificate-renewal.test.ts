import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { test } from "node:test";
import { Secret } from "@heddle/core";
import { RecordingLogger } from "../testing/recording-logger.ts";
import type { ServerCredentials } from "./certificate-authority.ts";
import { keepRenewed } from "./certificate-renewal.ts";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

function credentials(serial: string, notBeforeMs: number): ServerCredentials {
  const notAfterMs = notBeforeMs + 24 * hourMs;
  return { keyPem: new Secret("key"), certificate: { chainPem: [], identity: "", serial, notBeforeMs, notAfterMs } };
}

function start(t: TestContext): {
  /** Serials that came into force. */
  renewed: string[];
  logger: RecordingLogger;
  isFailing: (value: boolean) => void;
  pass: (minutes: number) => Promise<void>;
  /** Wall-clock time that no timer sees. */
  sleep: (ms: number) => void;
  close: () => void;
} {
  t.mock.timers.enable({ apis: ["setInterval"] });
  let nowMs = 0;
  let fails = false;
  let count = 0;
  const renewed: string[] = [];
  const logger = new RecordingLogger();
  const { close } = keepRenewed({
    first: credentials("first", 0),
    issue: () => {
      count += 1;
      return fails ? Promise.reject(new Error("no entropy")) : Promise.resolve(credentials(String(count), nowMs));
    },
    onRenewed: ({ certificate }) => renewed.push(certificate.serial),
    clock: { wallMs: () => nowMs, monotonicMs: () => nowMs },
    logger,
  });
  t.after(close);
  return {
    renewed,
    logger,
    close,
    isFailing: (value) => {
      fails = value;
    },
    sleep: (ms) => {
      nowMs += ms;
    },
    pass: async (minutes) => {
      for (let passed = 0; passed < minutes; passed++) {
        nowMs += minuteMs;
        t.mock.timers.tick(minuteMs);
        // What the timer began has come to its end once the queue of microtasks is empty.
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
  };
}

test("the own certificate is renewed at half of its life, again and again", async (t) => {
  const { renewed, pass } = start(t);
  await pass(12 * 60 - 1);
  assert.deepEqual(renewed, []);
  await pass(1);
  assert.deepEqual(renewed, ["1"]);
  await pass(24 * 60);
  assert.deepEqual(renewed, ["1", "2", "3"]);
});

test("a renewal that fails is said and tried again a minute later", async (t) => {
  const { renewed, logger, pass, isFailing } = start(t);
  isFailing(true);
  await pass(12 * 60 + 1);
  assert.equal(logger.lines.filter(({ level }) => level === "error").length, 2);
  assert.match(logger.text, /could not be renewed.*no entropy/);
  isFailing(false);
  await pass(1);
  assert.deepEqual(renewed, ["3"]);
});

test("a machine that slept over it renews within a minute of its waking", async (t) => {
  const { renewed, pass, sleep } = start(t);
  sleep(30 * hourMs);
  await pass(1);
  assert.deepEqual(renewed, ["1"]);
});

test("after the close nothing is renewed", async (t) => {
  const { renewed, pass, close } = start(t);
  close();
  await pass(24 * 60);
  assert.deepEqual(renewed, []);
});
