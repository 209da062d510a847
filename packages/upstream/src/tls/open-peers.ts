import type { BoundCluster, BoundEndpoint, UpstreamTlsConfig } from "@heddle/engine";
import { derBlocks, type FastSocket, type PeerPolicy, verifyPeer } from "@heddle/net";
import type { ClientTlsContexts } from "./client-contexts.ts";
import type { BuiltPolicy } from "./peer-policy.ts";

/** Whose connection it is that is closed, and why. */
export interface DeniedPeer {
  readonly cluster: string;
  readonly principal: string;
  readonly reason: string;
}

interface OpenPeer {
  readonly endpoint: BoundEndpoint;
  readonly isCarrier: boolean;
  /** Which the peer needs beside what the configuration says. */
  readonly requiredName: PeerPolicy["requiredName"];
  /** By which it was judged last. */
  judgedBy: BuiltPolicy | undefined;
}

/** The servers of this worker's open TLS connections, so that they can be judged again, as clients are. */
export class OpenPeers {
  readonly #tls: ClientTlsContexts;
  readonly #wallMs: () => number;
  readonly #open = new Map<FastSocket, OpenPeer>();

  constructor(tls: ClientTlsContexts, wallMs: () => number) {
    this.#tls = tls;
    this.#wallMs = wallMs;
  }

  /** Of a connection whose peer has just been accepted. */
  add(socket: FastSocket, endpoint: BoundEndpoint, isCarrier: boolean, policy: PeerPolicy | undefined): void {
    this.#open.set(socket, { endpoint, isCarrier, requiredName: policy?.requiredName, judgedBy: undefined });
    socket.onGone = () => this.#open.delete(socket);
  }

  /**
   * Judges each server by what its cluster trusts now, where that is something else than before, and breaks off the connections to those that would no
   * longer be accepted (design §5: what is denied now is closed).
   */
  judgeAgain(clusters: ReadonlyMap<string, BoundCluster>, onDenied: (denied: DeniedPeer) => void): void {
    const current = new CurrentTls(clusters);
    for (const [socket, peer] of this.#open) {
      const identity = socket.tls?.peer;
      const config = current.of(peer) ?? peer.endpoint.tls;
      if (identity === undefined || config === undefined) continue;
      const built = this.#tls.policy(config);
      if (peer.judgedBy === built) continue;
      peer.judgedBy = built;
      if (!built.ok || built.policy === undefined) continue;
      const { requiredName } = peer;
      const policy = requiredName === undefined ? built.policy : { ...built.policy, requiredName };
      const verdict = verifyPeer(derBlocks(identity.chainPem, "CERTIFICATE") ?? [], policy, this.#wallMs());
      if (verdict.ok) continue;
      onDenied({ cluster: peer.endpoint.clusterName, principal: identity.principal, reason: verdict.reason });
      const text = `TLS error: the server is no longer accepted: ${verdict.reason}`;
      socket.destroy({ kind: "local", code: "upstream_peer_rejected", text, cause: verdict.code });
    }
  }
}

/** By the keys of endpoints. */
type EndpointTls = Record<"direct" | "carrier", Map<string, UpstreamTlsConfig | undefined>>;

/** How endpoints are secured now, each cluster looked through once. */
class CurrentTls {
  readonly #clusters: ReadonlyMap<string, BoundCluster>;
  readonly #known = new Map<string, EndpointTls>();

  constructor(clusters: ReadonlyMap<string, BoundCluster>) {
    this.#clusters = clusters;
  }

  /** undefined: there is no such endpoint any more, or it has no TLS. */
  of({ endpoint, isCarrier }: OpenPeer): UpstreamTlsConfig | undefined {
    const { clusterName, key } = endpoint;
    let known = this.#known.get(clusterName);
    if (known === undefined) this.#known.set(clusterName, (known = this.#lookThrough(clusterName)));
    return known[isCarrier ? "carrier" : "direct"].get(key);
  }

  #lookThrough(clusterName: string): EndpointTls {
    const found: EndpointTls = { direct: new Map(), carrier: new Map() };
    for (const { key, tls, tunnel } of this.#clusters.get(clusterName)?.endpoints ?? []) {
      found.direct.set(key, tls);
      if (tunnel !== undefined) found.carrier.set(tunnel.carrier.key, tunnel.carrier.tls);
    }
    return found;
  }
}
