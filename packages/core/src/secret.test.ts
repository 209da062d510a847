import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { Secret } from "./secret.ts";

const printers: [way: string, print: (secret: Secret<string>) => string][] = [
  ["String()", (secret) => String(secret)],
  // The unknowns are deliberate: the type checker would not let an expression print a Secret, plain JavaScript would.
  ["concatenation", (secret) => "got " + (secret as unknown as string)],
  ["JSON", (secret) => JSON.stringify({ secret })],
  ["inspect", (secret) => inspect({ secret }, { depth: 9, showHidden: true })],
  ["inspect of a list", (secret) => inspect([secret])],
  ["an error's message", (secret) => new Error(`failed with ${secret as unknown as string}`).message],
];

for (const [way, print] of printers) {
  test(`${way} prints a secret redacted`, () => {
    const printed = print(new Secret("hunter2"));
    assert.ok(printed.includes("[redacted]"), printed);
    assert.ok(!printed.includes("hunter2"), printed);
  });
}

test("a secret gives its value to code that asks for it by name", () => {
  assert.equal(new Secret("hunter2").reveal(), "hunter2");
});
