export type {
  ExchangeConnection,
  ExchangeFailure,
  ExchangeSink,
  UpstreamExchange,
  UpstreamTransport,
} from "./exchange.ts";
export { PooledTransport } from "./transport.ts";
export type { PooledTransportOptions } from "./transport.ts";
export type { UpstreamTimers } from "./timers.ts";
export { ClientTlsContexts } from "./tls/client-contexts.ts";
export { peerPolicyOf } from "./tls/peer-policy.ts";
export type { BuiltPolicy, SecretLookup } from "./tls/peer-policy.ts";
export { DnsClusters } from "./dns/dns-clusters.ts";
export type { DnsClustersOptions, ResolvedName, ResolveName } from "./dns/dns-clusters.ts";
export { systemResolver } from "./dns/system-resolver.ts";
