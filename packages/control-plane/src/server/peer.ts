import type { Http2ServerRequest } from "node:http2";
import type { TLSSocket } from "node:tls";
import type { Clock } from "@heddle/core";
import { peerChain, TrustAnchors, verifyPeer } from "@heddle/net";

/** What the client certificate of a connection says. A connection without one has no `Peer`. */
export type Peer =
  | {
      readonly kind: "verified";
      /** SPIFFE id. */
      readonly identity: string;
      /** End of the certificate, epoch milliseconds. */
      readonly notAfterMs: number;
    }
  | { readonly kind: "refused"; readonly reason: string };

/**
 * Says who is on the other end of a request's connection, by the one verification function of `@heddle/net`. Asked for each
 * request and not once per connection: a certificate that expires in the middle of a connection stops counting.
 */
export class PeerVerifier {
  readonly #anchors: TrustAnchors;
  readonly #trustDomain: string;
  readonly #clock: Clock;

  constructor(rootPem: string, trustDomain: string, clock: Clock) {
    const anchors = TrustAnchors.fromPem(rootPem);
    if (anchors === undefined) throw new Error("the authority's root is not a certificate that can be read");
    this.#anchors = anchors;
    this.#trustDomain = trustDomain;
    this.#clock = clock;
  }

  /** undefined when the client brought no certificate: it may only ask for one, with a join token. */
  peerOf(request: Http2ServerRequest): Peer | undefined {
    const socket = request.stream.session?.socket as TLSSocket | undefined;
    const chain = socket === undefined ? [] : peerChain(socket);
    if (chain.length === 0) return undefined;
    const verdict = verifyPeer(
      chain,
      {
        anchors: this.#anchors,
        usage: "client",
        sanMatchers: [],
        trustDomains: [this.#trustDomain],
        requireSpiffeId: true,
      },
      this.#clock.wallMs(),
    );
    if (!verdict.ok) return { kind: "refused", reason: verdict.reason };
    return { kind: "verified", identity: verdict.identity.principal, notAfterMs: verdict.identity.notAfterMs };
  }
}
