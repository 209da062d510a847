import { resourceSchemas, type ResourceType, toJson, typeRegistry } from "@heddle/xds/api";
import { stringify } from "yaml";
import type { CompiledResource } from "../inputs.ts";

/** Resources as Envoy's own YAML (field names with underscores, `Any` unfolded). */
export function resourcesToYaml(resources: readonly CompiledResource[]): string {
  return resourcesToJson(resources)
    .map((resource) => stringify(resource, { lineWidth: 0 }))
    .join("---\n");
}

/** The same as values. */
export function resourcesToJson(resources: readonly CompiledResource[]): unknown[] {
  return resources.map(({ message }) => resourceToJson(message));
}

function resourceToJson(message: CompiledResource["message"]): unknown {
  const schema = resourceSchemas[`type.googleapis.com/${message.$typeName}` as ResourceType];
  return toJson(schema, message as never, { registry: typeRegistry, useProtoFieldName: true });
}
