import assert from "node:assert/strict";
import { test } from "node:test";
import { ClusterSchema, type JsonObject, ListenerSchema } from "@heddle/xds/api";
import { applyDelta, emptySnapshot, type Snapshot } from "../bind/snapshot.ts";
import type { BoundListener } from "../bind/types.ts";
import { loadCluster } from "../load/cluster.ts";
import { loadListener } from "../load/listener.ts";
import { connectionView } from "../testing/fixtures.ts";
import { clusterJson, configOf, fromEnvoyJson, numbers, seeded, TraceList, typeUrls } from "../testing/harness.ts";
import { chooseTcpCluster, matchFilterChain } from "./connection.ts";

function tcp(proxy: JsonObject, chain: JsonObject = {}): JsonObject {
  return {
    filters: [{ name: "tcp", typed_config: { "@type": typeUrls.tcpProxy, stat_prefix: "t", ...proxy } }],
    ...chain,
  };
}

function listenerOf(parts: JsonObject): { snapshot: Snapshot; listener: BoundListener } {
  const json = { name: "l", address: { socket_address: { address: "127.0.0.1", port_value: 1 } }, ...parts };
  const snapshot = applyDelta(emptySnapshot, {
    listeners: { set: [configOf(loadListener(fromEnvoyJson(ListenerSchema, json)))], remove: [] },
    clusters: {
      set: ["a", "b"].map((name) => configOf(loadCluster(fromEnvoyJson(ClusterSchema, clusterJson(name))))),
      remove: [],
    },
  });
  const listener = snapshot.listeners.get("l");
  assert.ok(listener !== undefined);
  return { snapshot, listener };
}

test("a connection gets the chain that fits, else the default, else none", () => {
  const chains = [
    tcp(
      { cluster: "a" },
      { name: "mesh", filter_chain_match: { transport_protocol: "tls", application_protocols: ["istio"] } },
    ),
  ];
  const strict = listenerOf({ filter_chains: chains }).listener;
  const permissive = listenerOf({
    filter_chains: chains,
    default_filter_chain: tcp({ cluster: "b" }, { name: "rest" }),
  }).listener;
  const mutual = connectionView({ transportProtocol: "tls", applicationProtocols: ["istio"] });
  const trace = new TraceList();
  assert.equal(matchFilterChain(strict, mutual, trace)?.name, "mesh");
  assert.equal(matchFilterChain(strict, connectionView(), trace), undefined);
  assert.equal(matchFilterChain(permissive, mutual, trace)?.name, "mesh");
  assert.equal(matchFilterChain(permissive, connectionView(), trace)?.name, "rest");
  assert.deepEqual(
    trace.entries.map(({ name, matched }) => [name, matched]),
    [
      ["mesh", true],
      ["l", false],
      ["mesh", true],
      ["rest", true],
    ],
  );
  assert.equal(
    trace.entries[1]?.why,
    "no chain fits port 8080, raw_buffer, no server name, no application protocol, and there is no default",
  );
});

test("a TCP proxy's cluster is drawn by weight", () => {
  const { snapshot, listener } = listenerOf({
    filter_chains: [
      tcp({
        weighted_clusters: {
          clusters: [
            { name: "a", weight: 3 },
            { name: "b", weight: 1 },
          ],
        },
      }),
    ],
  });
  const [chain] = listener.chains;
  assert.ok(chain !== undefined);
  assert.equal(chooseTcpCluster(snapshot, chain, numbers(0.74))?.name, "a");
  assert.equal(chooseTcpCluster(snapshot, chain, numbers(0.76))?.name, "b");
  const random = seeded(9);
  let hits = 0;
  for (let i = 0; i < 4000; i++) if (chooseTcpCluster(snapshot, chain, random)?.name === "a") hits++;
  assert.ok(Math.abs(hits - 3000) < 5 * Math.sqrt(4000 * 0.75 * 0.25), String(hits));
  const single = listenerOf({ filter_chains: [tcp({ cluster: "b" })] });
  const [only] = single.listener.chains;
  assert.ok(only !== undefined);
  assert.equal(chooseTcpCluster(single.snapshot, only, numbers(0.9))?.name, "b");
  assert.equal(chooseTcpCluster(emptySnapshot, only, numbers(0.9)), undefined);
});
