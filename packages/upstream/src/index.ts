export type {
  ExchangeConnection,
  ExchangeFailure,
  ExchangeSink,
  UpstreamExchange,
  UpstreamTransport,
} from "./exchange.ts";
export { Http1Transport } from "./http1/transport.ts";
export type { Http1TransportOptions, UpstreamTimers } from "./http1/transport.ts";
export { ClientTlsContexts } from "./tls/client-contexts.ts";
export { peerPolicyOf } from "./tls/peer-policy.ts";
export type { BuiltPolicy, SecretLookup } from "./tls/peer-policy.ts";
export { DnsClusters } from "./dns/dns-clusters.ts";
export type { DnsClustersOptions, ResolvedName, ResolveName } from "./dns/dns-clusters.ts";
export { systemResolver } from "./dns/system-resolver.ts";
