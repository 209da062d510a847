import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { runHeddle } from "../testing/heddle-process.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import type { ValidationResult } from "./validate.ts";

const bookshop = fileURLToPath(new URL("../../../../examples/bookshop", import.meta.url));

const mesh = `apiVersion: heddle.dev/v1alpha1
kind: LocalMesh
metadata:
  name: shop
spec:
  workloads:
    - name: web
      service: web
      command: [node, web.ts]
      port: 80
`;
const virtualService = (host: string, extra = ""): string => `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: web
spec:
  hosts: [web]
  http:
    - route:
        - destination:
            host: ${host}
${extra}`;

test("the bookshop has nothing to complain about", async () => {
  const { code, stdout, stderr } = await runHeddle(["validate", bookshop]);
  assert.deepEqual([code, stderr], [0, ""]);
  assert.match(stdout, /^√ \d+ resources in \d+ files/);
});

test("an error is told with file, line, code and what to do, and the exit code is 3", async (context) => {
  const cwd = temporaryFolder(context, {
    "mesh.yaml": mesh,
    "routes/web.yaml": virtualService("web", "      retry: 3\n"),
  });
  const { code, stdout } = await runHeddle(["validate", "."], { cwd });
  assert.equal(code, 3);
  assert.match(stdout, /^routes\/web\.yaml:11: error HDL0010: VirtualService default\/web: .*retry.*\n {4}→ /);
});

test("files and folders named together are judged together", async (context) => {
  const cwd = temporaryFolder(context, { "mesh.yaml": mesh, "routes/web.yaml": virtualService("nowhere") });
  assert.equal((await runHeddle(["validate", "mesh.yaml"], { cwd })).code, 0);
  const both = await runHeddle(["validate", "mesh.yaml", "routes"], { cwd });
  assert.equal(both.code, 3);
  assert.match(both.stdout, /routes\/web\.yaml:10: error \w+: .*nowhere/);
});

test("a file of TLS that is not there is told with its line, and one that is there is not", async (context) => {
  const tls = (path: string): string => `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata:
  name: web
spec:
  host: web
  trafficPolicy:
    tls:
      mode: SIMPLE
      caCertificates: ${path}
`;
  const cwd = temporaryFolder(context, { "mesh.yaml": mesh, "ca.pem": "" });
  const judged = async (path: string) => {
    writeFileSync(join(cwd, "tls.yaml"), tls(join(cwd, path)));
    return runHeddle(["validate", ".", "--fail-on", "warning"], { cwd });
  };
  const missing = await judged("gone.pem");
  assert.equal(missing.code, 3);
  assert.match(
    missing.stdout,
    /^tls\.yaml:10: warning HDL0120: .*caCertificates: there is no file \/.*\/gone\.pem that/,
  );
  assert.equal((await judged("ca.pem")).code, 0);
  assert.equal((await judged(".")).code, 3);
});

test("a file that is named twice is read once", async (context) => {
  const cwd = temporaryFolder(context, { "mesh.yaml": mesh });
  const { code, stdout } = await runHeddle(["validate", ".", "mesh.yaml", "./mesh.yaml"], { cwd });
  assert.deepEqual([code, stdout.includes("1 resource in 1 file")], [0, true]);
});

test("--fail-on decides which severity the exit code 3 begins with", async (context) => {
  // Without a LocalMesh there is one finding of severity info.
  const cwd = temporaryFolder(context, { "web.yaml": virtualService("web") });
  assert.equal((await runHeddle(["validate", "."], { cwd })).code, 0);
  assert.equal((await runHeddle(["validate", ".", "--fail-on", "warning"], { cwd })).code, 0);
  assert.equal((await runHeddle(["validate", ".", "--fail-on", "info"], { cwd })).code, 3);
});

test("JSON and YAML hold the findings with their counts", async (context) => {
  const cwd = temporaryFolder(context, { "mesh.yaml": mesh, "web.yaml": virtualService("web", "      retry: 3\n") });
  const json = await runHeddle(["validate", ".", "--output", "json"], { cwd });
  const result = JSON.parse(json.stdout) as ValidationResult;
  assert.equal(json.code, 3);
  assert.deepEqual(result.counts, { error: 1, warning: 0, info: 0 });
  assert.deepEqual([result.files, result.resources], [2, 1]);
  const [finding] = result.findings;
  assert.deepEqual(
    [finding?.severity, finding?.file, finding?.line, finding?.resource?.name],
    ["error", "web.yaml", 11, "web"],
  );
  assert.deepEqual(parse((await runHeddle(["validate", ".", "-o", "yaml"], { cwd })).stdout), result);
});

test("malformed YAML and a file that cannot be read are findings, not crashes", async (context) => {
  const cwd = temporaryFolder(context, { "broken.yaml": "a: [1\nb: 2\n", "nul.json": "{" });
  const { code, stdout, stderr } = await runHeddle(["validate", "."], { cwd });
  assert.deepEqual([code, stderr], [3, ""]);
  assert.match(stdout, /broken\.yaml:\d+: error/);
  assert.match(stdout, /nul\.json:\d+: error/);
});

test("an empty file is no mistake, and no praise either", async (context) => {
  const cwd = temporaryFolder(context, { "empty.yaml": "" });
  const { code, stdout } = await runHeddle(["validate", "."], { cwd });
  assert.deepEqual([code, stdout], [0, "! 0 resources in 1 file: there was nothing to check\n"]);
});

test("a folder without resource files is wrong usage", async (context) => {
  const cwd = temporaryFolder(context, { "readme.txt": "" });
  const { code, stderr } = await runHeddle(["validate", "."], { cwd });
  assert.equal(code, 2);
  assert.match(stderr, /no \.yaml, \.yml or \.json file/);
});

test("in a pipe there are no escape sequences", async (context) => {
  const cwd = temporaryFolder(context, { "web.yaml": virtualService("web", "      retry: 3\n") });
  const { stdout } = await runHeddle(["validate", "."], { cwd, env: { FORCE_COLOR: "1" } });
  assert.ok(!stdout.includes("\u001b"));
});
