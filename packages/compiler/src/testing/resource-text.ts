import { createRegistry, type DescMessage, toJson } from "@bufbuild/protobuf";
import * as api from "@heddle/xds/api";
import { stringify } from "yaml";
import type { CompiledResource } from "../inputs.ts";

/** Every message of the API, so that whatever stands in an `Any` can be shown. */
const registry = createRegistry(...Object.values<unknown>(api).filter(isMessage));

/** Resources as Envoy's own YAML (field names with underscores, `Any` unfolded). */
export function resourcesToYaml(resources: readonly CompiledResource[]): string {
  return resources.map(({ message }) => stringify(resourceToJson(message), { lineWidth: 0 })).join("---\n");
}

export function resourceToJson(message: CompiledResource["message"]): unknown {
  const schema = api.resourceSchemas[`type.googleapis.com/${message.$typeName}` as api.ResourceType];
  return toJson(schema, message as never, { registry, useProtoFieldName: true });
}

function isMessage(value: unknown): value is DescMessage {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === "message";
}
