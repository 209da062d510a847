import type { CaOptions } from "../options/options.ts";
import type { Identity } from "./identity.ts";

/** Who asks: a join token the first time, the current certificate afterwards. */
export type Proof =
  | { readonly kind: "token"; readonly token: string }
  | { readonly kind: "certificate"; readonly identity: Identity };

/** Sends a request to the authority; the answer is the chain, leaf first and the root last. Rejects with the reason. */
export type SignRequest = (csrPem: string, proof: Proof, anchorsPem: string) => Promise<readonly string[]>;

const callTimeoutMs = 10_000;
const lifetimeSeconds = 24n * 3600n;

/**
 * Istio's `CreateCertificate` over TLS. The authority must chain to the given anchors and carry the dialled host among its
 * names: workloads hold certificates of the same root, but with SPIFFE URIs only, so none can pose as the authority.
 */
export function certificateAuthority(options: CaOptions): SignRequest {
  return async (csrPem, proof, anchorsPem) => {
    // Loaded here because a proxy without authority never needs them.
    const [{ createClient }, { createGrpcTransport, Http2SessionManager }, { IstioCertificateService }] =
      await Promise.all([
        import("@connectrpc/connect"),
        import("@connectrpc/connect-node"),
        import("@heddle/xds/api/istio-ca"),
      ]);
    const baseUrl = `https://${options.address}`;
    const sessionManager = new Http2SessionManager(baseUrl, undefined, {
      ca: anchorsPem,
      minVersion: "TLSv1.3",
      ...(proof.kind === "certificate"
        ? { cert: proof.identity.chainPem, key: proof.identity.privateKeyPem.reveal() }
        : {}),
    });
    try {
      const client = createClient(IstioCertificateService, createGrpcTransport({ baseUrl, sessionManager }));
      const headers = proof.kind === "token" ? { authorization: `Bearer ${proof.token}` } : undefined;
      const answer = await client.createCertificate(
        { csr: csrPem, validityDuration: lifetimeSeconds },
        { timeoutMs: callTimeoutMs, ...(headers === undefined ? {} : { headers }) },
      );
      return answer.certChain;
    } finally {
      sessionManager.abort();
    }
  };
}
