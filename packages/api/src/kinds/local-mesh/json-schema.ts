import { metadataFields } from "../../metadata.ts";
import { toJsonSchema } from "../../schema/json-schema.ts";
import type { JsonSchema } from "../../schema/json-schema.ts";
import { localMeshFields } from "./fields.ts";

/** The published JSON schema of a whole LocalMesh document. */
export function localMeshJsonSchema(): JsonSchema {
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "LocalMesh",
    description: "What `heddle up` starts: workloads, their services and the edge.",
    type: "object",
    properties: {
      apiVersion: { const: "heddle.dev/v1alpha1" },
      kind: { const: "LocalMesh" },
      metadata: toJsonSchema(metadataFields),
      spec: toJsonSchema(localMeshFields),
      status: {},
    },
    required: ["apiVersion", "kind", "metadata", "spec"],
    additionalProperties: false,
  };
}
