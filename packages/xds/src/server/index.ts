export type { AdsServerOptions, Authorization } from "./ads-server.ts";
export { AdsServer } from "./ads-server.ts";
export { keepAlive } from "./keep-alive.ts";
export type { Nack, ProxyStatus, TypeStatus } from "./proxy-status.ts";
export type { ResourceSnapshot, VersionedResource } from "./snapshot.ts";
export { versionedResource } from "./snapshot.ts";
