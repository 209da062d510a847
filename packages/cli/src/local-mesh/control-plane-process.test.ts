import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createServer } from "node:net";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { connect } from "node:tls";
import { smallMesh } from "../testing/small-mesh.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { takePort } from "./ports.ts";
import { ControlPlaneProcess, StartProblem } from "./control-plane-process.ts";

/** A control plane of the small mesh, and what it writes. */
function prepare(t: TestContext, folder: string) {
  const port = takePort("127.0.0.1", 0);
  t.after(() => port.close());
  const lines: string[] = [];
  const reports: string[] = [];
  const lives = { begun: 0 };
  const controlPlane = new ControlPlaneProcess({
    folder,
    stateDir: join(folder, ".heddle"),
    trustDomain: "cluster.local",
    rootNamespace: "istio-system",
    port: () => {
      lives.begun += 1;
      return port;
    },
    output: (_source, line) => lines.push(line),
    report: (line) => reports.push(line),
  });
  return { controlPlane, lines, reports, lives };
}

/**
 * Ends the running life and returns when it is a zombie, without letting the event loop turn: so its last words and its end are
 * seen in one turn, and mostly the process is reaped before the end of its pipes is found.
 */
function endUnseen(pid: number): void {
  process.kill(pid, "SIGTERM");
  const end = performance.now() + 10_000;
  while (!/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, "utf8"))) {
    assert.ok(performance.now() < end, "the control plane did not end in 10 s");
  }
}

test("a start is not failed by the last words of the life before", { timeout: 60_000 }, async (t) => {
  const { controlPlane, lines } = prepare(t, temporaryFolder(t, smallMesh));
  const first = await controlPlane.start();
  try {
    // The kernel may still tell of both ends at once: four lives leave little to luck.
    for (let life = 0; life < 4; life += 1) {
      const { pid } = controlPlane;
      assert.ok(pid !== undefined);
      const before = lines.length;
      endUnseen(pid);
      await controlPlane.killAndHold();
      assert.equal((await controlPlane.release()).xdsAddress, first.xdsAddress);
      assert.ok(lines.length > before);
    }
  } finally {
    await controlPlane.stop(5000);
  }
});

test("a control plane that cannot start fails its start with its last words, and is not started again", async (t) => {
  const folder = temporaryFolder(t);
  const { controlPlane, lines, reports, lives } = prepare(t, join(folder, "absent"));
  try {
    await assert.rejects(controlPlane.start(), (error) => {
      assert.ok(error instanceof StartProblem);
      assert.equal(`heddle: ${error.message}`, lines.at(-1));
      return true;
    });
    // A new life would begin by a timer as short as this one, which was set when the process had ended, before its last words were read.
    await new Promise((resolve) => setTimeout(resolve, 0));
    assert.equal(lives.begun, 1);
    assert.deepEqual(reports, []);
  } finally {
    await controlPlane.stop(5000);
  }
});

test("nobody can take its port between two lives, and who connects meanwhile is served by the next", {
  timeout: 60_000,
}, async (t) => {
  const { controlPlane } = prepare(t, temporaryFolder(t, smallMesh));
  const { xdsAddress } = await controlPlane.start();
  try {
    await controlPlane.killAndHold();
    const [host = "", port = ""] = xdsAddress.split(":");
    const squatter = createServer().listen(Number(port), host);
    const [taken] = (await once(squatter, "error")) as [NodeJS.ErrnoException];
    assert.equal(taken.code, "EADDRINUSE");
    const waiting = connect({ host, port: Number(port), rejectUnauthorized: false, ALPNProtocols: ["h2"] });
    t.after(() => waiting.destroy());
    const served = once(waiting, "secureConnect");
    assert.equal((await controlPlane.release()).xdsAddress, xdsAddress);
    await served;
  } finally {
    await controlPlane.stop(5000);
  }
});
