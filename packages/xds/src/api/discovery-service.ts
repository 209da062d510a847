// The discovery services, for clients and servers of them: aggregated, and of secrets.
export * from "../gen/envoy/service/discovery/v3/ads_pb.ts";
export { SecretDiscoveryService } from "../gen/envoy/service/secret/v3/sds_pb.ts";
