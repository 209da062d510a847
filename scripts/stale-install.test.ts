import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { staleInstall } from "./stale-install.ts";

const kept = { "node_modules/a": { version: "1.0.0" }, "node_modules/@x/y": { version: "2.0.0" } };
const machineOnly = { "node_modules/of-another-machine": { version: "1.0.0", optional: true } };

for (const [what, installed, stale] of [
  ["as the lock says is complete", kept, []],
  ["without a package that came since names it", { "node_modules/a": { version: "1.0.0" } }, ["node_modules/@x/y"]],
  [
    "with a package of an older version names it",
    { ...kept, "node_modules/a": { version: "0.9.0" } },
    ["node_modules/a"],
  ],
  ["that was never made lacks all", undefined, ["node_modules/a", "node_modules/@x/y"]],
] as const) {
  test(`an installation ${what}`, (t) => {
    const root = mkdtempSync(join(tmpdir(), "heddle-install-"));
    t.after(() => rmSync(root, { recursive: true, force: true }));
    const packages = { "": {}, "packages/own": { version: "1.0.0" }, ...kept, ...machineOnly };
    writeFileSync(join(root, "package-lock.json"), JSON.stringify({ packages }));
    if (installed !== undefined) {
      mkdirSync(join(root, "node_modules"));
      writeFileSync(join(root, "node_modules/.package-lock.json"), JSON.stringify({ packages: installed }));
    }
    assert.deepEqual(staleInstall(root), stale);
  });
}
