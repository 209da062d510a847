import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { isRunning } from "@heddle/testkit";
import { endGroup, hiddenDescriptor, signalGroup, spawnGuarded } from "./guarded-process.ts";

function start(script: string): ChildProcess {
  return spawnGuarded({ command: [process.execPath, "-e", script], cwd: "/", env: process.env });
}

async function firstLine(child: ChildProcess): Promise<string> {
  const [chunk] = (await once(child.stdout!, "data")) as [Buffer];
  return chunk.toString().trim();
}

/** Waits for the event that a process is gone; /proc is the witness. Capped by the test's own time-out. */
async function gone(pid: number): Promise<void> {
  while (isRunning(pid)) await delay(5);
}

test("the exit code of the application is the guard's", async () => {
  assert.deepEqual(await once(start("process.exit(7)"), "exit"), [7, null]);
});

test("a program that does not exist ends with 127", async () => {
  const child = spawnGuarded({ command: ["/no/such/program"], cwd: "/", env: process.env });
  assert.deepEqual(await once(child, "exit"), [127, null]);
});

test("SIGTERM reaches the application, and the guard waits until it has finished", async () => {
  const child = start(
    'process.on("SIGTERM", () => setTimeout(() => { console.log("bye"); process.exit(3); }, 50)); setInterval(() => {}, 1000); console.log("up")',
  );
  assert.equal(await firstLine(child), "up");
  const output: string[] = [];
  child.stdout!.on("data", (chunk: Buffer) => output.push(chunk.toString()));
  signalGroup(child, "SIGTERM");
  assert.deepEqual(await once(child, "close"), [3, null]);
  assert.equal(output.join(""), "bye\n");
});

test("SIGTERM ends an application that has no handler for it", async () => {
  const child = start('setInterval(() => {}, 1000); console.log("up")');
  await firstLine(child);
  signalGroup(child, "SIGTERM");
  assert.deepEqual(await once(child, "exit"), [143, null]);
});

for (const signal of ["SIGTERM", "SIGKILL"] as const) {
  test(`an application that ends by ${signal} is told of by nobody on its standard error`, async () => {
    const child = start(`setInterval(() => {}, 1000); console.log(process.pid)`);
    const pid = Number(await firstLine(child));
    const errors: string[] = [];
    child.stderr!.on("data", (chunk: Buffer) => errors.push(chunk.toString()));
    process.kill(pid, signal);
    await once(child, "close");
    assert.equal(errors.join(""), "");
  });
}

test("what a shell says of a program that it cannot start is the application's standard error", async () => {
  const child = spawnGuarded({ command: ["/no/such/program"], cwd: "/", env: process.env });
  const errors: string[] = [];
  child.stderr!.on("data", (chunk: Buffer) => errors.push(chunk.toString()));
  await once(child, "close");
  assert.match(errors.join(""), /no\/such\/program/);
});

test("the application and its children die with the process that started them, also by SIGKILL", {
  timeout: 20_000,
}, async () => {
  const application = `
    const { spawn } = require("node:child_process");
    const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" });
    console.log(process.pid + " " + child.pid);
    process.on("SIGTERM", () => {});
    setInterval(() => {}, 1000);`;
  const parent = spawn(process.execPath, [
    "--input-type=module-typescript",
    "-e",
    `import { spawnGuarded } from ${JSON.stringify(new URL("./guarded-process.ts", import.meta.url).href)};
     const child = spawnGuarded({ command: [process.execPath, "-e", ${JSON.stringify(application)}], cwd: "/", env: process.env });
     child.stdout.pipe(process.stdout);`,
  ]);
  const pids = (await firstLine(parent)).split(" ").map(Number);
  assert.equal(pids.length, 2);
  parent.kill("SIGKILL");
  await Promise.all(pids.map((pid) => gone(pid)));
});

test("a signal to a group that has ended is nothing", async () => {
  const child = start("");
  await once(child, "exit");
  signalGroup(child, "SIGTERM");
});

test("an application whose guard was killed can be ended with its group", { timeout: 20_000 }, async () => {
  const child = start("console.log(process.pid); setInterval(() => {}, 1000)");
  const pid = Number(await firstLine(child));
  child.kill("SIGKILL");
  await once(child, "exit");
  endGroup(child);
  await gone(pid);
  endGroup(child);
});

test("what is hidden reaches the command by its descriptor, however long, and no list of processes", async () => {
  const hidden = "secret".repeat(100_000);
  const script = `process.stdout.write(String(require("node:fs").readFileSync(${hiddenDescriptor}).length))`;
  const child = spawnGuarded({ command: [process.execPath, "-e", script], cwd: "/", env: {}, hidden });
  assert.equal(await firstLine(child), String(hidden.length));
  assert.deepEqual(await once(child, "close"), [0, null]);
});

test("a command that never reads what is hidden ends as it likes", async () => {
  const child = spawnGuarded({ command: [process.execPath, "-e", ""], cwd: "/", env: {}, hidden: "x".repeat(1e6) });
  assert.deepEqual(await once(child, "close"), [0, null]);
});
