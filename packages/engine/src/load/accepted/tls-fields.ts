import type { AcceptedFields } from "../field-walker.ts";
import { onlyDefault, mutualTls, through, withoutEffect, proven, enumerated } from "./proofs.ts";

const serverTlsLoads = "engine/src/load/tls.test.ts › a server's TLS context arrives";
const clientTlsLoads = "engine/src/load/tls.test.ts › a client's TLS context arrives";
const validationLoads =
  "engine/src/load/tls.test.ts › a validation context's anchors, names, CRL and verification arrive";
const onlyVersion3 = "version 3 of the API is the only one that is spoken";
const noGrpc = "the local identity is asked within the process, by whatever protocol it is named";
const secretSources =
  "engine/src/load/tls.test.ts › secrets come from ADS, the local identity, the bootstrap or the context itself";
const dataSource = "engine/src/load/core-types.test.ts › data comes inline, from a file or from the environment";
const sni = through(clientTlsLoads, "net/src/fast-socket.test.ts › both sides know who the other is, and bytes travel");
const sanTypes = through(
  validationLoads,
  "upstream/src/tls/peer-policy.test.ts › a name of each type is compared with the certificate's names of that type alone",
);
const clientRequired = "proxy/src/worker/mesh.test.ts › a client without a certificate, or in plaintext, is not served";
const serverName = through(serverTlsLoads, "net/src/fast-socket.test.ts › a required server name is required");
const noTickets = through(
  serverTlsLoads,
  "net/src/session-resumption.test.ts › without session tickets nothing is resumed",
);
const tlsVersions = through(
  serverTlsLoads,
  "net/src/fast-socket.test.ts › TLS 1.2 and a foreign ALPN are refused with their reason",
);
const suites = through(
  serverTlsLoads,
  "net/src/fast-socket.test.ts › TLS 1.2 is spoken with authenticated encryption alone, and by both sides only with the suites that they are given",
);
const keyExchange = through(
  serverTlsLoads,
  "net/src/fast-socket.test.ts › the key exchange uses the groups that are given",
);
const sessionKeys = through(
  clientTlsLoads,
  "net/src/client-resumption.test.ts › without max_session_keys nothing is resumed",
);
const otherIdentity = "proxy/src/worker/mesh.test.ts › an endpoint with another identity than expected gets nothing";
const secretPolicy = through(
  validationLoads,
  "upstream/src/tls/peer-policy.test.ts › anchors and names of a validation secret are used, and names beside the reference win",
);
const revocation = through(
  validationLoads,
  "upstream/src/tls/peer-policy.test.ts › a revocation list in the context is obeyed",
);
const systemStore = through(
  validationLoads,
  "upstream/src/tls/system-store.test.ts › the machine's own trust store judges where a context asks for it, and an empty one trusts nobody",
);
const secretsOverAds =
  "proxy/src/worker/trust-change.test.ts › secrets come over ADS; when an anchor is withdrawn, open connections of those it vouched for are closed and others stay";

const proxyHeader =
  "proxy/src/worker/upstream-proxy-protocol.test.ts › version 2 goes out before the client has said anything";
const tlsBehindHeader =
  "proxy/src/worker/upstream-proxy-protocol.test.ts › TLS to the endpoint begins behind the header";
const proxyTlvs = "proxy/src/worker/upstream-proxy-protocol.test.ts › TLVs are passed on as far as both sides allow";

/** TLS contexts and secrets, and where they come from. */
export const tlsFields: AcceptedFields = {
  "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer": {},
  "envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport": {
    ...proven(proxyHeader, "config"),
    ...proven(tlsBehindHeader, "transport_socket"),
  },
  "envoy.config.core.v3.ProxyProtocolConfig": {
    ...proven(proxyHeader, "version"),
    ...proven(proxyTlvs, "pass_through_tlvs"),
  },
  "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext": {
    ...proven(mutualTls, "common_tls_context"),
    ...proven(clientRequired, "require_client_certificate"),
    ...proven(serverName, "require_sni"),
    ...proven(noTickets, "disable_stateless_session_resumption"),
  },
  "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext": {
    ...proven(mutualTls, "common_tls_context"),
    ...proven(sni, "sni"),
    ...proven(sessionKeys, "max_session_keys"),
  },
  "envoy.extensions.transport_sockets.tls.v3.CommonTlsContext": {
    ...proven(tlsVersions, "tls_params", "alpn_protocols"),
    ...proven(mutualTls, "tls_certificates", "validation_context"),
    ...proven(secretsOverAds, "tls_certificate_sds_secret_configs", "validation_context_sds_secret_config"),
    ...proven(secretPolicy, "combined_validation_context"),
  },
  "envoy.extensions.transport_sockets.tls.v3.TlsParameters": {
    ...enumerated(tlsVersions, "tls_minimum_protocol_version", "TLS_AUTO", "TLSv1_2", "TLSv1_3"),
    ...enumerated(tlsVersions, "tls_maximum_protocol_version", "TLS_AUTO", "TLSv1_2", "TLSv1_3"),
    ...proven(suites, "cipher_suites"),
    ...proven(keyExchange, "ecdh_curves"),
  },
  "envoy.extensions.transport_sockets.tls.v3.TlsCertificate": proven(mutualTls, "certificate_chain", "private_key"),
  "envoy.extensions.transport_sockets.tls.v3.SdsSecretConfig": proven(secretsOverAds, "name", "sds_config"),
  "envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext": {
    ...proven(mutualTls, "trusted_ca"),
    ...proven(systemStore, "system_root_certs"),
    ...proven(otherIdentity, "match_typed_subject_alt_names"),
    ...proven(revocation, "crl"),
    ...enumerated(withoutEffect(onlyDefault, mutualTls), "trust_chain_verification", "VERIFY_TRUST_CHAIN"),
  },
  "envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext.SystemRootCerts": {},
  "envoy.extensions.transport_sockets.tls.v3.CommonTlsContext.CombinedCertificateValidationContext": proven(
    secretPolicy,
    "default_validation_context",
    "validation_context_sds_secret_config",
  ),
  "envoy.extensions.transport_sockets.tls.v3.SubjectAltNameMatcher": {
    ...enumerated(sanTypes, "san_type", "EMAIL", "DNS", "URI", "IP_ADDRESS"),
    ...proven(sanTypes, "matcher"),
  },
  "envoy.extensions.transport_sockets.tls.v3.Secret": proven(
    secretsOverAds,
    "name",
    "tls_certificate",
    "validation_context",
  ),
  "envoy.config.core.v3.DataSource": proven(
    dataSource,
    "filename",
    "inline_bytes",
    "inline_string",
    "environment_variable",
  ),
  "envoy.config.core.v3.ConfigSource": {
    ...proven(secretsOverAds, "ads"),
    ...proven(secretSources, "api_config_source", "initial_fetch_timeout"),
    ...enumerated(withoutEffect(onlyVersion3, secretSources), "resource_api_version", "AUTO", "V3"),
  },
  "envoy.config.core.v3.AggregatedConfigSource": {},
  "envoy.config.core.v3.ApiConfigSource": {
    ...enumerated(withoutEffect(noGrpc, secretSources), "api_type", "GRPC", "DELTA_GRPC"),
    ...enumerated(withoutEffect(onlyVersion3, secretSources), "transport_api_version", "AUTO", "V3"),
    ...proven(secretSources, "grpc_services"),
    ...proven(withoutEffect(noGrpc, secretSources), "set_node_on_first_message_only"),
  },
  "envoy.config.core.v3.GrpcService": proven(secretSources, "envoy_grpc"),
  "envoy.config.core.v3.GrpcService.EnvoyGrpc": proven(secretSources, "cluster_name"),
};
