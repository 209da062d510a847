/** What a client speaks to its target, or the proxy to its server: HTTP/1.1, HTTP/2 with prior knowledge, HTTP/2 over TLS. */
export type Protocol = "h1" | "h2" | "h2-tls";

/** A way through the proxy. Each is compared with the same client straight at the server, in the client's protocol. */
export interface Way {
  readonly name: string;
  /** What each listener takes, in order; more than one: proxies one behind the other. */
  readonly hops: readonly Protocol[];
  /** What the last proxy speaks to the server. */
  readonly server: "h1" | "h2";
}

export const ways = {
  h1ToH1: { name: "H1→H1", hops: ["h1"], server: "h1" },
  h2ToH2: { name: "H2→H2", hops: ["h2"], server: "h2" },
  h2ToH1: { name: "H2→H1", hops: ["h2"], server: "h1" },
  h1ToH2ToH1: { name: "H1→H2→H1", hops: ["h1", "h2"], server: "h1" },
  tlsToH2: { name: "H2 over TLS→H2", hops: ["h2-tls"], server: "h2" },
  tlsToH1: { name: "H2 over TLS→H1", hops: ["h2-tls"], server: "h1" },
} as const satisfies Record<string, Way>;

export interface CaseResult {
  readonly name: string;
  /** Why it failed, in one line; absent when it passed. */
  readonly failure?: string;
  /** What the two sides saw, without what differs from run to run; compared between straight and through. */
  readonly seen?: Readonly<Record<string, string>>;
}

/** Where a client is sent: the server itself, or a proxy before it. */
export interface Target {
  readonly port: number;
  readonly protocol: Protocol;
}

/** A server under one application, by protocol. */
export interface Served extends AsyncDisposable {
  readonly ports: Readonly<Partial<Record<Protocol, number>>>;
}

/** Files that servers and clients need, in one temporary folder. */
export interface Site {
  readonly folder: string;
  readonly tls: { readonly certificate: string; readonly key: string };
}

/** A foreign client against a foreign server. */
export interface Suite {
  readonly name: string;
  readonly ways: readonly Way[];
  /** What it cannot do without, by name of tools.ts. */
  readonly tools: readonly string[];
  /** Every case must pass through the proxy, also one that fails straight: what is tested is the proxy's own codec. */
  readonly allMustPass?: true;
  serve(site: Site): Promise<Served>;
  /** Runs every case against one target. Cases have the same names for every target. */
  attempt(target: Target, site: Site): Promise<CaseResult[]>;
}
