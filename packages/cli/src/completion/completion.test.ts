import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { checkNames } from "../demo/check-names.ts";
import { runHeddle } from "../testing/heddle-process.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";

const script = (await runHeddle(["completion", "bash"])).stdout;

/** What bash offers behind a line, with the words cut as its readline does. */
function complete(line: string, cwd: string): string[] {
  const words = line.split(/(=)| /).filter((word) => word !== undefined && word !== "");
  if (line.endsWith(" ")) words.push("");
  const program = `${script}
COMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")})
COMP_CWORD=${words.length - 1}
_heddle
printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr, status } = spawnSync("bash", ["--norc", "-euo", "pipefail", "-c", program], {
    cwd,
    encoding: "utf8",
  });
  assert.deepEqual([status, stderr], [0, ""]);
  return stdout
    .split("\n")
    .filter((word) => word !== "")
    .sort();
}

const cases: readonly { line: string; offers: readonly string[] }[] = [
  { line: "heddle v", offers: ["validate", "version"] },
  { line: "heddle --h", offers: ["--help"] },
  { line: "heddle help con", offers: ["control-plane"] },
  { line: "heddle validate --fail", offers: ["--fail-on"] },
  { line: "heddle validate --output ", offers: ["json", "table", "yaml"] },
  { line: "heddle validate --output=j", offers: ["json"] },
  { line: "heddle validate -o y", offers: ["yaml"] },
  { line: "heddle demo --sabotage re", offers: ["reload", "renewal", "replica-loss"] },
  { line: "heddle demo --check --only ", offers: [...checkNames].sort() },
  { line: "heddle proxy --mode ", offers: ["serve", "validate"] },
  { line: "heddle completion ", offers: ["bash", "fish", "zsh"] },
  { line: "heddle validate me", offers: ["mesh", "mesh.yaml"] },
  { line: "heddle up me", offers: ["mesh"] },
  { line: "heddle explain --folder me", offers: ["mesh"] },
  { line: "heddle explain --from ", offers: [] },
  { line: "heddle validate with", offers: ["with spaces.yaml"] },
];

for (const { line, offers } of cases) {
  test(`bash offers ${offers.length === 0 ? "nothing" : offers.join(", ")} behind "${line}"`, (context) => {
    const folder = temporaryFolder(context, { "mesh.yaml": "", "with spaces.yaml": "" });
    mkdirSync(join(folder, "mesh"));
    assert.deepEqual(complete(line, folder), [...offers]);
  });
}

test("every command and every option of the tree is offered", (context) => {
  const folder = temporaryFolder(context);
  const commands = complete("heddle ", folder).filter((word) => !word.startsWith("-"));
  assert.deepEqual(commands, [
    "completion",
    "control-plane",
    "demo",
    "explain",
    "help",
    "proxy",
    "proxy-status",
    "up",
    "validate",
    "version",
  ]);
  for (const command of commands) {
    if (command === "help") continue;
    assert.ok(complete(`heddle ${command} --`, folder).includes("--help"), command);
  }
});
