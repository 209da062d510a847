// Needs root and Linux: network namespaces with redirection.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { join } from "node:path";
import { beforeEach, test } from "node:test";
import { enterNetworkNamespace, isRunning } from "@heddle/testkit";
import { atEnd } from "../testing/at-end.ts";
import { smallMesh } from "../testing/small-mesh.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { readMeshFolder } from "./mesh-folder.ts";
import { MeshRunner } from "./mesh-runner.ts";
import { chooseMode } from "./mode.ts";
import { OwnNamespace } from "./namespaces/own-namespace.ts";
import { planMesh } from "./plan.ts";

// A machine of its own: nobody else has its ports, or a mesh on it.
beforeEach(enterNetworkNamespace);

/** How a connection to this address goes: `connected`, or the code of its error. */
async function connected(host: string, port: number): Promise<string> {
  const socket = connect(port, host);
  try {
    await once(socket, "connect");
    return "connected";
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? "";
  } finally {
    socket.destroy();
  }
}

test("a replica that is lost refuses connections, as its network stays until it is replaced", {
  timeout: 120_000,
}, async (t) => {
  const folder = temporaryFolder(t, smallMesh);
  const found = await readMeshFolder(folder);
  assert.ok(found.kind === "found");
  const runner = new MeshRunner({
    folder,
    stateDir: join(folder, ".heddle"),
    plan: planMesh(found.mesh),
    mode: await chooseMode("namespaces"),
    proxyLogLevel: "info",
    output: () => undefined,
    report: () => undefined,
  });
  atEnd(t, () => runner.stop());
  await runner.start();
  assert.deepEqual(await runner.whenReady(100_000), { ready: true });
  const lost = runner.replicas.get("back-0")?.place;
  assert.ok(lost instanceof OwnNamespace);
  const { address, appPort } = lost.ports;
  assert.equal(await connected(address, appPort), "connected");
  await runner.loseReplica("back-0");
  // The kernel closes the sockets of what was killed in its own time.
  while ((await connected(address, appPort)) !== "ECONNREFUSED");
  assert.ok(isRunning(lost.namespace.pid), "without a network nobody would refuse the next one");
  await runner.replaceReplica("back-0");
  assert.ok(!isRunning(lost.namespace.pid));
  assert.notEqual(runner.replicas.get("back-0")?.place, lost);
});
