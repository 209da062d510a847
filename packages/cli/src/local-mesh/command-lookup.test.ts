import assert from "node:assert/strict";
import { chmodSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { findMissingCommands } from "./command-lookup.ts";
import type { MeshPlan, PlannedInstance } from "./plan.ts";

function planOf(instance: Partial<PlannedInstance>): MeshPlan {
  const planned = {
    workload: "api",
    place: "mesh.yaml:7",
    workingDir: undefined,
    env: {},
    ...instance,
  } as PlannedInstance;
  return {
    name: "shop",
    trustDomain: "cluster.local",
    rootNamespace: "istio-system",
    instances: [planned],
    edge: undefined,
    edgePlace: "",
    mode: undefined,
  };
}

test("programs are looked for as the shell would: in PATH, or at their path from the working folder", async (context) => {
  const folder = temporaryFolder(context, { "bin/run": "#!/bin/sh\n", "bin/text": "", "app/start": "#!/bin/sh\n" });
  chmodSync(join(folder, "bin/run"), 0o755);
  chmodSync(join(folder, "app/start"), 0o755);
  mkdirSync(join(folder, "bin/folder"));
  const env = { PATH: `/no/such/folder:${join(folder, "bin")}` };
  const cases: readonly { instance: Partial<PlannedInstance>; reason: RegExp | undefined }[] = [
    { instance: { command: ["run"] }, reason: undefined },
    { instance: { command: ["./bin/run"] }, reason: undefined },
    { instance: { command: [join(folder, "bin/run")] }, reason: undefined },
    { instance: { command: ["./start"], workingDir: "app" }, reason: undefined },
    { instance: { command: ["start"], env: { PATH: join(folder, "app") } }, reason: undefined },
    { instance: { command: ["start"], workingDir: "app" }, reason: /no folder of PATH/ },
    { instance: { command: ["missing"] }, reason: /no folder of PATH/ },
    { instance: { command: ["text"] }, reason: /no folder of PATH/ },
    { instance: { command: ["folder"] }, reason: /no folder of PATH/ },
    { instance: { command: ["./start"] }, reason: /there is no program at/ },
    { instance: { command: ["run"], workingDir: "nowhere" }, reason: /nowhere does not exist/ },
  ];
  for (const { instance, reason } of cases) {
    const [found] = await findMissingCommands(planOf(instance), folder, env);
    assert.equal(found === undefined, reason === undefined, JSON.stringify(instance));
    if (reason !== undefined) assert.match(found?.reason ?? "", reason);
  }
});

test("a workload with several replicas is named once", async () => {
  const plan = planOf({ command: ["missing"] });
  const [instance] = plan.instances as [PlannedInstance];
  const missing = await findMissingCommands({ ...plan, instances: [instance, { ...instance, id: "api-1" }] }, "/", {
    PATH: "",
  });
  assert.deepEqual(
    missing.map(({ workload, command, place }) => [workload, command, place]),
    [["api", "missing", "mesh.yaml:7"]],
  );
});
