export type {
  CertificateMaterial,
  ClientTlsContext,
  ClientTlsOptions,
  ServerTlsContext,
  ServerTlsOptions,
} from "./tls-context.ts";
export type { BuiltContext, TlsContextOptions } from "./tls-context.ts";
export { buildClientContext, buildServerContext, contextForServer } from "./tls-context.ts";
export type { Certificate } from "./certificate.ts";
export { certificatePem, derBlocks, parseCertificate, parseCertificatesPem } from "./certificate.ts";
export type {
  ConnectionInspection,
  InspectionHandler,
  InspectionStat,
  Inspector,
  ProtocolDecision,
} from "./connection-inspector.ts";
export { inspectConnection, nothingKnown } from "./connection-inspector.ts";
export { beginNoConnections } from "./refuse-connections.ts";
export { adoptDescriptor, duplicateDescriptor, releaseDescriptor } from "./descriptor.ts";
export type { SocketHandler } from "./fast-socket.ts";
export { FastSocket } from "./fast-socket.ts";
export type { InheritedDescriptors } from "./inherited-descriptors.ts";
export {
  formatInheritedDescriptors,
  listenDescriptorsVariable,
  parseInheritedDescriptors,
} from "./inherited-descriptors.ts";
export type { SocketAddress } from "./ip-address.ts";
export { canonicalHost, formatAddress, parseAddress } from "./ip-address.ts";
export type { HeldPort, Listener, ListenerOptions } from "./listener.ts";
export { holdPort, ListenError, openListener } from "./listener.ts";
export { parseNameServers } from "./name-servers.ts";
export { onNetworkOf } from "./network-namespace.ts";
export { originalDestinationProblem } from "./original-destination.ts";
export { peerChain } from "./peer-chain.ts";
export { PeerIdentity } from "./peer-identity.ts";
export type { PeerPolicy, PeerRefusal, PeerVerdict, SanMatcher } from "./peer-verification.ts";
export { verifyPeer } from "./peer-verification.ts";
export type { RevocationList } from "./revocation-list.ts";
export { parseRevocationListsPem } from "./revocation-list.ts";
export type { RuntimeEdge } from "./runtime-edges.ts";
export type { ProxiedAddresses, ProxyTlv } from "./proxy-protocol.ts";
export { formatProxyHeader } from "./proxy-protocol.ts";
export { exactDnsName, exactIpAddress, exactUri } from "./san-matcher.ts";
export type { EdgeReport } from "./self-test.ts";
export { selfTestRuntime } from "./self-test.ts";
export type { SocketFailure } from "./socket-failure.ts";
export { causeOf } from "./socket-failure.ts";
export type { StreamSocket } from "./stream-socket.ts";
export type { TcpKeepalive } from "./tcp-keepalive.ts";
export { checkTlsKeyLog, logTlsKeysTo } from "./tls-key-log.ts";
export type { TlsSession } from "./tls-session.ts";
export { SharedIntermediates } from "./shared-intermediates.ts";
export type { IntermediatePool } from "./trust-anchors.ts";
export { KnownIntermediates, TrustAnchors } from "./trust-anchors.ts";
export type { VirtualCarrier, VirtualEnds } from "./virtual-socket.ts";
export { VirtualSocket } from "./virtual-socket.ts";
export { flushShared } from "./turn.ts";
