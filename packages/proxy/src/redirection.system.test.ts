// Connections that iptables redirects to the proxy, as in a pod, within a network namespace of the test's own.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { connectRaw, enterNetworkNamespace, type RawServer, startRawServer } from "@heddle/testkit";
import { bootstrap, chainOf, cluster, fileLog, listenerFilter, tcpListener } from "./testing/bootstrap-json.ts";
import { untilLogged } from "./testing/log-file.ts";
import { TestProxy } from "./testing/test-proxy.ts";

type Json = Record<string, unknown>;

const capturePort = 15_001;
const redirected = ["10.96.0.0/16", "fd00:96::/32"] as const;
const originalDst = listenerFilter("original_dst.v3.OriginalDst");

let proxy: TestProxy;
let folder: string;
const servers = new Map<string, RawServer>();

function addressed(listener: Json, host: string, port: number, more: Json = {}): Json {
  return { ...listener, address: { socket_address: { address: host, port_value: port } }, ...more };
}

/** Of both families, since a socket for `::` takes IPv6 alone. */
function forBothFamilies(listener: Json, port: number): Json {
  const ipv4 = { address: { socket_address: { address: "0.0.0.0", port_value: port } } };
  return addressed(listener, "::", port, { additional_addresses: [ipv4] });
}

/** One that stands for a destination and listens nowhere. */
function virtual(name: string, host: string, port: number): Json {
  return addressed(tcpListener(name, name), host, port, { bind_to_port: false });
}

/** A chain that relays to the cluster of this name. */
function chain(name: string, match: Json): Json {
  return chainOf(tcpListener(name, name), name, match);
}

function route(command: string, args: string): void {
  execFileSync(command, args.split(" "));
}

before(async () => {
  enterNetworkNamespace();
  for (const range of redirected) {
    const isIpv6 = range.includes(":");
    route("ip", `${isIpv6 ? "-6 " : ""}route add local ${range} dev lo`);
    for (const [port, to] of [
      ["9000:9999", capturePort],
      ["8000:8999", capturePort + 1],
    ] as const) {
      const table = isIpv6 ? "ip6tables" : "iptables";
      route(table, `-t nat -A OUTPUT -p tcp -d ${range} --dport ${port} -j REDIRECT --to-ports ${to}`);
    }
  }
  folder = await mkdtemp(join(tmpdir(), "heddle-redirection-"));
  const names = ["passthrough", "reviews", "reviews6", "any-9081", "chain-8080", "chain-range", "chain-other"];
  for (const name of names) servers.set(name, await startRawServer());
  const byChain = {
    ...forBothFamilies(tcpListener("by-chain", "chain-other"), capturePort + 1),
    listener_filters: [originalDst],
    filter_chains: [
      chain("chain-8080", { destination_port: 8080 }),
      chain("chain-range", { prefix_ranges: [{ address_prefix: "10.96.7.0", prefix_len: 24 }] }),
    ],
    default_filter_chain: chain("chain-other", {}),
  };
  proxy = await TestProxy.start(
    bootstrap(
      [
        {
          ...forBothFamilies(tcpListener("passthrough", "passthrough"), capturePort),
          use_original_dst: true,
          ...fileLog(join(folder, "access.log"), "%DOWNSTREAM_LOCAL_ADDRESS%"),
        },
        virtual("reviews", "10.96.0.1", 9080),
        virtual("reviews6", "fd00:96::1", 9080),
        virtual("any-9081", "0.0.0.0", 9081),
        byChain,
      ],
      [...servers].map(([name, { port }]) => cluster(name, [port])),
    ),
  );
});

after(async () => {
  await proxy?.[Symbol.asyncDispose]();
  for (const server of servers.values()) await server[Symbol.asyncDispose]();
  if (folder !== undefined) await rm(folder, { recursive: true, force: true });
});

for (const [what, host, port, expected] of [
  ["an IPv4 destination with a listener of its own", "10.96.0.1", 9080, "reviews"],
  ["an IPv6 destination with a listener of its own", "fd00:96::1", 9080, "reviews6"],
  ["a port that has a listener for every address", "10.96.3.4", 9081, "any-9081"],
  ["a destination without a listener", "10.96.0.1", 9082, "passthrough"],
  ["an IPv6 destination without a listener", "fd00:96::2", 9080, "passthrough"],
  ["a destination whose port a filter chain names", "10.96.9.9", 8080, "chain-8080"],
  ["a destination whose range a filter chain names", "10.96.7.1", 8081, "chain-range"],
  ["an IPv6 destination that no filter chain names", "fd00:96::1", 8081, "chain-other"],
] as const) {
  test(`a redirected connection to ${what} goes to ${expected}`, async () => {
    const client = await connectRaw(port, host);
    await client.send("who?");
    const peer = await serverOf(expected).next();
    assert.equal(await peer.until("who?"), "who?");
    await peer.send(expected);
    assert.equal(await client.until(expected), expected);
    client.end();
    peer.end();
    await client.untilEnd();
    client.socket.destroy();
  });
}

test("the log has the destination that was meant, and the connections of another listener are not in it", async () => {
  const path = join(folder, "access.log");
  await untilLogged(path, "10.96.0.1:9082\n");
  await untilLogged(path, "[fd00:96::2]:9080\n");
  assert.equal((await readFile(path, "utf8")).split("\n").length, 3);
});

test("a connection that nobody redirected is served by the listener that accepted it", async () => {
  const client = await connectRaw(capturePort);
  await client.send("direct");
  const peer = await serverOf("passthrough").next();
  assert.equal(await peer.until("direct"), "direct");
  client.socket.destroy();
  await peer.untilEnd();
});

test("a connection counts at the listener that serves it", async () => {
  const stats = await proxy.admin("/stats?filter=^listener%5C..*downstream");
  assert.match(stats, /^listener\.reviews\.downstream_cx_total: 1$/m);
  assert.match(stats, /^listener\.passthrough\.downstream_cx_total: 3$/m);
  assert.match(stats, /^listener\.passthrough\.downstream_pre_cx_active: 0$/m);
});

function serverOf(name: string): RawServer {
  const server = servers.get(name);
  assert.ok(server);
  return server;
}
