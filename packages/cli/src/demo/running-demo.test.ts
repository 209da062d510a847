import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { MeshRunner } from "../local-mesh/mesh-runner.ts";
import { LineLog } from "./line-log.ts";
import { RunningDemo } from "./running-demo.ts";

test("a load that a failed check left running is ended, and its requests have their outcomes", async (context) => {
  let served = 0;
  const { promise: enough, resolve } = Promise.withResolvers<void>();
  const server = createServer((_request, response) => {
    served += 1;
    if (served === 10) resolve();
    response.end();
  }).listen(0, "127.0.0.1");
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
  context.after(() => {
    demo.close();
    server.closeAllConnections();
    server.close();
  });
  const load = demo.startLoad(500, () => ({ path: "/" }));
  await enough;
  await demo.endLoads();
  assert.equal(load.soFar.length, served);
  // Its timer would keep this file's process alive, which fails it.
  assert.deepEqual(await load.stop(), load.soFar);
});
