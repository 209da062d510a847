import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { runHeddle } from "../testing/heddle-process.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";

function isInstalled(shell: string): boolean {
  return spawnSync(shell, ["-c", "exit 0"]).status === 0;
}

const needs = (shell: string): { skip: string | false } => ({
  skip: isInstalled(shell) ? false : `${shell} is not installed`,
});

test("fish offers commands, options and choices", needs("fish"), async (context) => {
  const folder = temporaryFolder(context, { "heddle.fish": (await runHeddle(["completion", "fish"])).stdout });
  const offers = (line: string): string[] => {
    const program = `source ${join(folder, "heddle.fish")}; complete --do-complete '${line}'`;
    const { stdout, stderr, status } = spawnSync("fish", ["--no-config", "-c", program], {
      cwd: folder,
      encoding: "utf8",
    });
    assert.deepEqual([status, stderr], [0, ""]);
    return stdout
      .split("\n")
      .flatMap((entry) => (entry === "" ? [] : [entry.split("\t")[0] ?? ""]))
      .sort();
  };
  assert.deepEqual(offers("heddle v"), ["validate", "version"]);
  assert.deepEqual(offers("heddle validate --output "), ["json", "table", "yaml"]);
  assert.deepEqual(offers("heddle validate --fail"), ["--fail-on"]);
  assert.deepEqual(offers("heddle demo --sabotage re"), ["reload", "renewal", "replica-loss"]);
});

test("zsh offers commands, options and choices", needs("zsh"), async (context) => {
  const folder = temporaryFolder(context, { _heddle: (await runHeddle(["completion", "zsh"])).stdout });
  // compadd is where zsh's completion ends: printing its words shows them without a terminal.
  const driver = join(folder, "drive.zsh");
  writeFileSync(
    driver,
    `zmodload zsh/zpty
fpath=(${folder} $fpath)
zpty session zsh -f -i
zpty -w session "PROMPT= ; fpath=(${folder} \\$fpath); autoload -Uz compinit; compinit -u -d ${folder}/dump; zstyle ':completion:*' list-colors ''; LISTMAX=0; setopt auto_list no_always_last_prompt; print READY"
line=
while [[ $line != *READY* ]]; do zpty -r session line || exit 1; done
zpty -w -n session "heddle $1"$'\\t\\t'
all=
for try in {1..100}; do
  while zpty -r -t session line; do all+=$line; done
  [[ $all == *$2* ]] && break
  sleep 0.05
done
print -r -- $all
`,
  );
  const offers = (line: string, expected: string): string => {
    const { stdout, status } = spawnSync("zsh", ["-f", driver, line, expected], { encoding: "utf8" });
    assert.equal(status, 0);
    return stdout;
  };
  assert.match(offers("v", "version"), /validate/);
  assert.match(offers("demo --sabotage re", "replica-loss"), /renewal/);
});
