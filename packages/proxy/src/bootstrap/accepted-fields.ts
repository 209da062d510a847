import type { AcceptedFields } from "@heddle/engine/load";

const parsing = "proxy/src/bootstrap/parse.test.ts › every accepted field of a bootstrap has its effect";
const reconnecting = "proxy/src/bootstrap/backoff.test.ts › both intervals hold as they are written";

/**
 * The fields of a bootstrap that are honoured, by message, each with the test that proves it. The resources in it have a
 * table of their own in the engine's loader. What is set and stands in neither is refused: a setting without effect is
 * worse than none.
 */
export const acceptedBootstrapFields: AcceptedFields = {
  "envoy.config.bootstrap.v3.Bootstrap": accepted("node", "static_resources", "dynamic_resources", "admin"),
  "envoy.config.bootstrap.v3.Bootstrap.StaticResources": accepted("listeners", "clusters", "secrets"),
  "envoy.config.bootstrap.v3.Bootstrap.DynamicResources": accepted("lds_config", "cds_config", "ads_config"),
  "envoy.config.bootstrap.v3.Admin": accepted("address"),
  "envoy.config.core.v3.Address": accepted("socket_address"),
  "envoy.config.core.v3.SocketAddress": {
    ...accepted("address", "port_value"),
    protocol: { proof: parsing, values: ["TCP"] },
  },
  "envoy.config.core.v3.Node": accepted(
    "id",
    "cluster",
    "metadata",
    "locality",
    "user_agent_name",
    "user_agent_version",
  ),
  "envoy.config.core.v3.Locality": accepted("region", "zone", "sub_zone"),
  "envoy.config.core.v3.ConfigSource": {
    ...accepted("ads", "initial_fetch_timeout"),
    resource_api_version: { proof: parsing, values: ["AUTO", "V3"] },
  },
  "envoy.config.core.v3.AggregatedConfigSource": {},
  "envoy.config.core.v3.ApiConfigSource": {
    ...accepted("grpc_services", "set_node_on_first_message_only"),
    api_type: { proof: parsing, values: ["GRPC", "DELTA_GRPC"] },
    transport_api_version: { proof: parsing, values: ["V3"] },
  },
  "envoy.config.core.v3.GrpcService": accepted("envoy_grpc"),
  "envoy.config.core.v3.GrpcService.EnvoyGrpc": { ...accepted("cluster_name"), retry_policy: { proof: reconnecting } },
  "envoy.config.core.v3.RetryPolicy": { retry_back_off: { proof: reconnecting } },
  "envoy.config.core.v3.BackoffStrategy": {
    base_interval: { proof: reconnecting },
    max_interval: { proof: reconnecting },
  },
};

function accepted(...fields: readonly string[]): Record<string, { readonly proof: string }> {
  return Object.fromEntries(fields.map((field) => [field, { proof: parsing }]));
}
