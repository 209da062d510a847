import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { RequestListener, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { MeshRunner } from "../local-mesh/mesh-runner.ts";
import { MeshOutput } from "../up/mesh-output.ts";
import { showTraffic } from "./live-demo.ts";
import { LineLog } from "./line-log.ts";
import { RunningDemo } from "./running-demo.ts";

test("a demo that is closed gets the answers that are due, and its table ends", async (context) => {
  let cutOff = 0;
  const due: ServerResponse[] = [];
  const { promise: enough, resolve } = Promise.withResolvers<void>();
  const demo = await demoBefore(context, (request, response) => {
    request.resume();
    if (demo.closed.aborted) return response.end();
    response.on("close", () => (cutOff += response.writableFinished ? 0 : 1));
    if (due.push(response) === 3) resolve();
    return undefined;
  });
  const output = new MeshOutput({
    stream: { write: () => undefined },
    isVerbose: false,
    showsApplications: false,
    logs: new LineLog(),
  });
  const shown = showTraffic(demo, "", 0, output);
  await enough;
  const closed = demo.close();
  // Behind this the server has seen whoever went away.
  await fetch(`http://${demo.address}/look`);
  for (const response of due) response.end();
  await closed;
  assert.equal(cutOff, 0);
  assert.equal(await shown, 0);
});

test("a load that a failed check left running is ended, and its requests have their outcomes", async (context) => {
  let served = 0;
  const { promise: enough, resolve } = Promise.withResolvers<void>();
  const demo = await demoBefore(context, (_request, response) => {
    served += 1;
    if (served === 10) resolve();
    response.end();
  });
  const load = demo.startLoad(500, () => ({ path: "/" }));
  await enough;
  await demo.endLoads();
  assert.equal(load.soFar.length, served);
  // Its timer would keep this file's process alive, which fails it.
  assert.deepEqual(await load.stop(), load.soFar);
});

/** A shop of one server, which is no mesh at all. */
async function demoBefore(context: TestContext, listener: RequestListener): Promise<RunningDemo> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  const runner = new MeshRunner({
    folder: "",
    stateDir: "",
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
  const demo = new RunningDemo(runner, "", `127.0.0.1:${(server.address() as AddressInfo).port}`, new LineLog());
  context.after(async () => {
    await demo.close();
    server.closeAllConnections();
    server.close();
  });
  return demo;
}
