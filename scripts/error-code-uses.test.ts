// The page of error codes is a promise: what nothing can say any more does not stand on it.
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { errorCodes } from "../packages/core/src/index.ts";

const table = "packages/core/src/error-codes.ts";
const sources = globSync("packages/*/src/**/*.ts").filter(
  (file) => file !== table && !file.endsWith(".test.ts") && !/\/src\/(testing|gen)\//.test(file),
);

function unusedCodes(codes: readonly string[], texts: readonly string[]): string[] {
  return codes.filter((code) => !texts.some((text) => text.includes(`"${code}"`)));
}

test("every error code is said by some source", () => {
  assert.deepEqual(
    unusedCodes(
      Object.keys(errorCodes),
      sources.map((file) => readFileSync(file, "utf8")),
    ),
    [],
  );
});

test("a code that only a comment or a longer name mentions is not used", () => {
  assert.deepEqual(
    unusedCodes(["no_route", "retry_limit"], ['fail("no_route")', '// retry_limit\nfail("retry_limited")']),
    ["retry_limit"],
  );
});
