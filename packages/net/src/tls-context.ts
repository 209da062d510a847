import type { Secret } from "@heddle/core";
import type { SecureContext, SecureVersion } from "node:tls";
import { createSecureContext } from "node:tls";
import { parseCertificatesPem } from "./certificate.ts";
import { cipherList } from "./cipher-suites.ts";
import { SessionCache } from "./session-cache.ts";
import type { PeerPolicy, SanMatcher } from "./peer-verification.ts";

export interface CertificateMaterial {
  /** Leaf first, then its intermediates. */
  readonly chainPem: string;
  readonly privateKeyPem: Secret<string>;
}

export interface TlsContextOptions {
  /** Changes with every certificate, key, trust bundle or revocation list; connections remember under which they were made. */
  readonly epoch: number;
  readonly certificate: CertificateMaterial | undefined;
  readonly minVersion: "1.2" | "1.3";
  readonly maxVersion: "1.2" | "1.3";
  /** For TLS 1.2, OpenSSL's names in order of preference; absent or empty: every suite with authenticated encryption and forward secrecy. */
  readonly cipherSuites?: readonly string[];
  /** Groups for the key exchange, OpenSSL's names in order of preference; absent or empty: OpenSSL's own. */
  readonly groups?: readonly string[];
  /** In order of preference; empty: no ALPN. */
  readonly alpn: readonly string[];
  /** undefined: the peer's certificate is neither asked for (server) nor judged (client). */
  readonly policy: PeerPolicy | undefined;
}

export interface ServerTlsOptions extends TlsContextOptions {
  /** Refuse clients without a certificate, in the handshake. Needs `policy`. */
  readonly requirePeerCertificate: boolean;
  readonly requireSni: boolean;
  /** Whether clients may resume sessions. */
  readonly sessionTickets: boolean;
  /** 48 bytes that the workers of one process share, so that any of them resumes; absent: random, this context's own. Others for other certificates, anchors or rules. */
  readonly ticketKeys?: Buffer;
}

export interface ClientTlsOptions extends TlsContextOptions {
  /** Sent in the ClientHello; empty: none. */
  readonly sni: string;
  /** Sessions kept for each server, to be resumed; absent: 1, as in Envoy; 0: none. */
  readonly maxSessionKeys?: number;
}

interface TlsContext {
  readonly epoch: number;
  readonly secureContext: SecureContext;
  /** RFC 7301 wire form; undefined: no ALPN. */
  readonly alpnWire: Buffer | undefined;
  readonly policy: PeerPolicy | undefined;
  /** First URI name of this side's own certificate; empty: none. */
  readonly localPrincipal: string;
}

/** Everything that the server side of a handshake needs; immutable, one per filter chain and epoch. */
export interface ServerTlsContext extends TlsContext {
  readonly role: "server";
  readonly requirePeerCertificate: boolean;
  readonly requireSni: boolean;
}

export interface ClientTlsContext extends TlsContext {
  readonly role: "client";
  readonly sni: string;
  readonly sessions: SessionCache;
}

export type BuiltContext<T> =
  | { readonly ok: true; readonly context: T }
  | { readonly ok: false; readonly reason: string };

// SSL_OP_NO_TICKET and SSL_OP_NO_RENEGOTIATION of OpenSSL's ssl.h; node:constants has the same numbers, as untyped exports.
const noTickets = 0x4000;
/** A peer of TLS 1.2 could have the costly half of a handshake done again at will; TLS 1.3 has none. */
const noRenegotiation = 0x40000000;

/** One context per certificate epoch: a new one has new ticket keys, so that sessions never outlive the trust they were made under. */
export function buildServerContext(options: ServerTlsOptions): BuiltContext<ServerTlsContext> {
  if (options.certificate === undefined) return { ok: false, reason: "a TLS server needs a certificate" };
  if (options.requirePeerCertificate && options.policy === undefined) {
    return { ok: false, reason: "client certificates are required but there is no trust bundle to judge them by" };
  }
  const base = buildContext(options, options.sessionTickets ? 0 : noTickets, options.ticketKeys);
  if (!base.ok) return base;
  const { requirePeerCertificate, requireSni } = options;
  return { ok: true, context: { ...base.context, role: "server", requirePeerCertificate, requireSni } };
}

/** One context per certificate epoch and transport configuration. */
export function buildClientContext(options: ClientTlsOptions): BuiltContext<ClientTlsContext> {
  const base = buildContext(options, 0, undefined);
  if (!base.ok) return base;
  const sessions = new SessionCache(options.maxSessionKeys ?? 1);
  return { ok: true, context: { ...base.context, role: "client", sni: options.sni, sessions } };
}

/**
 * The same material and rules for one server of several: its own name in the handshake, and one that its certificate needs beside what the rules say. Its
 * sessions are its own, too, so that none that another name was agreed for is resumed.
 */
export function contextForServer(
  context: ClientTlsContext,
  sni: string,
  requiredName: SanMatcher | undefined,
): ClientTlsContext {
  const { policy } = context;
  return {
    ...context,
    sni,
    sessions: context.sessions.another(),
    policy: policy === undefined || requiredName === undefined ? policy : { ...policy, requiredName },
  };
}

function buildContext(
  options: TlsContextOptions,
  secureOptions: number,
  ticketKeys: Buffer | undefined,
): BuiltContext<TlsContext> {
  const { certificate } = options;
  const chain = certificate === undefined ? [] : parseCertificatesPem(certificate.chainPem);
  if (chain === undefined) return { ok: false, reason: "the certificate chain cannot be read" };
  let secureContext: SecureContext;
  try {
    secureContext = createSecureContext({
      ...(certificate === undefined ? {} : { cert: certificate.chainPem, key: certificate.privateKeyPem.reveal() }),
      // OpenSSL is given no roots: its own verdict is not used (`verifyPeer` judges), so its work would be done twice.
      ca: [],
      minVersion: `TLSv${options.minVersion}` satisfies SecureVersion,
      maxVersion: `TLSv${options.maxVersion}` satisfies SecureVersion,
      ciphers: cipherList(options.cipherSuites ?? []),
      ...(options.groups === undefined || options.groups.length === 0 ? {} : { ecdhCurve: options.groups.join(":") }),
      secureOptions: secureOptions | noRenegotiation,
      // Resumption with client certificates needs a name, the same at each worker. It is the keys of tickets that tell contexts apart.
      sessionIdContext: "heddle",
      ...(ticketKeys === undefined ? {} : { ticketKeys }),
    });
  } catch (error) {
    // OpenSSL's message names the mismatch and never the key itself.
    return {
      ok: false,
      reason: `the certificate or its key is unusable: ${error instanceof Error ? error.message : "?"}`,
    };
  }
  return {
    ok: true,
    context: {
      epoch: options.epoch,
      secureContext,
      alpnWire: options.alpn.length === 0 ? undefined : wireFormOf(options.alpn),
      policy: options.policy,
      localPrincipal: chain[0]?.uriSans[0] ?? "",
    },
  };
}

function wireFormOf(protocols: readonly string[]): Buffer {
  return Buffer.concat(
    protocols.map((protocol) => {
      const bytes = Buffer.from(protocol, "latin1");
      return Buffer.concat([Buffer.from([bytes.length]), bytes]);
    }),
  );
}
