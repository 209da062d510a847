export type { AuthorityOptions, IssuedIdentity, LeafOptions } from "./throwaway-ca.ts";
export { Extension, KeyUsageFlags, ThrowawayCa } from "./throwaway-ca.ts";
export type { EchoedRequest, EchoServer, EchoServerOptions } from "./echo-server.ts";
export { startEchoServer } from "./echo-server.ts";
export type { RawServer } from "./raw-client.ts";
export { connectRaw, RawPeer, startRawServer, untilRefused } from "./raw-client.ts";
export { EventWaiter } from "./event-waiter.ts";
export { isRunning } from "./process-state.ts";
export { freePort } from "./free-port.ts";
