import type { ContextKey, ServiceImpl } from "@connectrpc/connect";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Logger } from "@heddle/core";
import { errorCodes, parseSpiffeId } from "@heddle/core";
import type { IstioCertificateRequest, IstioCertificateService } from "@heddle/xds/api/istio-ca";
import type { Peer } from "../server/peer.ts";
import type { CertificateAuthority, IssuedCertificate } from "./certificate-authority.ts";
import { readCertificateRequest } from "./certificate-request.ts";
import type { JoinTokens } from "./join-tokens.ts";

export interface CertificateServiceOptions {
  readonly authority: CertificateAuthority;
  readonly tokens: JoinTokens;
  /** Where the door puts what it knows of the caller's certificate. */
  readonly peerKey: ContextKey<Peer | undefined>;
  /** Whether a workload of the mesh has the identity; undefined while it is not known which workloads there are. */
  readonly hasWorkload: (identity: string) => boolean | undefined;
  readonly logger: Logger;
}

/** Longest message that is read, in bytes: a request with a P-256 key takes some 700. */
export const maxCertificateRequestBytes = 64 * 1024;

const bearer = /^Bearer (\S+)$/i;

/**
 * Istio's certificate signing service. A caller proves who it is with a join token (`authorization: Bearer …`) the first
 * time and with its current certificate afterwards; it gets a certificate for exactly that identity. The answer is the
 * chain, leaf first, and the root last, as istiod sends it.
 *
 * Errors: UNAUTHENTICATED without proof, with a certificate that does not count, or with a wrong, used or expired token;
 * PERMISSION_DENIED when the request names another identity than the proof, or renews one that no workload has any more;
 * INVALID_ARGUMENT for a malformed request.
 */
export function certificateService(options: CertificateServiceOptions): ServiceImpl<typeof IstioCertificateService> {
  const { authority, peerKey, logger } = options;
  return {
    async createCertificate(message, context) {
      const token = bearer.exec(context.requestHeader.get("authorization") ?? "")?.[1];
      try {
        const issued = await issue(options, message, token, context.values.get(peerKey));
        return { certChain: [...issued.chainPem, authority.rootPem] };
      } catch (error) {
        if (error instanceof ConnectError) {
          logger.warn("certificate refused", { reason: error.rawMessage });
          throw error;
        }
        logger.error("a certificate could not be issued", {
          error: error instanceof Error ? error.message : String(error),
        });
        throw new ConnectError("the certificate could not be issued: see the control plane's log", Code.Internal);
      }
    },
  };
}

async function issue(
  { authority, tokens, hasWorkload, logger }: CertificateServiceOptions,
  message: IstioCertificateRequest,
  token: string | undefined,
  peer: Peer | undefined,
): Promise<IssuedCertificate> {
  const read = await readCertificateRequest(message.csr);
  if (!read.ok) throw new ConnectError(read.reason, Code.InvalidArgument);
  const { request, identity } = read;
  if (parseSpiffeId(identity)?.trustDomain !== authority.trustDomain) {
    throw new ConnectError(
      `the certificate request is refused: ${identity} is not an identity of the trust domain ${authority.trustDomain}`,
      Code.PermissionDenied,
    );
  }
  const proof = token === undefined ? proveByCertificate(peer, identity) : proveByToken(tokens, token, identity);
  // A join token is the word of whoever runs the mesh; a certificate says only what was true when it was issued.
  if (proof.kind === "certificate" && hasWorkload(identity) === false) throw withoutWorkload(identity);
  try {
    const issued = await authority.sign(request, identity, Number(message.validityDuration) * 1000);
    await proof.commit();
    const { serial, notAfterMs } = issued;
    logger.info("certificate issued", {
      identity,
      serial,
      notAfter: new Date(notAfterMs).toISOString(),
      proof: proof.kind,
    });
    return issued;
  } catch (error) {
    proof.giveBack();
    throw error;
  }
}

interface Proof {
  readonly kind: "join token" | "certificate";
  readonly commit: () => Promise<void>;
  readonly giveBack: () => void;
}

function proveByToken(tokens: JoinTokens, token: string, identity: string): Proof {
  const redeemed = tokens.redeem(token, identity);
  if (redeemed.ok) return { kind: "join token", commit: redeemed.commit, giveBack: redeemed.giveBack };
  if (redeemed.code === "other_identity") throw otherIdentity(identity, redeemed.identity);
  const entry = errorCodes[redeemed.code];
  throw new ConnectError(`${entry.text}. ${entry.hint}`, Code.Unauthenticated);
}

function proveByCertificate(peer: Peer | undefined, identity: string): Proof {
  if (peer === undefined) {
    throw new ConnectError(
      "a certificate needs a proof: send a join token as bearer token, or connect with the current certificate",
      Code.Unauthenticated,
    );
  }
  if (peer.kind === "refused") {
    throw new ConnectError(
      `the certificate of the connection proves nothing: ${peer.reason}. Join again with a new join token as bearer token`,
      Code.Unauthenticated,
    );
  }
  if (peer.identity !== identity) throw otherIdentity(identity, peer.identity);
  return { kind: "certificate", commit: () => Promise.resolve(), giveBack: () => undefined };
}

function withoutWorkload(identity: string): ConnectError {
  return new ConnectError(
    `the certificate is not renewed: no workload of this mesh is ${identity} any more. The current one runs out; join again with a join token when the workload is back`,
    Code.PermissionDenied,
  );
}

function otherIdentity(named: string, proven: string): ConnectError {
  return new ConnectError(
    `the certificate request is refused: it names ${named}, its proof is for ${proven}`,
    Code.PermissionDenied,
  );
}
