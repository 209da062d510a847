/** What `heddle explain --output json` prints. Fields are only ever added. */

/** A place in a user's file, and the resource there. */
export interface Origin {
  /** `VirtualService default/reviews` */
  readonly resource: string;
  /** Path below the resource: `http[0]`; empty for the resource as a whole. */
  readonly rule: string;
  readonly file: string;
  /** Counts from 1. */
  readonly line: number;
}

/** One thing that was considered, in order. */
export interface Step {
  readonly kind: string;
  readonly name: string;
  /** Whether it applied. */
  readonly matched: boolean;
  readonly why: string;
  readonly origin: Origin | null;
}

/** An answer that the mesh gives instead of forwarding. */
export interface MeshAnswer {
  readonly status: number;
  readonly body: string;
  /** Envoy's response code details and flags, as the access log shows them. */
  readonly details: string;
  readonly flags: readonly string[];
  /** Where a redirect leads; empty otherwise. */
  readonly location: string;
  readonly hint: string;
  /** The resource asks for this very answer (redirect, directResponse): it is no refusal. */
  readonly intended: boolean;
  /** What decided it. Where ALLOW policies are there and none matches: the first of them; the steps name all. */
  readonly origin: Origin | null;
}

export interface FaultChance {
  readonly kind: "delay" | "abort";
  readonly percent: number;
  /** Of a delay. */
  readonly delayMs: number;
  /** Of an abort. */
  readonly status: number;
  readonly origin: Origin | null;
}

export interface RouteExplanation {
  readonly name: string;
  readonly origin: Origin | null;
  /** Protocol that the connection is switched to when the application agrees; empty: the request asks for none. */
  readonly upgrade: string;
  /** Whole request; 0: none. Of one that is switched only up to the answer. */
  readonly timeoutMs: number;
  readonly timeoutOrigin: Origin | null;
  readonly retries: {
    readonly attempts: number;
    readonly retryOn: readonly string[];
    /** 0: none. */
    readonly perTryTimeoutMs: number;
    /** Only methods that may be repeated, and requests with an Idempotency-Key. */
    readonly onlyIdempotent: boolean;
    readonly origin: Origin | null;
  } | null;
  readonly faults: readonly FaultChance[];
  readonly mirrors: readonly string[];
  /** Method, path and host as they are sent. */
  readonly sent: { readonly method: string; readonly path: string; readonly authority: string };
}

export interface EndpointExplanation {
  /** Replica: `reviews-v1-0`. */
  readonly instance: string;
  readonly workload: string;
  readonly identity: string;
  /** The workload in the LocalMesh. */
  readonly origin: Origin | null;
}

/** What the proxies of one workload do with the request. */
export interface InboundExplanation {
  readonly workload: string;
  readonly accepted: boolean;
  readonly mutualTls: boolean;
  /** How the connection between the two proxies is secured. TLS alone: a DestinationRule's SIMPLE or MUTUAL, which shows no identity of the mesh. */
  readonly security: "mutual TLS" | "TLS" | "plaintext";
  readonly steps: readonly Step[];
  /** null when it is handed to the application. */
  readonly answer: MeshAnswer | null;
}

/** One of the clusters that the route may choose. */
export interface DestinationExplanation {
  readonly cluster: string;
  readonly percent: number;
  /** The DestinationRule that decides something of it; where none does, the first workload that declares the service. */
  readonly origin: Origin | null;
  readonly loadBalancer: string;
  readonly endpoints: readonly EndpointExplanation[];
  readonly inbound: readonly InboundExplanation[];
  /** What the client's own proxy answers on this way; null when it forwards. */
  readonly answer: MeshAnswer | null;
}

export interface Explanation {
  readonly request: {
    readonly method: string;
    readonly url: string;
    readonly headers: readonly (readonly [name: string, value: string])[];
    readonly from: string;
    readonly identity: string;
  };
  /** How the question was taken where it could mean something else. */
  readonly notes: readonly string[];
  /** Whether the request reaches an application, whichever way it takes. */
  readonly forwarded: boolean;
  /** Whether the mesh refuses or fails it on any of its ways: exit code 1. Neither this nor `forwarded`: it is answered as asked for. */
  readonly refused: boolean;
  /** What the client's proxy considered, up to the choice of a cluster. */
  readonly steps: readonly Step[];
  readonly route: RouteExplanation | null;
  readonly destinations: readonly DestinationExplanation[];
  /** What the client's own proxy answers, before it chooses a cluster; null when it goes on. */
  readonly answer: MeshAnswer | null;
}
