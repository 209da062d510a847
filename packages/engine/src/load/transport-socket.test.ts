import assert from "node:assert/strict";
import { test } from "node:test";
import { ClusterSchema } from "@heddle/xds/api";
import { configOf, fromEnvoyJson, problemsOf } from "../testing/harness.ts";
import { loadCluster } from "./cluster.ts";

const type = "type.googleapis.com/envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport";
const raw = {
  name: "raw",
  typed_config: { "@type": "type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer" },
};

function message(config: object) {
  return fromEnvoyJson(ClusterSchema, {
    name: "c",
    type: "STATIC",
    load_assignment: { cluster_name: "c" },
    transport_socket: { name: "proxy", typed_config: { "@type": type, ...config } },
  });
}

test("a PROXY protocol header goes around the socket below it, and is of version 1 unless said", () => {
  assert.deepEqual(configOf(loadCluster(message({ transport_socket: raw }))).transport, {
    default: undefined,
    proxyProtocol: { version: 1, passedTlvs: [] },
    matches: [],
  });
  const full = { config: { version: "V2", pass_through_tlvs: { match_type: "INCLUDE", tlv_type: [1, 224] } } };
  assert.deepEqual(configOf(loadCluster(message({ ...full, transport_socket: raw }))).transport.proxyProtocol, {
    version: 2,
    passedTlvs: [1, 224],
  });
});

test("a header around nothing, within another header, or with TLVs of no type is refused", () => {
  assert.deepEqual(problemsOf(loadCluster(message({}))), [
    "transport_socket.typed_config.transport_socket: it is missing",
  ]);
  const twice = { name: "proxy", typed_config: { "@type": type, transport_socket: raw } };
  assert.match(problemsOf(loadCluster(message({ transport_socket: twice }))).join(), /is not supported here/);
  const config = { pass_through_tlvs: { match_type: "INCLUDE", tlv_type: [256] } };
  assert.match(
    problemsOf(loadCluster(message({ config, transport_socket: raw }))).join(),
    /pass_through_tlvs\.tlv_type\[0\]/,
  );
});
