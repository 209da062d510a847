import type { AcceptedField, AcceptedFields } from "@heddle/engine/load";

const parsing = "proxy/src/bootstrap/parse.test.ts › every accepted field of a bootstrap has its effect";
const reconnecting = "proxy/src/bootstrap/backoff.test.ts › both intervals hold as they are written";

const overload = "proxy/src/bootstrap/overload.test.ts › an overload manager's monitors, actions and triggers are read";
const timers = "proxy/src/bootstrap/overload.test.ts › reduce_timeouts has its timers, each with its minimum";
const shrinking = "proxy/src/bootstrap/overload.test.ts › shrink_heap has the interval at which the heap is collected";
const points = "proxy/src/bootstrap/overload.test.ts › load shed points have their triggers";
const tracked =
  "proxy/src/bootstrap/overload.test.ts › reset_high_memory_stream has the power of two from which streams are tracked";
const runtime = "proxy/src/bootstrap/runtime.test.ts › a later layer of the runtime wins, and its keys become limits";

/**
 * The fields of a bootstrap that are honoured, by message, each with the test that proves it. The resources in it have a
 * table of their own in the engine's loader. What is set and stands in neither is refused: a setting without effect is
 * worse than none.
 */
export const acceptedBootstrapFields: AcceptedFields = {
  "envoy.config.bootstrap.v3.Bootstrap": {
    ...accepted("node", "static_resources", "dynamic_resources", "admin"),
    overload_manager: { proof: overload },
    layered_runtime: { proof: runtime },
  },
  "envoy.config.bootstrap.v3.LayeredRuntime": { layers: { proof: runtime } },
  "envoy.config.bootstrap.v3.RuntimeLayer": { name: { proof: runtime }, static_layer: { proof: runtime } },
  "envoy.config.overload.v3.OverloadManager": {
    ...by(overload, "refresh_interval", "resource_monitors", "actions"),
    loadshed_points: { proof: points },
    buffer_factory_config: { proof: tracked },
  },
  "envoy.config.overload.v3.BufferFactoryConfig": by(tracked, "minimum_account_to_track_power_of_two"),
  "envoy.config.overload.v3.LoadShedPoint": by(points, "name", "triggers"),
  "envoy.config.overload.v3.ResourceMonitor": by(overload, "name", "typed_config"),
  "envoy.config.overload.v3.OverloadAction": {
    ...by(overload, "name", "triggers"),
    typed_config: { proof: timers },
  },
  "envoy.config.overload.v3.ScaleTimersOverloadActionConfig": by(timers, "timer_scale_factors"),
  "envoy.config.overload.v3.ScaleTimersOverloadActionConfig.ScaleTimer": by(
    timers,
    "timer",
    "min_timeout",
    "min_scale",
    "triggers",
  ),
  "envoy.config.overload.v3.ShrinkHeapConfig": by(shrinking, "timer_interval"),
  "envoy.type.v3.Percent": by(timers, "value"),
  "envoy.config.overload.v3.Trigger": by(overload, "name", "threshold", "scaled"),
  "envoy.config.overload.v3.ThresholdTrigger": by(overload, "value"),
  "envoy.config.overload.v3.ScaledTrigger": by(overload, "scaling_threshold", "saturation_threshold"),
  "envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig": by(overload, "max_heap_size_bytes"),
  "envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig": by(
    overload,
    "max_active_downstream_connections",
  ),
  "envoy.config.bootstrap.v3.Bootstrap.StaticResources": {
    ...accepted("clusters", "secrets"),
    listeners: { proof: "proxy/src/bootstrap/parse.test.ts › the example has a listener and a cluster" },
  },
  "envoy.config.bootstrap.v3.Bootstrap.DynamicResources": accepted("lds_config", "cds_config", "ads_config"),
  "envoy.config.bootstrap.v3.Admin": accepted("address"),
  "envoy.config.core.v3.Address": accepted("socket_address"),
  "envoy.config.core.v3.SocketAddress": {
    ...accepted("address", "port_value"),
    protocol: { proof: parsing, values: ["TCP"], withoutEffect: "TCP is the only protocol, and the default" },
  },
  "envoy.config.core.v3.Node": {
    ...accepted("id", "cluster", "metadata", "locality"),
    ...without("a proxy says itself what it is", "user_agent_name", "user_agent_version"),
  },
  "envoy.config.core.v3.Locality": accepted("region", "zone", "sub_zone"),
  "envoy.config.core.v3.ConfigSource": {
    ...accepted("ads"),
    ...without("only 0s is supported: a proxy waits until it is configured", "initial_fetch_timeout"),
    resource_api_version: { proof: parsing, values: ["AUTO", "V3"], withoutEffect: "only version 3 is spoken" },
  },
  "envoy.config.core.v3.AggregatedConfigSource": {},
  "envoy.config.core.v3.ApiConfigSource": {
    ...accepted("grpc_services"),
    ...without("the node is never sent again", "set_node_on_first_message_only"),
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

function by(proof: string, ...fields: readonly string[]): Record<string, AcceptedField> {
  return Object.fromEntries(fields.map((field) => [field, { proof }]));
}

function accepted(...fields: readonly string[]): Record<string, { readonly proof: string }> {
  return Object.fromEntries(fields.map((field) => [field, { proof: parsing }]));
}

function without(reason: string, ...fields: readonly string[]): Record<string, AcceptedField> {
  return Object.fromEntries(fields.map((field) => [field, { proof: parsing, withoutEffect: reason }]));
}
