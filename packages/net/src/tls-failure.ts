import type { ErrorCode } from "@heddle/core";
import type { SocketFailure } from "./socket-failure.ts";

// The one place that knows OpenSSL's reasons. Node gives them as `ERR_SSL_<REASON>` in the error's code.

export type TlsRole = "server" | "client";

interface Reason {
  readonly kind: SocketFailure["kind"];
  readonly server: ErrorCode;
  readonly client: ErrorCode;
  readonly serverText: string;
  readonly clientText: string;
}

const plaintext: Reason = {
  kind: "plaintext",
  server: "no_filter_chain",
  client: "upstream_tls_failed",
  serverText: "the peer spoke plaintext where mutual TLS is required (STRICT): is it outside the mesh?",
  clientText: "the peer does not speak TLS: is it outside the mesh, or its port declared wrongly?",
};

const noCertificate: Reason = {
  kind: "peer",
  server: "peer_missing",
  client: "upstream_tls_failed",
  serverText: "the peer sent no certificate: it is outside the mesh, or has none yet",
  clientText: "the peer wants a certificate and this side has none: has the authority issued one yet?",
};

const version: Reason = {
  kind: "tls",
  server: "downstream_protocol_error",
  client: "upstream_tls_failed",
  serverText: "the two sides have no TLS version in common: the mesh speaks TLS 1.3 only",
  clientText: "the two sides have no TLS version in common: the mesh speaks TLS 1.3 only",
};

const cipher: Reason = {
  ...version,
  serverText: "the two sides have no cipher suite or key exchange in common",
  clientText: "the two sides have no cipher suite or key exchange in common",
};

const protocol: Reason = {
  ...version,
  serverText: "the two sides have no application protocol (ALPN) in common",
  clientText: "the two sides have no application protocol (ALPN) in common",
};

const name: Reason = {
  ...version,
  serverText: "the peer asked for a server name that is not served here",
  clientText: "the peer does not serve the server name (SNI) that was asked for",
};

const untrusted: Reason = {
  kind: "peer",
  server: "peer_untrusted",
  client: "upstream_tls_failed",
  serverText: "the peer does not trust this side's certificate: has it received the current trust bundle?",
  clientText: "the peer does not trust this side's certificate: has it received the current trust bundle?",
};

const badCertificate: Reason = {
  ...untrusted,
  serverText: "the peer refused this side's certificate",
  clientText: "the peer refused this side's certificate: its policy may not accept this identity",
};

const expired: Reason = {
  ...untrusted,
  serverText: "the peer says that this side's certificate has expired: compare the hosts' clocks",
  clientText: "the peer says that this side's certificate has expired: compare the hosts' clocks",
};

const revoked: Reason = {
  ...untrusted,
  serverText: "the peer says that this side's certificate has been revoked",
  clientText: "the peer says that this side's certificate has been revoked",
};

/** Reasons without the `ERR_SSL_` prefix; alerts without their `TLSV1_`, `TLSV13_` or `SSLV3_` prefix. */
const reasons: Readonly<Record<string, Reason>> = {
  HTTP_REQUEST: plaintext,
  HTTPS_PROXY_REQUEST: plaintext,
  WRONG_VERSION_NUMBER: plaintext,
  PACKET_LENGTH_TOO_LONG: plaintext,
  NOT_TLS: plaintext,
  PEER_DID_NOT_RETURN_A_CERTIFICATE: noCertificate,
  UNSUPPORTED_PROTOCOL: version,
  VERSION_TOO_LOW: version,
  NO_PROTOCOLS_AVAILABLE: version,
  NO_SHARED_CIPHER: cipher,
  NO_SUITABLE_KEY_SHARE: cipher,
  NO_SUITABLE_GROUPS: cipher,
  NO_SUITABLE_SIGNATURE_ALGORITHM: cipher,
  NO_APPLICATION_PROTOCOL: protocol,
  ALERT_PROTOCOL_VERSION: version,
  ALERT_HANDSHAKE_FAILURE: cipher,
  ALERT_INSUFFICIENT_SECURITY: cipher,
  ALERT_NO_APPLICATION_PROTOCOL: protocol,
  ALERT_UNRECOGNIZED_NAME: name,
  UNRECOGNIZED_NAME: name,
  ALERT_CERTIFICATE_REQUIRED: noCertificate,
  ALERT_UNKNOWN_CA: untrusted,
  ALERT_BAD_CERTIFICATE: badCertificate,
  ALERT_CERTIFICATE_UNKNOWN: badCertificate,
  ALERT_UNSUPPORTED_CERTIFICATE: badCertificate,
  ALERT_ACCESS_DENIED: badCertificate,
  ALERT_DECRYPT_ERROR: badCertificate,
  ALERT_CERTIFICATE_EXPIRED: expired,
  ALERT_CERTIFICATE_REVOKED: revoked,
};

/** Whether an error of a TLSSocket comes from OpenSSL rather than from the connection below it. */
export function isTlsCause(cause: string): boolean {
  return cause.startsWith("ERR_SSL_") || cause.startsWith("ERR_OSSL_") || cause.startsWith("ERR_TLS_");
}

/**
 * What a failed handshake or a damaged TLS stream means.
 *
 * @param cause the error's code; a system error (`ECONNRESET`) or `EOF` when the connection ended within the handshake
 */
export function tlsFailure(role: TlsRole, cause: string): SocketFailure {
  if (!isTlsCause(cause)) return cutOff(role, cause);
  const reason = cause.replace(/^ERR_(SSL|OSSL|TLS)_/, "").replace(/^(TLSV1|TLSV13|SSLV3)_(?=ALERT_)/, "");
  const known = reasons[reason];
  if (known === undefined) {
    return {
      kind: "tls",
      code: role === "server" ? "downstream_protocol_error" : "upstream_tls_failed",
      text: `TLS error: ${reason.toLowerCase().replaceAll("_", " ")}`,
      cause,
    };
  }
  return {
    kind: known.kind,
    code: role === "server" ? known.server : known.client,
    text: `TLS error: ${role === "server" ? known.serverText : known.clientText}`,
    cause,
  };
}

function cutOff(role: TlsRole, cause: string): SocketFailure {
  if (role === "server") {
    return { kind: "reset", code: "downstream_closed", text: "the peer went away within the TLS handshake", cause };
  }
  return {
    kind: "tls",
    code: "upstream_tls_failed",
    text: "TLS error: the peer closed the connection within the handshake: it may not speak TLS, or may have refused this side",
    cause,
  };
}
