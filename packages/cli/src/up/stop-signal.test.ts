import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { test } from "node:test";

const program = `
  import { listenForStop } from ${JSON.stringify(new URL("./stop-signal.ts", import.meta.url).href)};
  const stop = listenForStop();
  console.log(process.pid);
  setInterval(() => {}, 1000);
  console.log("told by " + (await stop.told));
  console.log("ending");
`;
const words = [process.execPath, "--input-type=module-typescript", "-e", program];

interface Started {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly line: () => Promise<string | undefined>;
}

async function start(command: readonly string[], env: NodeJS.ProcessEnv): Promise<Started> {
  const [file = "", ...args] = command;
  const child = spawn(file, args, { env, stdio: ["ignore", "pipe", "inherit"] });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const line = async (): Promise<string | undefined> => (await lines.next()).value;
  return { child, pid: Number(await line()), line };
}

const { npm_lifecycle_event: _npm, ...ordinary } = process.env;

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  test(`${signal} is told once, and the second time ends the process`, { timeout: 20_000 }, async () => {
    const { child, line } = await start(words, ordinary);
    child.kill(signal);
    assert.equal(await line(), `told by ${signal}`);
    assert.equal(await line(), "ending");
    // Again and again, as a person does: what comes in one moment with the first is the first.
    const again = setInterval(() => child.kill(signal), 50);
    const [code] = (await once(child, "exit")) as [number | null];
    clearInterval(again);
    assert.ok(code !== null && code > 128);
  });
}

test("a signal to the process group, which the launcher passes on as well, is one", { timeout: 20_000 }, async () => {
  const { child, line } = await start(words, ordinary);
  for (let times = 0; times < 3; times += 1) child.kill("SIGINT");
  assert.equal(await line(), "told by SIGINT");
  assert.equal(await line(), "ending");
  child.kill("SIGKILL");
  assert.deepEqual(await once(child, "exit"), [null, "SIGKILL"]);
});

// What npm does: a shell between itself and the program, with or without an exec.
for (const { title, shell } of [
  { title: "behind a shell", shell: '"$@"; exit $?' },
  { title: "as the shell's own process", shell: 'exec "$@"' },
]) {
  test(`the end of npm is noticed ${title}`, { timeout: 20_000 }, async () => {
    const npm = `
      const { spawn } = require("node:child_process");
      spawn("/bin/sh", ["-c", ${JSON.stringify(shell)}, "sh", ...process.argv.slice(1)], { stdio: ["ignore", "inherit", "inherit"] });`;
    const { child, pid, line } = await start([process.execPath, "-e", npm, "--", ...words], {
      ...ordinary,
      npm_lifecycle_event: "demo",
    });
    child.kill("SIGKILL");
    assert.equal(await line(), "told by the end of npm");
    assert.equal(await line(), "ending");
    process.kill(pid, "SIGKILL");
  });
}
