// Workers that stop accepting under load, in a process of their own: the test takes its descriptors away.
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { connectRaw, refuseDescriptors } from "@heddle/testkit";
import { bootstrap, httpListener } from "../testing/bootstrap-json.ts";
import { childrenOf, listenerPort, ProxyProcess, temporaryFolder } from "../testing/proxy-process.ts";

const direct = { match: { path: "/direct" }, direct_response: { status: 200, body: { inline_string: "direct" } } };
const monitor = "envoy.resource_monitors.global_downstream_max_connections";

/** One connection is more than the workers want. */
const overloadManager = {
  refresh_interval: "0.01s",
  resource_monitors: [
    {
      name: monitor,
      typed_config: {
        "@type":
          "type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
        max_active_downstream_connections: 20,
      },
    },
  ],
  actions: [
    {
      name: "envoy.overload_actions.stop_accepting_connections",
      triggers: [{ name: monitor, threshold: { value: 0.05 } }],
    },
  ],
};

test("a worker that cannot go on accepting when an overload is over tries again until it can", async (t) => {
  const config = join(await temporaryFolder(t), "envoy.json");
  const content = bootstrap([httpListener({ name: "web", routes: [direct] })], [], {
    overload_manager: overloadManager,
  });
  await writeFile(config, JSON.stringify(content));
  const proxy = new ProxyProcess(["-c", config, "--concurrency", "2", "--log-level", "debug"]);
  t.after(() => proxy[Symbol.asyncDispose]());
  const port = await listenerPort(await proxy.ready(), "web");
  const [generation] = await childrenOf(proxy.process.pid!);
  assert.ok(generation);
  const first = await connectRaw(port);
  t.after(() => first.socket.destroy());
  await proxy.logged(/connections are not accepted/, 2);
  const giveBack = refuseDescriptors(generation);
  first.socket.destroy();
  await proxy.logged(/connections cannot be accepted again; tried until they can/, 2);
  const waiting = await connectRaw(port);
  t.after(() => waiting.socket.destroy());
  giveBack();
  await waiting.send("GET /direct HTTP/1.1\r\nhost: x\r\n\r\n");
  assert.equal((await waiting.response()).body, "direct");
});
