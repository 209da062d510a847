// Needs root and Linux: network namespaces, and a PID namespace.
import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";
import { test } from "node:test";
import { isRunning } from "@heddle/testkit";
import { reclaimNamespaces } from "./left-behind.ts";
import { holderName } from "./network-namespace.ts";

const module = new URL("network-namespace.ts", import.meta.url).href;
/** Opens a namespace, starts a program in it, and says the namespace's name. */
const owner = `
  import { spawn } from "node:child_process";
  import { readlinkSync } from "node:fs";
  const { NetworkNamespace } = await import(${JSON.stringify(module)});
  const namespace = await NetworkNamespace.open();
  const [program, ...args] = namespace.enter(["sh", "-c", "echo in; exec sleep 1000"]);
  spawn(program, args, { detached: true, stdio: ["ignore", "pipe", "ignore"] }).stdout.once("data", () =>
    console.log(readlinkSync("/proc/" + namespace.pid + "/ns/net")));
  setInterval(() => undefined, 1000);
`;

interface OwnedNamespace {
  readonly owner: ChildProcess;
  readonly name: string;
}

async function open(context: TestContext, under: readonly string[] = []): Promise<OwnedNamespace> {
  const [program, ...args] = [...under, process.execPath, "--input-type=module", "-e", owner];
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
  const [name] = (await once(createInterface(child.stdout), "line")) as [string];
  context.after(() => {
    child.kill("SIGKILL");
    for (const pid of membersOf(name)) process.kill(pid, "SIGKILL");
  });
  return { owner: child, name };
}

/** Processes in a network namespace. */
function membersOf(name: string): number[] {
  return readdirSync("/proc")
    .filter((pid) => /^\d+$/.test(pid))
    .flatMap((pid) => {
      try {
        return readlinkSync(`/proc/${pid}/ns/net`) === name ? [Number(pid)] : [];
      } catch {
        // Ended while we looked.
        return [];
      }
    });
}

function holderOf(name: string): number {
  const isHolder = (pid: number): boolean => readFileSync(`/proc/${pid}/cmdline`, "latin1").includes(holderName);
  return membersOf(name).find(isHolder) ?? assert.fail("nobody holds the namespace");
}

test("what a killed heddle left in a namespace ends with the next, and what a live one has stays", {
  timeout: 60_000,
}, async (context) => {
  const [lost, live] = [await open(context), await open(context)];
  // It cannot do what it is for.
  process.kill(holderOf(lost.name), "SIGSTOP");
  lost.owner.kill("SIGKILL");
  await once(lost.owner, "close");
  assert.equal(membersOf(lost.name).length, 2);
  assert.ok((await reclaimNamespaces()).ended >= 1);
  assert.deepEqual(membersOf(lost.name), []);
  assert.equal(membersOf(live.name).length, 2);
  assert.ok(isRunning(holderOf(live.name)));
});

test("who is left when a namespace is given up is said", {
  timeout: 60_000,
}, async (context) => {
  const lost = await open(context);
  const holder = holderOf(lost.name);
  process.kill(holder, "SIGSTOP");
  lost.owner.kill("SIGKILL");
  await once(lost.owner, "close");
  // One round is for the program; its holder would be next.
  assert.ok((await reclaimNamespaces(1)).remaining.includes(holder));
  assert.ok(!(await reclaimNamespaces()).remaining.includes(holder));
  assert.deepEqual(membersOf(lost.name), []);
});

test("a mesh in a container, whose process ids mean nothing here, is left alone", {
  timeout: 60_000,
}, async (context) => {
  const { name } = await open(context, ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]);
  const before = membersOf(name);
  assert.equal(before.length, 2);
  await reclaimNamespaces();
  assert.deepEqual(membersOf(name), before);
});
