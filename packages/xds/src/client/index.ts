export type { AdsClientOptions } from "./ads-client.ts";
export { AdsClient } from "./ads-client.ts";
export type { BackoffOptions } from "./backoff.ts";
export type { CallOptions, DialOptions } from "./grpc-connection.ts";
export { GrpcConnection } from "./grpc-connection.ts";
export type { AdsClientState, TypeState } from "./state.ts";
export type { ReceivedResource, Rejection, ResourceUpdate, UpdateResult } from "./update.ts";
