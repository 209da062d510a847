// The aggregated discovery service, for clients and servers of it.
export * from "../gen/envoy/service/discovery/v3/ads_pb.ts";
