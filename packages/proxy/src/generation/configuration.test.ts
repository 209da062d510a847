import assert from "node:assert/strict";
import { test } from "node:test";
import { fromJson, toBinary } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { silentLogger } from "@heddle/core";
import { ThrowawayCa } from "@heddle/testkit";
import { CLUSTER_TYPE, ClusterSchema, typeRegistry } from "@heddle/xds/api";
import { cluster } from "../testing/bootstrap-json.ts";
import type { ActiveChange } from "./active-configuration.ts";
import { Configuration } from "./configuration.ts";
import type { SocketBroker } from "./socket-broker.ts";
import type { WorkerPool } from "./worker-pool.ts";

test("a resource in force keeps no other bytes than its own", async () => {
  // Clusters need no socket.
  const configuration = new Configuration({} as SocketBroker, undefined, silentLogger);
  const ads = { ads: {}, resource_api_version: "V3" };
  const json = { name: "a", type: "EDS", connect_timeout: "1s", eds_cluster_config: { eds_config: ads } };
  const message = fromJson(ClusterSchema, json);
  const bytes = toBinary(ClusterSchema, message);
  // As it comes from a connection: a part of a buffer of the runtime's that holds all that came with it.
  const all = Buffer.alloc(100_000);
  all.set(bytes, 50_000);
  const value = all.subarray(50_000, 50_000 + bytes.length);
  const resource = { ...anyPack(ClusterSchema, message), value };
  const added = [{ name: "a", version: "1", message, resource }];
  const { rejected } = await configuration.applyUpdate({ type: CLUSTER_TYPE, added, removed: [], isFull: true });
  assert.deepEqual(rejected, []);
  const [held] = configuration.held();
  assert.deepEqual([...(held?.value ?? [])], [...bytes]);
  assert.equal(held?.value.buffer.byteLength, bytes.length);
});

test("what a worker could not take is given to it again when it comes again, and what all have taken is not", async () => {
  const configuration = new Configuration({} as SocketBroker, undefined, silentLogger);
  const given: ActiveChange[] = [];
  const problems: (string | undefined)[] = ["no memory", undefined];
  configuration.connect({
    configure: (change: ActiveChange) => {
      given.push(change);
      return Promise.resolve(problems.shift());
    },
  } as unknown as WorkerPool);
  const { chainPem, privateKeyPem } = await (await ThrowawayCa.create()).issue("spiffe://cluster.local/ns/a/sa/a");
  const certificate = { certificate_chain: { inline_string: chainPem }, private_key: { inline_string: privateKeyPem } };
  const json = cluster("up", [1], {
    transport_socket: {
      name: "tls",
      typed_config: {
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        common_tls_context: { tls_certificates: [certificate] },
      },
    },
  });
  const message = fromJson(ClusterSchema, json as never, { registry: typeRegistry });
  const added = [{ name: "up", version: "1", message, resource: anyPack(ClusterSchema, message) }];
  const update = { type: CLUSTER_TYPE, added, removed: [], isFull: true };
  assert.deepEqual(await configuration.applyUpdate(update), { rejected: [{ name: "up", error: "no memory" }] });
  for (let repetition = 0; repetition < 2; repetition++)
    assert.deepEqual(await configuration.applyUpdate(update), { rejected: [] });
  assert.deepEqual(
    given.map(({ delta, secrets }) => [delta.clusters?.set.map(({ name }) => name), secrets.set.length]),
    [
      [["up"], 1],
      [["up"], 1],
    ],
  );
});
