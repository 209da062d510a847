// A copy of the packages' outlines, in a temporary folder, with one planted violation of each rule: the checks must name it.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  cpSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";

const repository = process.cwd();
const folders: string[] = [];
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** Rule → the file that breaks it, and how. */
const importViolations: Record<string, [file: string, source: string]> = {
  "imports-of-core": ["packages/core/src/planted.ts", 'import "@heddle/state";'],
  "imports-of-state": ["packages/state/src/planted.ts", 'import "@heddle/net";'],
  "imports-of-net": ["packages/net/src/planted.ts", 'import "@heddle/http";'],
  "imports-of-http": ["packages/http/src/planted.ts", 'import "@heddle/engine";'],
  "imports-of-telemetry": ["packages/telemetry/src/planted.ts", 'import "@heddle/http";'],
  "imports-of-xds": ["packages/xds/src/client/planted.ts", 'import "@heddle/telemetry";'],
  "imports-of-engine": ["packages/engine/src/load/planted.ts", 'import "@heddle/http";'],
  "imports-of-upstream": ["packages/upstream/src/planted.ts", 'import "@heddle/proxy";'],
  "imports-of-proxy": ["packages/proxy/src/planted.ts", 'import "@heddle/compiler";'],
  "imports-of-api": ["packages/api/src/planted.ts", 'import "@heddle/compiler";'],
  "imports-of-compiler": ["packages/compiler/src/planted.ts", 'import "@heddle/engine";'],
  "imports-of-kubernetes": ["packages/kubernetes/src/planted.ts", 'import "@heddle/compiler";'],
  "imports-of-control-plane": ["packages/control-plane/src/planted.ts", 'import "@heddle/proxy";'],
  "data-plane-knows-no-control-plane": ["packages/proxy/src/knows.test.ts", 'import "@heddle/control-plane";'],
  "control-plane-knows-no-data-plane": ["packages/control-plane/src/knows.test.ts", 'import "@heddle/upstream";'],
  "pure-packages-do-no-io": ["packages/http/src/io.ts", 'import { connect } from "node:net"; connect(1);'],
  "pure-packages-see-only-xds-api": ["packages/compiler/src/server.ts", 'import "@heddle/xds/server";'],
  "xds-stops-at-engine-load": ["packages/engine/src/steps/route.ts", 'import type { Any } from "@heddle/xds/api";'],
  "engine-load-is-for-shells": ["packages/engine/src/bind/loads.ts", 'import "../load/index.ts";'],
  "request-path-loads-no-protobuf": ["packages/proxy/src/worker/loads.ts", 'import "../bootstrap/parse.ts";'],
  "generated-types-stop": ["packages/proxy/src/types.ts", 'import type { Any } from "@heddle/xds/api";'],
  "protobuf-runtime-only-through-xds": ["packages/compiler/src/runtime.ts", 'import "@bufbuild/protobuf";'],
  "no-cycles": [
    "packages/core/src/cycle.ts",
    'import { other } from "./cycles-back.ts"; export const one = () => other;',
  ],
  "only-declared-exports": ["packages/net/src/inside.ts", 'import "../../core/src/inner.ts";'],
  "packages-import-by-name": ["packages/net/src/relative.ts", 'import "../../core/src/index.ts";'],
  "testkit-only-from-tests": ["packages/net/src/kit.ts", 'import "@heddle/testkit";'],
  "no-tests-from-sources": ["packages/net/src/from-test.ts", 'import "./a.test.ts";'],
  "ffi-only-in-net": ["packages/proxy/src/ffi.ts", 'import "node:ffi";'],
  "examples-are-ordinary-programs": ["examples/shop/app.ts", 'import "yaml";'],
  "imports-resolve": ["packages/net/src/deep.ts", 'import "@heddle/core/src/inner.ts";'],
  "dependencies-are-declared": ["packages/net/src/undeclared.ts", 'import "yaml";'],
  "sources-need-no-dev-dependencies": ["packages/xds/src/server/dev.ts", 'import "@grpc/grpc-js-xds";'],
};

/** Files that the planted ones refer to. */
const companions: Record<string, string> = {
  "packages/proxy/src/bootstrap/parse.ts": 'import "@heddle/xds/api";',
  "packages/core/src/inner.ts": "export const inner = 1;",
  "packages/core/src/cycles-back.ts": 'import { one } from "./cycle.ts"; export const other = () => one;',
  "packages/net/src/a.test.ts": "export const a = 1;",
};

/** What a pure package must not use → the words by which the check names the reason. */
const impure: [source: string, reason: RegExp][] = [
  ["setTimeout(() => {}, 1);", /'setTimeout'.*no timers/],
  ["setInterval(() => {}, 1);", /'setInterval'.*no timers/],
  ["setImmediate(() => {});", /'setImmediate'.*no timers/],
  ["globalThis.setTimeout(() => {}, 1);", /'globalThis\.setTimeout' is restricted/],
  ["AbortSignal.timeout(1);", /'AbortSignal\.timeout' is restricted/],
  ["Date.now();", /'Date\.now' is restricted/],
  ["new Date();", /Date without an instant/],
  ["Date();", /Date without an instant/],
  ["performance.now();", /'performance'.*no clock/],
  ["Math.random();", /'Math\.random' is restricted/],
  ["const { random } = Math; random();", /'Math\.random' is restricted/],
  [
    'import { randomBytes } from "node:crypto"; randomBytes(1);',
    /'randomBytes' import from 'node:crypto' is restricted/,
  ],
  ["crypto.randomUUID();", /'crypto'.*no randomness/],
  ["process.env;", /'process'.*no I\/O/],
  ['void fetch("http://127.0.0.1");', /'fetch'.*no I\/O/],
];

/** The real package.json files, with an empty source for everything they export, and the real dependencies. */
function outline(): string {
  const root = mkdtempSync(join(tmpdir(), "heddle-rules-"));
  folders.push(root);
  mkdirSync(join(root, "node_modules/@heddle"), { recursive: true });
  for (const name of readdirSync(join(repository, "node_modules"))) {
    if (name !== "@heddle" && name !== ".bin")
      symlinkSync(join(repository, "node_modules", name), join(root, "node_modules", name));
  }
  for (const file of ["package.json", ".dependency-cruiser.js"]) copyFileSync(join(repository, file), join(root, file));
  for (const manifest of globSync("packages/*/package.json", { cwd: repository })) {
    cpSync(join(repository, manifest), join(root, manifest), { recursive: true });
  }
  // The design's package of a later day: its rule holds from its first file.
  write(
    root,
    "packages/kubernetes/package.json",
    JSON.stringify({ name: "@heddle/kubernetes", exports: { ".": "./src/index.ts" } }),
  );
  for (const manifest of globSync("packages/*/package.json", { cwd: root })) {
    const { name, exports = {} } = JSON.parse(readFileSync(join(root, manifest), "utf8")) as {
      name: string;
      exports?: Record<string, string>;
    };
    for (const file of Object.values(exports)) write(root, join(dirname(manifest), file), "export const one = 1;");
    symlinkSync(join(root, dirname(manifest)), join(root, "node_modules", name));
  }
  write(root, "examples/ordinary/app.ts", 'import "node:http";');
  return root;
}

function write(root: string, file: string, source: string): void {
  mkdirSync(dirname(join(root, file)), { recursive: true });
  writeFileSync(join(root, file), `${source}\n`);
}

interface Violation {
  from: string;
  rule: { name: string };
}

function checkDependencies(root: string): Violation[] {
  const { stdout, stderr } = runDependencyCheck(root, "json");
  assert.ok(stdout.startsWith("{"), stderr);
  return JSON.parse(stdout).summary.violations;
}

function runDependencyCheck(
  root: string,
  outputType: string,
): { status: number | null; stdout: string; stderr: string } {
  const command = join(repository, "node_modules/.bin/depcruise");
  return spawnSync(command, ["--output-type", outputType, "packages", "examples"], { cwd: root, encoding: "utf8" });
}

function checkPurity(root: string): { status: number | null; output: string } {
  const { status, stdout } = spawnSync(process.execPath, ["scripts/check-purity.ts", root], {
    cwd: repository,
    encoding: "utf8",
  });
  return { status, output: stdout };
}

test("the packages as they should be break no rule", () => {
  const root = outline();
  write(
    root,
    "packages/proxy/src/planted.ts",
    'import "@heddle/engine"; import "@heddle/engine/load"; import "yaml"; import "node:net";',
  );
  write(
    root,
    "packages/engine/src/load/planted.ts",
    'import type { Any } from "@heddle/xds/api"; import "node:crypto";',
  );
  write(
    root,
    "packages/http/src/planted.test.ts",
    'import "@heddle/testkit"; import "node:net"; setTimeout(() => {}, Date.now());',
  );
  write(root, "packages/proxy/src/bootstrap/parse.ts", 'import "@heddle/xds/api";');
  write(root, "packages/http/src/instant.ts", "export const instant = new Date(0).toISOString();");
  const violations = checkDependencies(root);
  assert.deepEqual(
    violations.map(({ from, rule }) => `${from}: ${rule.name}`),
    [],
  );
  assert.equal(checkPurity(root).status, 0);
});

test("a planted violation of each dependency rule fails the check, which names file and rule", async (t) => {
  const root = outline();
  for (const [file, source] of Object.entries(companions)) write(root, file, source);
  for (const [file, source] of Object.values(importViolations)) write(root, file, source);
  const violations = checkDependencies(root);
  const { status, stdout } = runDependencyCheck(root, "err-long");
  assert.notEqual(status, 0);

  for (const [name, [file]] of Object.entries(importViolations)) {
    await t.test(name, () => {
      const found = violations.filter(({ from }) => from === file).map(({ rule }) => rule.name);
      assert.ok(found.includes(name), `${file} broke ${found.join(", ") || "no rule"}`);
      assert.ok(stdout.includes(` ${name}: ${file} `));
    });
  }
});

test("no dependency rule is without its planted violation", async () => {
  const { default: config } = await import(join(repository, ".dependency-cruiser.js"));
  const names: string[] = config.forbidden.map((rule: { name: string }) => rule.name);
  assert.deepEqual(Object.keys(importViolations).sort(), names.sort());
});

test("every package of the workspace has its rule, and every pure package is held to purity", () => {
  const packages = readdirSync(join(repository, "packages"));
  const ruled = Object.keys(importViolations);
  // cli may import everything; testkit may, too, since only tests import it.
  const free = new Set(["cli", "testkit"]);
  assert.deepEqual(
    packages.filter((name) => !free.has(name) && !ruled.includes(`imports-of-${name}`)),
    [],
  );

  const root = outline();
  for (const name of ["core", "http", "engine", "compiler", "api"]) {
    write(root, `packages/${name}/src/planted.ts`, 'import "node:fs"; Math.random();');
  }
  const violations = checkDependencies(root);
  const { output } = checkPurity(root);
  for (const name of ["core", "http", "engine", "compiler", "api"]) {
    const file = `packages/${name}/src/planted.ts`;
    assert.ok(
      violations.some(({ from, rule }) => from === file && rule.name === "pure-packages-do-no-io"),
      file,
    );
    assert.ok(output.includes(file), file);
  }
});

test("each way to time, clock, randomness and environment fails the purity check, which names it", async (t) => {
  for (const [source, reason] of impure) {
    await t.test(source, () => {
      const root = mkdtempSync(join(tmpdir(), "heddle-rules-"));
      folders.push(root);
      write(root, "packages/core/src/planted.ts", source);
      const { status, output } = checkPurity(root);
      assert.equal(status, 1);
      assert.match(output, reason);
    });
  }
});
