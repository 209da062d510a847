import {
  type CertificateValidationContext,
  type CommonTlsContext,
  type ConfigSource,
  type DataSource,
  type DownstreamTlsContext,
  type Message,
  type SdsSecretConfig,
  type SubjectAltNameMatcher,
  SubjectAltNameMatcher_SanType,
  type TlsCertificate,
  TlsParameters_TlsProtocol,
  type TransportSocket,
  type UpstreamTlsContext,
} from "@heddle/xds/api";
import { forwardSecretSuites, Secret } from "@heddle/core";
import type {
  CommonTlsConfig,
  DownstreamTlsConfig,
  SanMatcher,
  SecretRef,
  TlsVersion,
  UpstreamTlsConfig,
  ValidationConfig,
} from "../config/tls.ts";
import { loadDataSource } from "./core-types.ts";
import type { Loading, Path } from "./loading.ts";
import { loadStringMatch } from "./string-match.ts";

/** The cluster that stands for the agent beside the proxy in Istio's configuration: here the proxy's own identity. */
const localSdsCluster = "sds-grpc";

/** The message in a transport socket: a TLS context of the expected type, or undefined for plaintext. */
function unpackTransportSocket(
  socket: TransportSocket | undefined,
  at: Path,
  expected: string,
  loading: Loading,
): Message | undefined {
  if (socket === undefined) return undefined;
  const where = at.field("typed_config");
  const message = loading.unpack(socket.configType.value, where);
  if (message === undefined || message.$typeName === "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer")
    return undefined;
  if (message.$typeName === expected) return message;
  loading.misplaced(message, where, `${expected} or a raw buffer`);
  return undefined;
}

export function loadDownstreamTls(
  socket: TransportSocket | undefined,
  at: Path,
  owner: string,
  loading: Loading,
): DownstreamTlsConfig | undefined {
  const expected = "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext";
  const context = unpackTransportSocket(socket, at, expected, loading) as DownstreamTlsContext | undefined;
  if (context === undefined) return undefined;
  const where = at.field("typed_config");
  const common = loadCommonTls(context.commonTlsContext, where.field("common_tls_context"), owner, loading);
  if (common.certificate === undefined) {
    loading.problem(
      where.field("common_tls_context"),
      "a server needs a certificate",
      "give tls_certificates or an SDS secret",
    );
  }
  const requireClientCertificate = context.requireClientCertificate ?? false;
  if (requireClientCertificate && common.validation === undefined) {
    loading.problem(
      where.field("require_client_certificate"),
      "there is nothing to verify client certificates with",
      "give a validation context",
    );
  }
  const session = context.sessionTicketKeysType;
  return {
    common,
    requireClientCertificate,
    requireSni: context.requireSni ?? false,
    sessionTickets: !(session.case === "disableStatelessSessionResumption" && session.value),
  };
}

export function loadUpstreamTls(
  socket: TransportSocket | undefined,
  at: Path,
  owner: string,
  loading: Loading,
): UpstreamTlsConfig | undefined {
  const expected = "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext";
  const context = unpackTransportSocket(socket, at, expected, loading) as UpstreamTlsContext | undefined;
  if (context === undefined) return undefined;
  const where = at.field("typed_config");
  return {
    common: loadCommonTls(context.commonTlsContext, where.field("common_tls_context"), owner, loading),
    sni: context.sni,
    maxSessionKeys: loading.range(context.maxSessionKeys ?? 1, where.field("max_session_keys"), 0, 1024),
  };
}

const versions: Readonly<Partial<Record<TlsParameters_TlsProtocol, TlsVersion>>> = {
  [TlsParameters_TlsProtocol.TLSv1_2]: "1.2",
  [TlsParameters_TlsProtocol.TLSv1_3]: "1.3",
};

/** Authenticated encryption alone. The last two have no ephemeral key exchange, and are used only where somebody names them, as Istio does. */
const cipherSuites: readonly string[] = [...forwardSecretSuites, "AES128-GCM-SHA256", "AES256-GCM-SHA384"];

const groups: readonly string[] = ["X25519MLKEM768", "X25519", "P-256", "P-384", "P-521"];

function loadKnown(name: string, known: readonly string[], at: Path, loading: Loading): string {
  if (!known.includes(name)) loading.problem(at, `"${name}" is not supported`, `use one of ${known.join(", ")}`);
  return name;
}

/** TLS_AUTO is 1.2 to 1.3, as in Envoy for servers and clients. */
function loadCommonTls(
  context: CommonTlsContext | undefined,
  at: Path,
  owner: string,
  loading: Loading,
): CommonTlsConfig {
  const params = context?.tlsParams;
  const minVersion = versions[params?.tlsMinimumProtocolVersion ?? 0] ?? "1.2";
  const maxVersion = versions[params?.tlsMaximumProtocolVersion ?? 0] ?? "1.3";
  if (minVersion > maxVersion)
    loading.problem(at.field("tls_params"), "the minimum version is above the maximum", "swap them");
  return {
    minVersion,
    maxVersion,
    cipherSuites: (params?.cipherSuites ?? []).map((name, index) =>
      loadKnown(name, cipherSuites, at.field("tls_params").field("cipher_suites").index(index), loading),
    ),
    groups: (params?.ecdhCurves ?? []).map((name, index) =>
      loadKnown(name, groups, at.field("tls_params").field("ecdh_curves").index(index), loading),
    ),
    alpn: context?.alpnProtocols ?? [],
    certificate: context === undefined ? undefined : loadCertificate(context, at, owner, loading),
    validation: context === undefined ? undefined : loadValidationType(context, at, loading),
  };
}

function loadCertificate(context: CommonTlsContext, at: Path, owner: string, loading: Loading): SecretRef | undefined {
  const { tlsCertificates, tlsCertificateSdsSecretConfigs } = context;
  if (tlsCertificates.length + tlsCertificateSdsSecretConfigs.length > 1) {
    loading.problem(at, "several certificates are given", "give one certificate");
    return undefined;
  }
  const sds = tlsCertificateSdsSecretConfigs[0];
  if (sds !== undefined) return loadSecretRef(sds, at.field("tls_certificate_sds_secret_configs").index(0), loading);
  const inline = tlsCertificates[0];
  if (inline === undefined) return undefined;
  const where = at.field("tls_certificates").index(0);
  const material = loadTlsCertificate(inline, where, loading);
  if (material === undefined) return undefined;
  const name = `inline:${owner}:${where.toString()}`;
  loading.secrets.push({ kind: "certificate", name, ...material });
  return { name, source: "inline" };
}

function loadTlsMaterial(source: DataSource | undefined, at: Path, loading: Loading): string | undefined {
  const { readTlsFile, readFile } = loading.options;
  return loadDataSource(source, at, loading, readTlsFile ?? readFile);
}

/** Both parts, or undefined after a problem. */
export function loadTlsCertificate(
  certificate: TlsCertificate,
  at: Path,
  loading: Loading,
): { certificateChainPem: string; privateKey: Secret<string> } | undefined {
  const certificateChainPem = loadTlsMaterial(certificate.certificateChain, at.field("certificate_chain"), loading);
  const key = loadTlsMaterial(certificate.privateKey, at.field("private_key"), loading);
  return certificateChainPem === undefined || key === undefined
    ? undefined
    : { certificateChainPem, privateKey: new Secret(key) };
}

function loadSecretRef(sds: SdsSecretConfig, at: Path, loading: Loading): SecretRef {
  return {
    name: loading.required(sds.name, at.field("name")),
    source: secretSource(sds.sdsConfig, at.field("sds_config"), loading),
  };
}

function secretSource(source: ConfigSource | undefined, at: Path, loading: Loading): SecretRef["source"] {
  if (source === undefined) return "static";
  requireAllTime(source, at, loading);
  const specifier = source.configSourceSpecifier;
  if (specifier.case === "ads") return "ads";
  if (specifier.case === "apiConfigSource") {
    const services = specifier.value.grpcServices;
    const target = services[0]?.targetSpecifier;
    if (services.length === 1 && target?.case === "envoyGrpc" && target.value.clusterName === localSdsCluster)
      return "local";
    loading.problem(
      at.field("api_config_source"),
      "secrets come from ADS or from the cluster sds-grpc",
      "use `ads: {}`",
    );
  } else if (specifier.case === undefined) {
    loading.problem(at, "the source is empty", "use `ads: {}`");
  }
  return "ads";
}

/** Nothing is served before a resource has come, so a time after which to go on without it cannot be kept. */
export function requireAllTime(source: ConfigSource, at: Path, loading: Loading): void {
  if (source.initialFetchTimeout === undefined) return;
  if (loading.duration(source.initialFetchTimeout, at.field("initial_fetch_timeout"), 0) !== 0) {
    loading.problem(
      at.field("initial_fetch_timeout"),
      "a resource is waited for without limit",
      "write 0s or remove it",
    );
  }
}

function loadValidationType(context: CommonTlsContext, at: Path, loading: Loading): ValidationConfig | undefined {
  const type = context.validationContextType;
  switch (type.case) {
    case "validationContext":
      return loadValidation(type.value, at.field("validation_context"), loading);
    case "validationContextSdsSecretConfig": {
      const trustedCa = loadSecretRef(type.value, at.field("validation_context_sds_secret_config"), loading);
      return { trustedCa, matchSubjectAltNames: [], crlPem: undefined };
    }
    case "combinedValidationContext": {
      const where = at.field("combined_validation_context");
      const own = type.value.defaultValidationContext;
      const sds = type.value.validationContextSdsSecretConfig;
      if (sds === undefined || own?.trustedCa !== undefined || own?.systemRootCerts !== undefined) {
        loading.problem(
          where,
          "the anchors come from the secret",
          "give validation_context_sds_secret_config, and neither trusted_ca nor system_root_certs beside it",
        );
        return undefined;
      }
      const trustedCa = loadSecretRef(sds, where.field("validation_context_sds_secret_config"), loading);
      if (own === undefined) return { trustedCa, matchSubjectAltNames: [], crlPem: undefined };
      return { ...loadValidationRules(own, where.field("default_validation_context"), loading), trustedCa };
    }
    default:
      return undefined;
  }
}

/** Anchors are required, here or in the machine's trust store: without them a certificate would prove nothing. Those that are named win, as in Envoy. */
export function loadValidation(context: CertificateValidationContext, at: Path, loading: Loading): ValidationConfig {
  const rules = loadValidationRules(context, at, loading);
  if (context.trustedCa === undefined && context.systemRootCerts !== undefined)
    return { ...rules, trustedCa: { store: "system" } };
  const pem = loadTlsMaterial(context.trustedCa, at.field("trusted_ca"), loading);
  return { ...rules, trustedCa: pem === undefined ? undefined : { pem } };
}

function loadValidationRules(
  context: CertificateValidationContext,
  at: Path,
  loading: Loading,
): Omit<ValidationConfig, "trustedCa"> {
  const names = at.field("match_typed_subject_alt_names");
  return {
    matchSubjectAltNames: context.matchTypedSubjectAltNames.map((matcher, i) =>
      loadSanMatcher(matcher, names.index(i), loading),
    ),
    crlPem: context.crl === undefined ? undefined : loadTlsMaterial(context.crl, at.field("crl"), loading),
  };
}

const sanTypes: Readonly<Partial<Record<SubjectAltNameMatcher_SanType, SanMatcher["type"]>>> = {
  [SubjectAltNameMatcher_SanType.DNS]: "dns",
  [SubjectAltNameMatcher_SanType.URI]: "uri",
  [SubjectAltNameMatcher_SanType.IP_ADDRESS]: "ip",
  [SubjectAltNameMatcher_SanType.EMAIL]: "email",
};

function loadSanMatcher(matcher: SubjectAltNameMatcher, at: Path, loading: Loading): SanMatcher {
  const type = sanTypes[matcher.sanType];
  if (type === undefined)
    loading.problem(at.field("san_type"), "the type is missing or not supported", "use URI, DNS, IP_ADDRESS or EMAIL");
  return { type: type ?? "uri", match: loadStringMatch(matcher.matcher, at.field("matcher"), loading) };
}
