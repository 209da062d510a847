import assert from "node:assert/strict";
import { test } from "node:test";
import { ClusterSchema, type JsonObject } from "@heddle/xds/api";
import { clusterJson, fromEnvoyJson, problemsOf } from "../testing/harness.ts";
import { loadCluster } from "./cluster.ts";

test("sources of connections have no port, and are of one family each", () => {
  const refused = (...addresses: JsonObject[]): string[] =>
    problemsOf(
      loadCluster(
        fromEnvoyJson(
          ClusterSchema,
          clusterJson("c", [{}], {
            upstream_bind_config: {
              source_address: addresses[0] ?? {},
              extra_source_addresses: addresses.slice(1).map((address) => ({ address })),
            },
          }),
        ),
      ),
    );
  const at = "upstream_bind_config";
  assert.deepEqual(refused({ address: "127.0.0.1", port_value: 7 }), [
    `${at}.source_address: connections at one time cannot have one port`,
  ]);
  assert.deepEqual(refused({ address: "127.0.0.1", port_value: 0 }, { address: "127.0.0.2", port_value: 0 }), [
    `${at}.extra_source_addresses: two addresses are of one family`,
  ]);
});
