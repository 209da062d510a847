import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import type { FindingDescription } from "./finding-codes.ts";
import { findingCodes } from "./finding-codes.ts";

const here = fileURLToPath(new URL(".", import.meta.url));
const entries: [string, FindingDescription][] = Object.entries(findingCodes);

test("codes stand in order, and each has a title, a text and a hint that are sentences", () => {
  assert.deepEqual(
    entries.map(([code]) => code),
    entries.map(([code]) => code).sort(),
  );
  for (const [code, { title, text, hint }] of entries) {
    assert.match(code, /^HDL\d{4}$/);
    assert.match(title, /^[A-Z].*[^.]$/, code);
    assert.match(text, /^[A-Z].*[.)]$/s, code);
    assert.match(hint, /^[A-Z].*[.]$/s, code);
  }
});

test("no two codes have the same title", () => {
  assert.equal(new Set(entries.map(([, each]) => each.title)).size, entries.length);
});

test("every code is reported somewhere, and some test expects it", () => {
  const files = globSync("**/*.ts", { cwd: here }).filter((file) => !/finding-codes/.test(file));
  const read = (wanted: boolean) =>
    files
      .filter((file) => file.endsWith(".test.ts") === wanted)
      .map((file) => readFileSync(`${here}${file}`, "utf8"))
      .join("\n");
  const [source, tests] = [read(false), read(true)];
  for (const [code] of entries) {
    assert.ok(source.includes(`"${code}"`), `${code} is never reported`);
    assert.ok(tests.includes(code), `no test expects ${code}`);
  }
});
