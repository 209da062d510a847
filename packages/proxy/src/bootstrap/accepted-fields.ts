import { type DescMessage, isFieldSet, type Message } from "@bufbuild/protobuf";
import type { DocumentPath } from "./source.ts";

/**
 * The fields of a bootstrap that are honoured, by message. Resources in it have a table of their own in the engine's
 * loader. What is set and stands in neither is refused: a setting without effect is worse than none.
 */
const accepted: Readonly<Record<string, readonly string[]>> = {
  "envoy.config.bootstrap.v3.Bootstrap": ["node", "static_resources", "dynamic_resources", "admin"],
  "envoy.config.bootstrap.v3.Bootstrap.StaticResources": ["listeners", "clusters", "secrets"],
  "envoy.config.bootstrap.v3.Bootstrap.DynamicResources": ["lds_config", "cds_config", "ads_config"],
  "envoy.config.bootstrap.v3.Admin": ["address"],
  "envoy.config.core.v3.Address": ["socket_address"],
  "envoy.config.core.v3.SocketAddress": ["protocol", "address", "port_value"],
  "envoy.config.core.v3.Node": ["id", "cluster", "metadata", "locality", "user_agent_name", "user_agent_version"],
  "envoy.config.core.v3.Locality": ["region", "zone", "sub_zone"],
  "envoy.config.core.v3.ConfigSource": ["ads", "resource_api_version", "initial_fetch_timeout"],
  "envoy.config.core.v3.AggregatedConfigSource": [],
  "envoy.config.core.v3.ApiConfigSource": ["api_type", "transport_api_version", "grpc_services", "set_node_on_first_message_only"],
  "envoy.config.core.v3.GrpcService": ["envoy_grpc"],
  "envoy.config.core.v3.GrpcService.EnvoyGrpc": ["cluster_name", "retry_policy"],
  "envoy.config.core.v3.RetryPolicy": ["retry_back_off"],
  "envoy.config.core.v3.BackoffStrategy": ["base_interval", "max_interval"],
};

/** Fields of which only the presence is checked here. */
const opaque = new Set(["base_interval", "max_interval", "listeners", "clusters", "secrets", "metadata", "initial_fetch_timeout"]);

/** Paths of all set fields that are not honoured. */
export function findUnsupportedFields(desc: DescMessage, message: Message, path: DocumentPath = []): DocumentPath[] {
  const known = accepted[desc.typeName] ?? [];
  const found: DocumentPath[] = [];
  for (const field of desc.fields) {
    if (!isFieldSet(message, field)) continue;
    const fieldPath = [...path, field.name];
    if (!known.includes(field.name)) {
      found.push(fieldPath);
      continue;
    }
    if (field.message === undefined || opaque.has(field.name)) continue;
    const value = valueOf(message, field.localName, field.oneof?.localName);
    if (Array.isArray(value)) {
      value.forEach((item, index) => found.push(...findUnsupportedFields(field.message, item as Message, [...fieldPath, index])));
    } else found.push(...findUnsupportedFields(field.message, value as Message, fieldPath));
  }
  return found;
}

/** protobuf-es keeps members of a oneof in one property, `{ case, value }`. */
function valueOf(message: Message, name: string, oneof: string | undefined): unknown {
  const fields = message as unknown as Record<string, unknown>;
  return oneof === undefined ? fields[name] : (fields[oneof] as { value: unknown }).value;
}
