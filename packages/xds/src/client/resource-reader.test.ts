import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import { AnySchema } from "@bufbuild/protobuf/wkt";
import { CLUSTER_TYPE, ClusterSchema, ENDPOINT_TYPE, LISTENER_TYPE, ListenerSchema, packAny } from "../api/index.ts";
import { endpoints } from "../testing/resources.ts";
import { ClusterLoadAssignmentSchema } from "../api/index.ts";
import { readResources } from "./resource-reader.ts";

function clusterEntry(name: string, ownName = name) {
  return { name, version: "1", resource: packAny(ClusterSchema, { name: ownName }) };
}

describe("a response's resources", () => {
  it("are read with their names, which the message tells when the response does not", () => {
    const read = readResources(ENDPOINT_TYPE, [
      { name: "", version: "7", resource: packAny(ClusterLoadAssignmentSchema, endpoints("a")) },
    ]);
    assert.deepEqual(read.unreadable, []);
    assert.equal(read.resources[0]?.name, "a");
    assert.equal(read.resources[0]?.version, "7");
  });

  const broken = [
    ["has no body", { name: "x", version: "1" }, /no body/],
    [
      "is of another type",
      { name: "x", version: "1", resource: packAny(ListenerSchema, { name: "x" }) },
      /expected .*Cluster/,
    ],
    [
      "cannot be decoded",
      {
        name: "x",
        version: "1",
        resource: create(AnySchema, { typeUrl: CLUSTER_TYPE, value: new Uint8Array([0x0a, 9]) }),
      },
      /cannot be decoded/,
    ],
    ["calls itself otherwise", clusterEntry("x", "y"), /calls itself "y"/],
    ["has no name", clusterEntry(""), /no name/],
  ] as const;
  for (const [title, entry, error] of broken) {
    it(`are kept when another ${title}`, () => {
      const read = readResources(CLUSTER_TYPE, [clusterEntry("good"), entry]);
      assert.deepEqual(
        read.resources.map((resource) => resource.name),
        ["good"],
      );
      assert.equal(read.unreadable.length, 1);
      assert.match(read.unreadable[0]?.error ?? "", error);
    });
  }

  it("are refused when one name comes twice, for nothing says which is meant", () => {
    const read = readResources(CLUSTER_TYPE, [
      clusterEntry("x"),
      clusterEntry("y"),
      clusterEntry("x"),
      clusterEntry("x"),
    ]);
    assert.deepEqual(
      read.resources.map((resource) => resource.name),
      ["y"],
    );
    assert.deepEqual(read.unreadable, [{ name: "x", error: "the name appears twice in one response" }]);
  });

  it("are refused when their type is unknown", () => {
    const typeUrl = "type.googleapis.com/example.v1.Unknown";
    const read = readResources(typeUrl, [{ name: "x", version: "1", resource: create(AnySchema, { typeUrl }) }]);
    assert.match(read.unreadable[0]?.error ?? "", /not a known type/);
    assert.notEqual(typeUrl, LISTENER_TYPE);
  });
});
