import type { ServiceImpl } from "@connectrpc/connect";
import { Code, ConnectError, createContextKey } from "@connectrpc/connect";
import type { Logger } from "@heddle/core";
import { errorCodes } from "@heddle/core";
import { parseSpiffeId } from "@heddle/net";
import type { IstioCertificateService } from "@heddle/xds/api/istio-ca";
import type { CertificateAuthority } from "./certificate-authority.ts";
import { readCertificateRequest } from "./certificate-request.ts";
import type { JoinTokens } from "./join-tokens.ts";

/** The verified SPIFFE id of the caller's certificate; undefined when it brought none. */
export const callerIdentity = createContextKey<string | undefined>(undefined, {
  description: "SPIFFE id of the caller's certificate",
});

export interface CertificateServiceOptions {
  readonly authority: CertificateAuthority;
  readonly tokens: JoinTokens;
  readonly logger: Logger;
}

const bearer = /^Bearer (\S+)$/i;

/**
 * Istio's certificate signing service. A caller proves who it is with a join token (`authorization: Bearer …`) the first
 * time and with its current certificate afterwards; it gets a certificate for exactly that identity. The answer is the
 * chain, leaf first, and the root last, as istiod sends it.
 *
 * Errors: UNAUTHENTICATED without proof or with a wrong, used or expired token; PERMISSION_DENIED when the request names
 * another identity than the proof; INVALID_ARGUMENT for a malformed request.
 */
export function certificateService(options: CertificateServiceOptions): ServiceImpl<typeof IstioCertificateService> {
  const { authority, tokens, logger } = options;
  return {
    async createCertificate(message, context) {
      const read = await readCertificateRequest(message.csr);
      if (!read.ok) throw new ConnectError(read.reason, Code.InvalidArgument);
      if (parseSpiffeId(read.identity)?.trustDomain !== authority.trustDomain) {
        throw new ConnectError(
          `the certificate request is refused: ${read.identity} is not an identity of the trust domain ${authority.trustDomain}`,
          Code.PermissionDenied,
        );
      }
      const token = bearer.exec(context.requestHeader.get("authorization") ?? "")?.[1];
      const proof =
        token === undefined
          ? proveByCertificate(context.values.get(callerIdentity), read.identity)
          : proveByToken(tokens, token, read.identity);
      const issued = await authority.sign(read.request, read.identity, Number(message.validityDuration) * 1000);
      await proof.commit();
      logger.info("certificate issued", {
        identity: issued.identity,
        serial: issued.serial,
        notAfter: new Date(issued.notAfterMs).toISOString(),
        proof: proof.kind,
      });
      return { certChain: [...issued.chainPem, authority.rootPem] };
    },
  };
}

interface Proof {
  readonly kind: "join token" | "certificate";
  readonly commit: () => Promise<void>;
}

function proveByToken(tokens: JoinTokens, token: string, identity: string): Proof {
  const redeemed = tokens.redeem(token, identity);
  if (redeemed.ok) return { kind: "join token", commit: redeemed.commit };
  if (redeemed.code === "other_identity") throw otherIdentity(identity, redeemed.identity);
  const entry = errorCodes[redeemed.code];
  throw new ConnectError(`${entry.text}. ${entry.hint}`, Code.Unauthenticated);
}

function proveByCertificate(caller: string | undefined, identity: string): Proof {
  if (caller === undefined) {
    throw new ConnectError(
      "a certificate needs a proof: send a join token as bearer token, or connect with the current certificate",
      Code.Unauthenticated,
    );
  }
  if (caller !== identity) throw otherIdentity(identity, caller);
  return { kind: "certificate", commit: () => Promise.resolve() };
}

function otherIdentity(named: string, proven: string): ConnectError {
  return new ConnectError(
    `the certificate request is refused: it names ${named}, its proof is for ${proven}`,
    Code.PermissionDenied,
  );
}
