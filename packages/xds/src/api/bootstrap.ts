// What a proxy's own file holds (`heddle proxy -c envoy.yaml`). Apart from the index because only
// the proxy reads it.
export * from "../gen/envoy/config/bootstrap/v3/bootstrap_pb.ts";
