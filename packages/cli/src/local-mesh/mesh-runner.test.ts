import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { MeshRunner } from "./mesh-runner.ts";

test("told to stop before the control plane is started, it ends and starts nothing", { timeout: 20_000 }, async (t) => {
  const folder = temporaryFolder(t, {});
  const runner = new MeshRunner({
    folder,
    stateDir: join(folder, ".heddle"),
    plan: {
      name: "none",
      trustDomain: "cluster.local",
      rootNamespace: "istio-system",
      instances: [],
      edge: undefined,
      edgePlace: "",
      mode: undefined,
    },
    mode: { mode: "ports", notice: "" },
    proxyLogLevel: "info",
    output: () => undefined,
    report: () => undefined,
  });
  const failed = assert.rejects(runner.start(), /the mesh was stopped/);
  // In the first turns of the loop a start looks at files.
  setImmediate(() => void runner.stop());
  await failed;
  await runner.stop();
  assert.equal(runner.controlPlane.pid, undefined);
});
