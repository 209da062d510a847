import assert from "node:assert/strict";
import { test } from "node:test";
import { fromJson, toBinary } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { silentLogger } from "@heddle/core";
import { CLUSTER_TYPE, ClusterSchema } from "@heddle/xds/api";
import { Configuration } from "./configuration.ts";
import type { SocketBroker } from "./socket-broker.ts";

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
