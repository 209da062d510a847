import assert from "node:assert/strict";
import { test } from "node:test";
import type { MeshOutputOptions } from "./mesh-output.ts";
import { MeshOutput } from "./mesh-output.ts";

function output(options: Partial<MeshOutputOptions> = {}) {
  const shown: string[] = [];
  const logged: string[] = [];
  const stream = { write: (text: string) => shown.push(...text.split("\n").filter((line) => line !== "")) };
  const mesh = new MeshOutput({
    stream,
    isVerbose: false,
    showsApplications: true,
    logs: { write: (source, line) => logged.push(`${source}: ${line}`) },
    ...options,
  });
  return { mesh, shown, logged };
}

const accessLog = '[2026-01-01T00:00:00Z] "GET / HTTP/1.1" 200';
const chatter = "2026-01-01T00:00:00.000Z info  proxy ready";
const warning = "2026-01-01T00:00:00.000Z warn  proxy xds stream ended";

test("a newcomer sees applications and troubles; everything is logged", () => {
  const { mesh, shown, logged } = output();
  mesh.line("web-0", "listens", "stdout");
  mesh.line("web-0/proxy", accessLog, "stdout");
  mesh.line("web-0/proxy", chatter, "stderr");
  mesh.line("web-0/proxy", warning, "stderr");
  assert.deepEqual(shown, ["web-0         │ listens", `web-0/proxy   │ ${warning}`]);
  assert.equal(logged.length, 4);
});

test("verbose shows all of it", () => {
  const { mesh, shown } = output({ isVerbose: true });
  mesh.line("web-0/proxy", accessLog, "stdout");
  mesh.line("web-0/proxy", chatter, "stderr");
  mesh.line("control-plane", '{"level":"info","msg":"xds stream opened"}', "stdout");
  assert.equal(shown.length, 3);
});

test("what a proxy says again and again is shown once, until it says something else", () => {
  const { mesh, shown, logged } = output();
  const ended = (second: number): string =>
    `2026-01-01T00:00:0${second}.000Z warn  proxy xds stream ended, the configuration in force stays reason="no \\"way\\" ${second}" retryInMs=${second}`;
  for (const second of [1, 2, 3]) mesh.line("web-0/proxy", ended(second), "stderr");
  mesh.line("books-0/proxy", ended(4), "stderr");
  mesh.line("web-0/proxy", chatter, "stderr");
  mesh.line("web-0/proxy", ended(5), "stderr");
  const refused = (name: string): string => `2026-01-01T00:00:06.000Z warn  proxy refused name=${name}`;
  for (const name of ["a", "b"]) mesh.line("web-0/proxy", refused(name), "stderr");
  assert.deepEqual(shown, [
    `web-0/proxy   │ ${ended(1)}`,
    `books-0/proxy │ ${ended(4)}`,
    ...[ended(5), refused("a"), refused("b")].map((line) => `web-0/proxy   │ ${line}`),
  ]);
  assert.equal(logged.length, 8);
});

test("a crash of a proxy's runtime is trouble", () => {
  const { mesh, shown } = output();
  mesh.line("web-0/proxy", "Error: boom", "stderr");
  assert.deepEqual(shown, ["web-0/proxy   │ Error: boom"]);
});

test("a refused resource stands out, with its place first", () => {
  const { mesh, shown } = output();
  const line = {
    level: "error",
    code: "HDL0010",
    place: "mesh/a.yaml:3",
    message: "VirtualService default/a: spec.x is not a field.",
    hint: "Remove it.",
    msg: "resource rejected",
  };
  mesh.line("control-plane", JSON.stringify(line), "stdout");
  assert.deepEqual(shown, [
    "× refused mesh/a.yaml:3: error HDL0010: VirtualService default/a: spec.x is not a field.",
    "    → Remove it.",
  ]);
});

test("what came into force is said, a long list in short", () => {
  const { mesh, shown } = output();
  const accepted = (changed: string[]): string =>
    JSON.stringify({ level: "info", resources: 9, changed, msg: "configuration accepted" });
  mesh.line("control-plane", accepted(["~ VirtualService default/a"]), "stdout");
  mesh.line("control-plane", accepted(["+ a", "+ b", "+ c", "+ d", "+ e", "+ f"]), "stdout");
  mesh.line("control-plane", accepted([]), "stdout");
  assert.deepEqual(shown, [
    "√ in force ~ VirtualService default/a",
    "√ in force + a, + b, + c, + d and 2 more",
    "√ in force 9 resources, as they were before the start",
  ]);
});

test("repetitions of an application that ends again and again are logged, and shown by --verbose alone", () => {
  for (const isVerbose of [false, true]) {
    const { mesh, shown, logged } = output({ isVerbose });
    mesh.line("web-0", "    at web.js:3", "stderr", true);
    mesh.report("web-0", "the application ended (exit code 1)", true);
    assert.deepEqual([shown.length, logged.length], [isVerbose ? 2 : 0, 2]);
  }
});

test("a demo that is checked shows nothing of the mesh, and logs it all the same", () => {
  const { mesh, shown, logged } = output({ showsMesh: false });
  mesh.line("web-0", "listens", "stdout");
  mesh.report("web-0", "the application ended");
  mesh.notice("ready");
  assert.deepEqual([shown, logged.length], [["ready"], 2]);
});

test("what is drawn in place makes room first", () => {
  const { mesh, shown } = output();
  mesh.onBeforeWrite = () => shown.push("(cleared)");
  mesh.notice("one");
  mesh.line("web-0", "two", "stdout");
  assert.deepEqual(shown, ["(cleared)", "one", "(cleared)", "web-0         │ two"]);
});
