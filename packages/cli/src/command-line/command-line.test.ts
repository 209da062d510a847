import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, symlinkSync } from "node:fs";
import { delimiter, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { runHeddle } from "../testing/heddle-process.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { buildProgram } from "./tree.ts";

const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
  version: string;
};
const commands = buildProgram(() => undefined).commands.map((command) => command.name());

for (const words of [["version"], ["--version"], ["-V"]]) {
  test(`heddle ${words.join(" ")} prints the version and nothing else`, async () => {
    assert.deepEqual(await runHeddle(words), { code: 0, stdout: `${version}\n`, stderr: "" });
  });
}

test("heddle version --output json adds the runtime", async () => {
  const { code, stdout } = await runHeddle(["version", "--output", "json"]);
  assert.equal(code, 0);
  assert.deepEqual(JSON.parse(stdout), { version, node: process.versions.node });
});

test("every command has its own help with an example, on standard output", async () => {
  for (const command of commands) {
    const { code, stdout, stderr } = await runHeddle([command, "--help"]);
    assert.deepEqual([code, stderr], [0, ""], command);
    assert.match(stdout, new RegExp(`Usage: heddle ${command}`), command);
    assert.match(stdout, /\nExamples?:\n {2}\$ (source <\()?(npx )?heddle /, command);
    // Of a switch and a list this says nothing.
    assert.doesNotMatch(stdout, /default: (false|\[\])/, command);
  }
});

test("heddle alone, heddle help and heddle --help list every command", async () => {
  for (const words of [[], ["help"], ["--help"]]) {
    const { code, stdout } = await runHeddle(words);
    assert.equal(code, 0);
    for (const command of commands) assert.match(stdout, new RegExp(`^ {2}${command} `, "m"));
  }
});

const wrongUsage: readonly { words: readonly string[]; says: RegExp }[] = [
  {
    words: ["valdate"],
    says: /unknown command 'valdate'\n→ Did you mean validate\? heddle help lists every command\.\n$/,
  },
  {
    words: ["help", "valdate"],
    says: /unknown command 'valdate'\n→ Did you mean validate\? heddle help lists every command\.\n$/,
  },
  { words: ["validate"], says: /missing required argument/ },
  { words: ["validate", "x", "--no-such"], says: /unknown option '--no-such'/ },
  { words: ["validate", "/no/such/folder"], says: /\/no\/such\/folder: there is no such file or folder\n→ / },
  { words: ["validate", ".", "--output", "xml"], says: /Allowed choices are table, json, yaml/ },
  { words: ["explain", "GET", "http://a/"], says: /required option '--from <workload>'/ },
  {
    words: ["explain"],
    says: /\n→ Usage: heddle explain <method> <url> --from <workload> \[options\]; heddle explain --help says more\.\n$/,
  },
  { words: ["up"], says: /missing required argument 'folder'/ },
  { words: ["up", "/no/such/folder"], says: /there is no such folder/ },
  { words: ["demo", "--port", "70000"], says: /number from 0 to 65535/ },
  { words: ["demo", "--only", "mtls"], says: /need --check/ },
  { words: ["demo", "--check", "--only", "split", "--sabotage", "reload"], says: /--sabotage reload: --only leaves/ },
  { words: ["demo", "--check", "--sabotage", "nothing"], says: /Allowed choices are mtls, split,/ },
  {
    words: ["demo", "--check", "--only", "interception", "--mode", "ports", "--port", "0"],
    says: /mode ports has no check interception\n→ Checks of mode ports: mtls, /,
  },
  {
    words: ["demo", "--check", "--sabotage", "interception", "--mode", "ports", "--port", "0"],
    says: /mode ports has no check interception\n/,
  },
  { words: ["completion", "tcsh"], says: /Allowed choices are bash, zsh, fish/ },
  { words: ["proxy"], says: /no bootstrap/ },
  { words: ["proxy", "--no-such"], says: /no-such/ },
  { words: ["control-plane"], says: /--folder is missing/ },
];

for (const { words, says } of wrongUsage) {
  test(`heddle ${words.join(" ")} is wrong usage: exit code 2, what and what to do, in the one form of problems`, async () => {
    const { code, stdout, stderr } = await runHeddle(words);
    assert.equal(code, 2);
    assert.equal(stdout, "");
    assert.match(stderr, says);
    // A stack trace is for nobody here.
    assert.match(stderr, /^heddle: .+\n→ .+\n$/, "what, and what to do");
  });
}

test("a symlink on the PATH is heddle, and the completion scripts, which complete this word, say how to make one", async (context) => {
  const { stdout } = await runHeddle(["completion", "--help"]);
  assert.match(stdout, /choices: "bash", "zsh", "fish"/);
  assert.match(stdout, /source <\(npx heddle completion bash\)/);
  assert.match(stdout, /ln -s "\$PWD\/node_modules\/\.bin\/heddle" ~\/\.local\/bin\//);
  const folder = temporaryFolder(context);
  symlinkSync(fileURLToPath(new URL("../../bin/heddle.js", import.meta.url)), join(folder, "heddle"));
  const path = [folder, process.env["PATH"]].join(delimiter);
  const called = spawnSync("heddle", ["version"], { env: { ...process.env, PATH: path }, encoding: "utf8" });
  assert.deepEqual([called.status, called.stdout, called.stderr], [0, `${version}\n`, ""]);
});

test("the usage of a command names what it cannot go without", async () => {
  for (const command of buildProgram(() => undefined).commands)
    for (const { long, short, mandatory } of command.options)
      if (mandatory) assert.match(command.usage(), new RegExp(`(^| )(${long}|${short}) `), command.name());
  const { stdout } = await runHeddle(["control-plane", "--help"]);
  assert.match(stdout, /^Usage: heddle control-plane --folder <folder> \[options\]\n/);
  assert.match((await runHeddle(["proxy", "--help"])).stdout, /^Usage: heddle proxy -c <bootstrap> /);
});

test("the help of proxy names every default", async () => {
  const { stdout } = await runHeddle(["proxy", "--help"]);
  assert.match(stdout, /--mode <mode>[^-]*default serve/);
});

test("a reader that goes away is no error", async () => {
  const { code } = await runHeddle(["completion", "zsh"]);
  assert.equal(code, 0);
});

test("the options of proxy and control-plane in the tree are those that the packages take", async () => {
  const program = buildProgram(() => undefined);
  const optionsOf = (name: string): string[] =>
    (program.commands.find((command) => command.name() === name)?.options ?? []).map(({ long }) => long ?? "").sort();
  const { proxyUsage } = await import("@heddle/proxy");
  const own = [...proxyUsage.matchAll(/^ +(?:-\w, )? *(--[\w-]+)/gm)].map(([, option = ""]) => option);
  assert.deepEqual(optionsOf("proxy"), own.sort());
  const { stderr } = await runHeddle(["control-plane"]);
  assert.deepEqual(
    optionsOf("control-plane"),
    [...stderr.matchAll(/(--[\w-]+) [A-Z:]+/g)].map(([, option = ""]) => option).sort(),
  );
});
