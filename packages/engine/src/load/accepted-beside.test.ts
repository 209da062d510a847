import assert from "node:assert/strict";
import { test } from "node:test";
import { acceptedBeside } from "./accepted-beside.ts";

const accepted = {
  "envoy.extensions.filters.http.router.v3.Router": {},
  "envoy.extensions.filters.http.rbac.v3.RBAC": {},
  "envoy.extensions.filters.http.rbac.v3.RBACPerRoute": {},
  "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy": {},
  "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.WeightedCluster": {},
  "envoy.config.cluster.v3.Cluster": {},
};

test("beside an extension stand those of its own category, each once", () => {
  assert.deepEqual(acceptedBeside("envoy.extensions.filters.http.lua.v3.Lua", accepted), ["rbac", "router"]);
  assert.deepEqual(acceptedBeside("envoy.extensions.filters.network.redis_proxy.v3.RedisProxy", accepted), [
    "tcp_proxy",
  ]);
  assert.deepEqual(acceptedBeside("envoy.config.cluster.v3.Outlier", accepted), []);
  assert.deepEqual(acceptedBeside("example.Unknown", accepted), []);
});
