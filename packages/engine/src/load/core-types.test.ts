import assert from "node:assert/strict";
import { test } from "node:test";
import { AddressSchema, DataSourceSchema, type JsonObject, MetadataSchema } from "@heddle/xds/api";
import { fromEnvoyJson } from "../testing/harness.ts";
import { loadAddress, loadDataSource, loadFraction, loadMetadata, loadRuntimeFraction } from "./core-types.ts";
import { Loading, type LoadOptions, Path } from "./loading.ts";

const at = new Path("here");

test("an address is an IP literal and a port, in canonical form", () => {
  const load = (socket: JsonObject, names: "names" | "ip-only" = "ip-only") => {
    const loading = new Loading({});
    const address = loadAddress(fromEnvoyJson(AddressSchema, { socket_address: socket }), at, loading, names);
    return loading.problems.length === 0 ? address : loading.problems.map(({ path, message }) => `${path}: ${message}`);
  };
  assert.deepEqual(load({ address: "10.0.0.1", port_value: 80 }), { host: "10.0.0.1", port: 80 });
  assert.deepEqual(load({ address: "2001:DB8:0::1", port_value: 0 }), { host: "2001:db8::1", port: 0 });
  assert.deepEqual(load({ address: "::ffff:10.0.0.1", port_value: 1 }), { host: "10.0.0.1", port: 1 });
  assert.deepEqual(load({ address: "db.example", port_value: 5432 }, "names"), { host: "db.example", port: 5432 });
  assert.deepEqual(load({ address: "db.example", port_value: 5432 }), [
    'here.socket_address.address: "db.example" is not an IP address',
  ]);
  assert.deepEqual(load({ address: "", port_value: 1 }, "names"), [
    'here.socket_address.address: "" is not an IP address',
  ]);
  assert.deepEqual(load({ address: "10.0.0.1" }), ["here.socket_address.port_value: a port is required"]);
  assert.deepEqual(load({ address: "10.0.0.1", port_value: 65536 }), [
    "here.socket_address.port_value: 65536 is not between 0 and 65535",
  ]);
});

test("data comes inline, from a file or from the environment", () => {
  const load = (source: JsonObject, options: LoadOptions = {}): string | string[] | undefined => {
    const loading = new Loading(options);
    const text = loadDataSource(fromEnvoyJson(DataSourceSchema, source), at, loading);
    return loading.problems.length === 0 ? text : loading.problems.map(({ path, message }) => `${path}: ${message}`);
  };
  const options: LoadOptions = {
    readFile: (path) => (path === "/there" ? new TextEncoder().encode("from file") : undefined),
    environment: { NAME: "from environment" },
  };
  assert.equal(load({ inline_string: "text" }), "text");
  assert.equal(load({ inline_bytes: Buffer.from("bytes").toString("base64") }), "bytes");
  assert.equal(load({ filename: "/there" }, options), "from file");
  assert.equal(load({ environment_variable: "NAME" }, options), "from environment");
  assert.deepEqual(load({ filename: "/nowhere" }, options), ["here.filename: /nowhere: the file cannot be read"]);
  assert.deepEqual(load({ filename: "/there" }), ["here.filename: /there: files are not read here"]);
  assert.deepEqual(load({ environment_variable: "OTHER" }, options), ["here.environment_variable: OTHER is not set"]);
  assert.deepEqual(load({}), ["here: there is no data"]);
});

test("metadata values are strings, others as JSON", () => {
  const metadata = fromEnvoyJson(MetadataSchema, {
    filter_metadata: { istio: { workload: "a;b", count: 2, list: ["x"] } },
  });
  assert.deepEqual(loadMetadata(metadata), { istio: { workload: "a;b", count: "2", list: '["x"]' } });
});

test("an absent percentage is none at all", () => {
  assert.deepEqual(loadFraction(undefined), { numerator: 0, denominator: 100 });
  assert.equal(loadRuntimeFraction(undefined), undefined);
});

test("a path is made of fields, indexes and keys", () => {
  assert.equal(new Path("a").field("b").index(0).key("k").field("c").toString(), 'a.b[0]["k"].c');
  assert.equal(new Path("").field("b").toString(), "b");
});
