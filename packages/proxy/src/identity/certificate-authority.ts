import { create } from "@bufbuild/protobuf";
import type { DialOptions, GrpcConnection as Connection } from "@heddle/xds/client";
import type { CaOptions } from "../options/options.ts";
import type { Identity } from "./identity.ts";

/** Who asks: a join token the first time, the current certificate afterwards. */
export type Proof =
  | { readonly kind: "token"; readonly token: string }
  | { readonly kind: "certificate"; readonly identity: Identity };

/** Sends a request to the authority; the answer is the chain, leaf first and the root last. Rejects with the reason. */
export type SignRequest = (csrPem: string, proof: Proof, anchorsPem: string) => Promise<readonly string[]>;

const connectTimeoutMs = 5_000;
/** Connecting included. The authority is told no limit: it would say the same, now before us and now after. */
const callTimeoutMs = 10_000;
const lifetimeSeconds = 24n * 3600n;

/**
 * Istio's `CreateCertificate` over TLS. The authority must chain to the given anchors and carry the dialled host among its
 * names: workloads hold certificates of the same root, but with SPIFFE URIs only, so none can pose as the authority.
 */
export function certificateAuthority(
  { address }: Pick<CaOptions, "address">,
  timers: DialOptions["timers"] = { setTimeout, clearTimeout },
): SignRequest {
  return async (csrPem, proof, anchorsPem) => {
    // Loaded here because a proxy without authority never needs them.
    const [{ GrpcConnection }, { IstioCertificateRequestSchema, IstioCertificateService }] = await Promise.all([
      import("@heddle/xds/client"),
      import("@heddle/xds/api/istio-ca"),
    ]);
    const session = {
      ca: anchorsPem,
      minVersion: "TLSv1.3" as const,
      ...(proof.kind === "certificate"
        ? { cert: proof.identity.chainPem, key: proof.identity.privateKeyPem.reveal() }
        : {}),
    };
    const calling = new AbortController();
    const { signal } = calling;
    const late = new Error(`no answer from the authority at ${address} within ${callTimeoutMs} ms`);
    const timer = timers.setTimeout(() => calling.abort(late), callTimeoutMs);
    let connection: Connection | undefined;
    try {
      connection = await GrpcConnection.dial({ url: `https://${address}`, session, connectTimeoutMs, timers }, signal);
      const headers = proof.kind === "token" ? { authorization: `Bearer ${proof.token}` } : {};
      const request = create(IstioCertificateRequestSchema, { csr: csrPem, validityDuration: lifetimeSeconds });
      const answers = connection.call(IstioCertificateService.method.createCertificate, [request], { signal, headers });
      let chain: readonly string[] | undefined;
      // To the end, where its status is.
      for await (const { certChain } of answers) chain = certChain;
      if (chain === undefined) throw new Error("the authority answered without a certificate");
      return chain;
    } finally {
      timers.clearTimeout(timer);
      connection?.close();
    }
  };
}
