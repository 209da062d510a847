/** How a proxy stands with the resources of one type. */
export interface TypeStatus {
  readonly type: string;
  /** Number of names asked for, or all of them. */
  readonly subscribed: number | "*";
  /** Snapshot version of the last response; undefined before the first. */
  readonly sentVersion: string | undefined;
  readonly sentNonce: string | undefined;
  readonly sentAtMs: number | undefined;
  /** Snapshot version of the last response that the proxy accepted. */
  readonly ackedVersion: string | undefined;
  readonly ackedAtMs: number | undefined;
  /** The last refusal on this stream; it stays here after a later response was accepted, `state` says how it is now. */
  readonly lastNack: Nack | undefined;
  /**
   * idle: nothing sent yet; unchanged: nothing had to be sent, since the client brought what it should have from an earlier stream;
   * pending: a response waits for its answer; rejected: something sent was refused since.
   */
  readonly state: "idle" | "unchanged" | "pending" | "accepted" | "rejected";
}

export interface Nack {
  readonly version: string;
  readonly nonce: string;
  /** What the proxy said: which resources, and why. */
  readonly message: string;
  /** Milliseconds since the epoch. */
  readonly atMs: number;
}

/** One open stream of a proxy. A proxy has two for a moment while it reconnects or hands over to its next generation. */
export interface ProxyStatus {
  readonly proxyId: string;
  readonly nodeId: string;
  readonly streamId: number;
  readonly protocol: "delta" | "sotw";
  /** Milliseconds since the epoch. */
  readonly connectedAtMs: number;
  /** The snapshot that the proxy should have; undefined while there is none. */
  readonly targetVersion: string | undefined;
  /** The last snapshot of which the proxy has accepted everything it asked for. */
  readonly syncedVersion: string | undefined;
  readonly types: readonly TypeStatus[];
}
