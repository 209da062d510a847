import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { test } from "node:test";
import { CertificateExpiry } from "./certificate-expiry.ts";

const hourMs = 3_600_000;

function start(t: TestContext): {
  expiry: CertificateExpiry;
  expired: string[];
  /** Lets timers and wall clock go on; `sleepMs` is time that only the wall clock sees. */
  pass: (ms: number, sleepMs?: number) => void;
} {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let nowMs = 0;
  const expired: string[] = [];
  const expiry = new CertificateExpiry({
    clock: { wallMs: () => nowMs, monotonicMs: () => nowMs },
    onExpired: (key, notAfterMs) => expired.push(`${key} ${notAfterMs}`),
  });
  t.after(() => expiry.close());
  const pass = (ms: number, sleepMs = 0): void => {
    nowMs += sleepMs;
    for (let passed = 0; passed < ms; passed += 1000) {
      nowMs += 1000;
      t.mock.timers.tick(1000);
    }
  };
  return { expiry, expired, pass };
}

test("a certificate counts through its last second and not longer", (t) => {
  const { expiry, expired, pass } = start(t);
  expiry.admit("web-0", hourMs);
  pass(hourMs);
  assert.deepEqual(expired, []);
  pass(1000);
  assert.deepEqual(expired, ["web-0 3600000"]);
});

test("what expired while the machine slept is found within a minute of its waking", (t) => {
  const { expiry, expired, pass } = start(t);
  expiry.admit("web-0", 10 * hourMs);
  pass(60_000, 20 * hourMs);
  assert.deepEqual(expired, ["web-0 36000000"]);
});

test("of two certificates under one name the one that ends first counts", (t) => {
  const { expiry, expired, pass } = start(t);
  expiry.admit("web-0", 2 * hourMs);
  expiry.admit("web-0", hourMs);
  expiry.admit("web-0", 3 * hourMs);
  pass(4 * hourMs);
  assert.deepEqual(expired, ["web-0 3600000"]);
});

test("what is forgotten never expires, and may come again with a new certificate", (t) => {
  const { expiry, expired, pass } = start(t);
  expiry.admit("web-0", hourMs);
  expiry.forget("web-0");
  expiry.admit("web-0", 3 * hourMs);
  pass(2 * hourMs);
  assert.deepEqual(expired, []);
});

test("after the close nothing expires", (t) => {
  const { expiry, expired, pass } = start(t);
  expiry.admit("web-0", hourMs);
  expiry.admit("web-1", hourMs);
  expiry.close();
  pass(2 * hourMs);
  assert.deepEqual(expired, []);
});
