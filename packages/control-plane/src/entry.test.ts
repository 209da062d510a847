import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { access, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { request } from "node:http";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import type { TestContext } from "node:test";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { controlPlaneEntry, readRunFile } from "./index.ts";
import { meshFile } from "./testing/mesh-files.ts";

const capMs = 30_000;

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The control plane as `heddle up` starts it. */
class Run {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  readonly ready: Promise<{ kind: string; adminAddress: string; xdsAddress: string }>;

  constructor(t: TestContext, args: readonly string[], ipc = true) {
    const child = spawn(process.execPath, [fileURLToPath(controlPlaneEntry), ...args], {
      stdio: ["ignore", "pipe", "pipe", ...(ipc ? (["ipc"] as const) : [])],
      timeout: capMs,
      killSignal: "SIGKILL",
    });
    this.child = child;
    // Not the child's "close": Node does not emit it after `disconnect`.
    this.ended = Promise.all([once(child, "exit"), readAll(child.stdout), readAll(child.stderr)]).then(
      ([[code, signal], stdout, stderr]) => ({
        code: code as number | null,
        signal: signal as NodeJS.Signals | null,
        stdout,
        stderr,
      }),
    );
    this.ready = new Promise((resolve, reject) => {
      child.on("message", (message) => resolve(message as Awaited<Run["ready"]>));
      void this.ended.then(({ stderr }) => reject(new Error(`it ended: ${stderr}`)));
    });
    // A test that is about the end never looks at it.
    this.ready.catch(() => undefined);
    t.after(async () => {
      child.kill("SIGKILL");
      await this.ended;
    });
  }
}

async function readAll(stream: Readable | null): Promise<string> {
  return stream === null ? "" : text(stream);
}

async function meshFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "heddle-entry-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await writeFile(join(folder, "mesh.yaml"), meshFile);
  return folder;
}

function health(address: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const call = request(`http://${address}/api/v1/ready`, { agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    call.on("error", reject);
    call.end();
  });
}

test("it says when it is ready and where, writes run.json for its owner, and logs lines of JSON", async (t) => {
  const folder = await meshFolder(t);
  const run = new Run(t, ["--folder", folder]);
  const { kind, adminAddress, xdsAddress } = await run.ready;
  assert.equal(kind, "ready");
  assert.equal(await health(adminAddress), 200);
  const found = await readRunFile(join(folder, ".heddle"));
  assert.ok(found.kind === "found");
  assert.deepEqual(
    [found.run.pid, found.run.adminAddress, found.run.xdsAddress],
    [run.child.pid, adminAddress, xdsAddress],
  );
  assert.equal((await stat(found.path)).mode & 0o777, 0o600);
  run.child.kill("SIGTERM");
  const { stdout } = await run.ended;
  const messages = stdout
    .trim()
    .split("\n")
    .map((line) => (JSON.parse(line) as { msg: string }).msg);
  assert.deepEqual(messages, ["configuration accepted", "control plane ready", "control plane stopping"]);
});

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  test(`${signal} ends it with code 0, and its run file is gone`, async (t) => {
    const folder = await meshFolder(t);
    const run = new Run(t, ["--folder", folder]);
    await run.ready;
    run.child.kill(signal);
    const { code, stderr } = await run.ended;
    assert.deepEqual([code, stderr], [0, ""]);
    assert.deepEqual(await readRunFile(join(folder, ".heddle")), { kind: "absent" });
  });
}

test("it ends when the channel to its parent closes", async (t) => {
  const folder = await meshFolder(t);
  const run = new Run(t, ["--folder", folder]);
  await run.ready;
  run.child.disconnect();
  assert.equal((await run.ended).code, 0);
  assert.deepEqual(await readRunFile(join(folder, ".heddle")), { kind: "absent" });
});

test("it ends when its parent is gone before it was ready", async (t) => {
  const folder = await meshFolder(t);
  const run = new Run(t, ["--folder", folder]);
  run.child.disconnect();
  assert.equal((await run.ended).code, 0);
  assert.deepEqual(await readRunFile(join(folder, ".heddle")), { kind: "absent" });
});

test("SIGKILL of its parent ends it in order, although nobody reads its log any more", async (t) => {
  const folder = await meshFolder(t);
  // Descriptor 3 goes through the parent to the control plane: it closes when both are gone.
  const source = `
    const { spawn } = await import("node:child_process");
    const child = spawn(process.execPath, process.argv.slice(1), { stdio: ["ignore", "pipe", "pipe", "ipc", 3] });
    child.on("message", () => console.log("ready"));
  `;
  const args = ["--input-type=module", "--eval", source, fileURLToPath(controlPlaneEntry), "--folder", folder];
  const parent = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit", "pipe"], timeout: capMs });
  t.after(() => parent.kill("SIGKILL"));
  const line = parent.stdio[3] as Readable;
  const isGone = once(line.resume(), "end");
  await once(parent.stdout!, "data");
  assert.equal((await readRunFile(join(folder, ".heddle"))).kind, "found");
  parent.kill("SIGKILL");
  await isGone;
  assert.deepEqual(await readRunFile(join(folder, ".heddle")), { kind: "absent" });
});

test("without a parent's channel it runs until a signal", async (t) => {
  const folder = await meshFolder(t);
  const run = new Run(t, ["--folder", folder], false);
  run.child.stdout?.on("data", (chunk: Buffer) => {
    if (chunk.includes("control plane ready")) run.child.kill("SIGTERM");
  });
  const { code, stdout } = await run.ended;
  assert.equal(code, 0);
  assert.match(stdout, /"reason":"SIGTERM"/);
});

test("after SIGKILL the next one starts over what was left, at the same xDS port", async (t) => {
  const folder = await meshFolder(t);
  const first = new Run(t, ["--folder", folder]);
  const { xdsAddress } = await first.ready;
  first.child.kill("SIGKILL");
  await first.ended;
  const second = new Run(t, ["--folder", folder]);
  assert.equal((await second.ready).xdsAddress, xdsAddress);
});

test("a port in use ends it with code 1 and the port", async (t) => {
  const squatter = createServer();
  t.after(() => squatter.close());
  squatter.listen(0, "127.0.0.1");
  await once(squatter, "listening");
  const address = `127.0.0.1:${(squatter.address() as AddressInfo).port}`;
  for (const option of ["--xds-address", "--admin-address"]) {
    const { code, stderr } = await new Run(t, ["--folder", await meshFolder(t), option, address]).ended;
    assert.equal(code, 1);
    assert.match(stderr, new RegExp(`cannot start: the port is already in use: ${address}\\. Stop the process`));
  }
});

test("state that cannot be used ends it with code 1 and what to do", async (t) => {
  const folder = await meshFolder(t);
  const run = new Run(t, ["--folder", folder]);
  await run.ready;
  run.child.kill("SIGTERM");
  await run.ended;
  await writeFile(join(folder, ".heddle", "ca", "authority.state"), "rubbish");
  const { code, stderr, stdout } = await new Run(t, ["--folder", folder]).ended;
  assert.equal(code, 1);
  assert.match(
    stderr,
    /^heddle: the control plane cannot start: .*authority\.state cannot be trusted: .*Put a backup in its place/,
  );
  assert.doesNotMatch(stdout, /ready/);
  assert.deepEqual(await readRunFile(join(folder, ".heddle")), { kind: "absent" });
});

test("a folder that is not there ends it with code 1, and is not made", async (t) => {
  const parent = await mkdtemp(join(tmpdir(), "heddle-entry-"));
  t.after(() => rm(parent, { recursive: true }));
  const { code, stderr } = await new Run(t, ["--folder", join(parent, "nowhere")]).ended;
  assert.equal(code, 1);
  assert.match(stderr, /there is no folder .*nowhere/);
  assert.deepEqual(await readdir(parent), []);
});

const wrongUsage: readonly [title: string, args: readonly string[], message: RegExp][] = [
  ["no folder", [], /--folder is missing/],
  ["an unknown option", ["--folder", "x", "--verbose"], /Unknown option '--verbose'/],
  ["an unknown level", ["--folder", "x", "--log-level", "loud"], /--log-level takes debug, info, warn, error or off/],
  [
    "an address without a port",
    ["--folder", "x", "--xds-address", "localhost"],
    /--xds-address takes host:port, not "localhost"/,
  ],
  ["a port that is none", ["--folder", "x", "--admin-address", "127.0.0.1:70000"], /--admin-address takes host:port/],
];
for (const [title, args, message] of wrongUsage) {
  test(`wrong usage ends it with code 2 and the usage: ${title}`, async (t) => {
    const { code, stderr } = await new Run(t, args).ended;
    assert.equal(code, 2);
    assert.match(stderr, message);
    assert.match(stderr, /^heddle: .+\n→ Usage: heddle control-plane --folder DIR .+\n$/);
    await assert.rejects(access("x"));
  });
}
