export type { AdsClientOptions } from "./ads-client.ts";
export { AdsClient } from "./ads-client.ts";
export type { BackoffOptions } from "./backoff.ts";
export type { AdsConnection, DialOptions } from "./dial.ts";
export { dialHttp2 } from "./dial.ts";
export type { AdsClientState, TypeState } from "./state.ts";
export type { ReceivedResource, Rejection, ResourceUpdate, UpdateResult } from "./update.ts";
