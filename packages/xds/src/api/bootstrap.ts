// What a proxy's own file holds (`heddle proxy -c envoy.yaml`). Apart from the index because only
// the proxy reads it.
export * from "../gen/envoy/config/bootstrap/v3/bootstrap_pb.ts";
export * from "../gen/envoy/config/overload/v3/overload_pb.ts";
export * from "../gen/envoy/extensions/resource_monitors/downstream_connections/v3/downstream_connections_pb.ts";
export * from "../gen/envoy/extensions/resource_monitors/fixed_heap/v3/fixed_heap_pb.ts";
