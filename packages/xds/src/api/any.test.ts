import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create, fromJson, toJson } from "@bufbuild/protobuf";
import { AnySchema } from "@bufbuild/protobuf/wkt";
import {
  CLUSTER_TYPE,
  HttpConnectionManagerSchema,
  HttpFilterSchema,
  ListenerSchema,
  packAny,
  resourceSchemas,
  RouterSchema,
  typeRegistry,
  typeUrlOf,
  unpackAny,
} from "./index.ts";

describe("Any", () => {
  it("carries a message under Envoy's type URL and gives it back", () => {
    const any = packAny(RouterSchema, { suppressEnvoyHeaders: true });
    assert.equal(any.typeUrl, "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router");
    assert.deepEqual(unpackAny(any), create(RouterSchema, { suppressEnvoyHeaders: true }));
    assert.equal(unpackAny(any, RouterSchema)?.suppressEnvoyHeaders, true);
  });

  it("is undefined inside when the type is unknown or another one was asked for", () => {
    const unknown = create(AnySchema, { typeUrl: "type.googleapis.com/example.v1.Unknown" });
    assert.equal(unpackAny(unknown), undefined);
    assert.equal(unpackAny(packAny(RouterSchema, {}), ListenerSchema), undefined);
  });

  it("throws for bytes that are not the message they claim to be", () => {
    const broken = create(AnySchema, { typeUrl: CLUSTER_TYPE, value: new Uint8Array([0x0a, 0xff]) });
    assert.throws(() => unpackAny(broken));
  });
});

describe("resource types", () => {
  it("have the type URLs of their schemas", () => {
    for (const [typeUrl, schema] of Object.entries(resourceSchemas)) {
      assert.equal(typeUrl, typeUrlOf(schema));
      assert.equal(typeRegistry.getMessage(schema.typeName), schema);
    }
  });

  it("read Envoy's JSON with nested typed configs and write it back", () => {
    const json = {
      name: "http",
      address: { socketAddress: { address: "127.0.0.1", portValue: 8080 } },
      filterChains: [
        {
          filters: [
            {
              name: "envoy.filters.network.http_connection_manager",
              typedConfig: {
                "@type": typeUrlOf(HttpConnectionManagerSchema),
                statPrefix: "ingress",
                httpFilters: [
                  { name: "envoy.filters.http.router", typedConfig: { "@type": typeUrlOf(RouterSchema) } },
                  {
                    name: "heddle.standard_metrics",
                    typedConfig: {
                      "@type": "type.googleapis.com/heddle.v1.StandardMetrics",
                      reporter: "REPORTER_SOURCE",
                    },
                  },
                ],
              },
            },
          ],
        },
      ],
    };
    const options = { registry: typeRegistry };
    const listener = fromJson(ListenerSchema, json, options);
    assert.deepEqual(toJson(ListenerSchema, listener, options), json);
    const typed = listener.filterChains[0]?.filters[0]?.configType;
    assert.equal(typed?.case, "typedConfig");
    const manager = typed?.case === "typedConfig" ? unpackAny(typed.value, HttpConnectionManagerSchema) : undefined;
    assert.equal(manager?.httpFilters.length, 2);
    assert.equal(manager?.httpFilters[0]?.$typeName, HttpFilterSchema.typeName);
  });

  it("accept the snake_case names of Envoy's own examples", () => {
    const listener = fromJson(ListenerSchema, { stat_prefix: "x", per_connection_buffer_limit_bytes: 1024 });
    assert.equal(listener.perConnectionBufferLimitBytes, 1024);
  });
});
