import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, symlinkSync } from "node:fs";
import { delimiter, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { compileCacheEnvironment } from "@heddle/state/compile-cache";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { applicationVariables } from "./application-path.ts";

const cases: readonly { title: string; path: readonly string[]; found: readonly string[] }[] = [
  { title: "the user's PATH stays as it is", path: ["bin", "mine/bin"], found: ["bin", "mine/bin"] },
  {
    title: "what npm put in front goes behind when Heddle's runtime is in it",
    path: ["node_modules/.bin", "above/node_modules/.bin", "bin"],
    found: ["above/node_modules/.bin", "bin", "node_modules/.bin"],
  },
  {
    title: "a Node that the user's own project brings by npm stays in front",
    path: ["other/node_modules/.bin", "bin"],
    found: ["other/node_modules/.bin", "bin"],
  },
  { title: "who names the runtime's folder without npm means it", path: ["runtime", "bin"], found: ["runtime", "bin"] },
];

for (const { title, path, found } of cases) {
  test(title, (context) => {
    const folder = temporaryFolder(context, { "other/node": "" });
    for (const name of ["bin", "mine/bin", "runtime", "node_modules/.bin", "above/node_modules/.bin"])
      mkdirSync(join(folder, name), { recursive: true });
    mkdirSync(join(folder, "other/node_modules/.bin"), { recursive: true });
    symlinkSync(process.execPath, join(folder, "node_modules/.bin/node"));
    symlinkSync(process.execPath, join(folder, "runtime/node"));
    symlinkSync(join(folder, "other/node"), join(folder, "other/node_modules/.bin/node"));
    const { PATH = "", HEDDLE_NODE } = applicationVariables({
      PATH: path.map((entry) => join(folder, entry)).join(delimiter),
    });
    const entries = PATH.split(delimiter);
    assert.deepEqual(
      entries.slice(0, -1),
      found.map((entry) => join(folder, entry)),
    );
    assert.match(entries.at(-1) ?? "", /cli\/programs$/);
    assert.equal(HEDDLE_NODE, process.execPath);
  });
}

const heddleNode = fileURLToPath(new URL("../../programs/heddle-node", import.meta.url));

for (const env of [
  { HOME: "/home/me" },
  { HOME: "/home/me", XDG_CACHE_HOME: "/cache" },
  { HOME: "/home/me", XDG_CACHE_HOME: "cache" },
  { HOME: "/home/me", XDG_CACHE_HOME: "" },
  { HOME: "/home/me", NODE_COMPILE_CACHE: "/mine" },
  { HOME: "/" },
  { HOME: "" },
  { HOME: "here" },
]) {
  test(`heddle-node keeps what it compiles where Heddle does: ${JSON.stringify(env)}`, () => {
    const program = { HEDDLE_NODE: "/usr/bin/env", PATH: process.env["PATH"] };
    const told = execFileSync(heddleNode, { env: { ...program, ...env }, encoding: "utf8" });
    const { NODE_COMPILE_CACHE: expected } = compileCacheEnvironment(env);
    assert.equal(/^NODE_COMPILE_CACHE=(.*)$/m.exec(told)?.[1], expected);
  });
}
