// Workers that stop accepting under load, in a process of their own: the test takes its descriptors away.
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { connectRaw, freePort, refuseDescriptors } from "@heddle/testkit";
import { LISTENER_TYPE } from "@heddle/xds/api";
import { adsBootstrap, AdsControlPlane, type JsonResources } from "../testing/ads-control-plane.ts";
import { bootstrap, httpListener, listenerFilter, proxyProtocol } from "../testing/bootstrap-json.ts";
import { childrenOf, listenerPort, ProxyProcess, startProxy, temporaryFolder } from "../testing/proxy-process.ts";

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

/** A listener on each of these ports, whose names begin so, and one that stays, by which connections for them come, too. */
function onPorts(prefix: string, redirected: number, ports: readonly number[]): JsonResources {
  const listeners = ports.map((port, index) => httpListener({ name: `${prefix}-${index}`, port, routes: [direct] }));
  const listener = { use_original_dst: true, listener_filters: [listenerFilter(proxyProtocol)] };
  return {
    [LISTENER_TYPE]: [httpListener({ name: "redirected", port: redirected, routes: [], listener }), ...listeners],
  };
}

test("a worker that cannot listen as its configuration says takes the rest of it, and tries again until it can", async (t) => {
  const controlPlane = new AdsControlPlane();
  t.after(() => controlPlane[Symbol.asyncDispose]());
  await controlPlane.start();
  const [redirected, ...ports] = [await freePort(), await freePort(), await freePort()];
  controlPlane.set(onPorts("old", redirected, ports));
  const { proxy } = await startProxy(t, adsBootstrap(controlPlane.port), ["--concurrency", "1"]);
  const [generation] = await childrenOf(proxy.process.pid!);
  assert.ok(generation);
  const giveBack = refuseDescriptors(generation);
  // The same sockets for others: the worker has none of its own for them yet.
  controlPlane.set(onPorts("new", redirected, ports));
  const refusal = await controlPlane.refused(LISTENER_TYPE);
  for (const name of ["new-0", "new-1"])
    assert.match(refusal, new RegExp(`listener ${name}: cannot listen on .*too many open files in this process`));
  giveBack();
  const answer = async (port: number, header: string): Promise<string> => {
    const client = await connectRaw(port);
    t.after(() => client.socket.destroy());
    await client.send(`${header}GET /direct HTTP/1.1\r\nhost: x\r\n\r\n`);
    return (await client.response()).body;
  };
  for (const port of ports) assert.equal(await answer(port, ""), "direct");
  for (const port of ports)
    assert.equal(await answer(redirected, `PROXY TCP4 192.0.2.1 127.0.0.1 40000 ${port}\r\n`), "direct");
});
