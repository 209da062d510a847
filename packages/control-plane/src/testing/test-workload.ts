import { webcrypto } from "node:crypto";
import type { PeerCertificate } from "node:tls";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { IstioCertificateService } from "@heddle/xds/api/istio-ca";
import { Pkcs10CertificateRequestGenerator, SubjectAlternativeNameExtension } from "@peculiar/x509";
import "../authority/x509.ts";

/** A key and, once it has one, a certificate: what a proxy keeps in its state folder. */
export interface TestIdentity {
  readonly keyPem: string;
  /** Leaf first, without the root. */
  readonly chainPem: string;
}

export interface CertificateCall {
  /** host:port of the control plane. */
  readonly address: string;
  readonly rootPem: string;
  readonly token?: string;
  /** Shown in the handshake. */
  readonly certificate?: TestIdentity;
  readonly csr: string;
  readonly validitySeconds?: number;
}

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

/** A fresh key with a request for an identity. */
export async function newRequest(identity: string): Promise<{ keyPem: string; csr: string }> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const request = await Pkcs10CertificateRequestGenerator.create({
    name: "",
    keys,
    signingAlgorithm: algorithm,
    extensions: [new SubjectAlternativeNameExtension([{ type: "url", value: identity }], true)],
  });
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey)).toString("base64");
  const lines = pkcs8.match(/.{1,64}/g) ?? [];
  return {
    keyPem: `-----BEGIN PRIVATE KEY-----\n${lines.join("\n")}\n-----END PRIVATE KEY-----\n`,
    csr: request.toString("pem"),
  };
}

/** TLS options of a client of the control plane: who it trusts, and who it says it is. */
export function tlsOptions(rootPem: string, identity?: TestIdentity) {
  return {
    ca: rootPem,
    ...(identity === undefined ? {} : { cert: identity.chainPem, key: identity.keyPem }),
    checkServerIdentity: (_host: string, certificate: PeerCertificate): Error | undefined =>
      certificate.subjectaltname?.includes("/sa/heddle-control-plane") === true
        ? undefined
        : new Error(`${certificate.subjectaltname} is not the control plane`),
  };
}

/** `CreateCertificate` on a connection of its own; returns the chain, the root last. Rejects with a `ConnectError`. */
export async function createCertificate(call: CertificateCall): Promise<string[]> {
  const url = `https://${call.address}`;
  const sessionManager = new Http2SessionManager(url, {}, tlsOptions(call.rootPem, call.certificate));
  try {
    const client = createClient(IstioCertificateService, createGrpcTransport({ baseUrl: url, sessionManager }));
    const answer = await client.createCertificate(
      { csr: call.csr, validityDuration: BigInt(call.validitySeconds ?? 0) },
      call.token === undefined ? {} : { headers: { authorization: `Bearer ${call.token}` } },
    );
    return answer.certChain;
  } finally {
    sessionManager.abort();
  }
}
