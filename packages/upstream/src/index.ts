export type {
  ExchangeConnection,
  ExchangeFailure,
  ExchangeSink,
  UpstreamExchange,
  UpstreamTransport,
} from "./exchange.ts";
export type { Dialing, DialOptions, DialOwner } from "./dial.ts";
export { HealthChecks } from "./health/health-checks.ts";
export type { HealthChecksOptions } from "./health/health-checks.ts";
export type { CheckCount } from "./health/endpoint-check.ts";
export { nameKeepingOf, PooledTransport } from "./transport.ts";
export type { PooledTransportOptions } from "./transport.ts";
export { Tunnels } from "./tunnels.ts";
export type { UpstreamTimers } from "./timers.ts";
export { ClientTlsContexts } from "./tls/client-contexts.ts";
export { MadeOfSecrets } from "./tls/made-of-secrets.ts";
export { peerPolicyOf } from "./tls/peer-policy.ts";
export type { BuiltPolicy, SecretLookup } from "./tls/peer-policy.ts";
export { DnsClusters } from "./dns/dns-clusters.ts";
export type { DnsClustersOptions, LookupOutcome } from "./dns/dns-clusters.ts";
export type { DnsQuestion, ResolvedName, ResolveName } from "./dns/question.ts";
export { systemResolver } from "./dns/system-resolver.ts";
