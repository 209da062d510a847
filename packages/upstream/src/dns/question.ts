import type { ClusterConfig, DnsResolverConfig } from "@heddle/engine";

/** A name to look up, and how. */
export interface DnsQuestion {
  readonly host: string;
  readonly family: ClusterConfig["dns"]["family"];
  readonly resolver: DnsResolverConfig;
  /** The time to live is wanted, too. */
  readonly needsTtl: boolean;
}

/** What a name stands for now. */
export interface ResolvedName {
  /** IP literals in the order of preference; empty: the name has none, and that is certain. */
  readonly addresses: readonly string[];
  /** Undefined when the resolver does not tell. */
  readonly ttlMs: number | undefined;
}

/** Looks a name up; rejects when that failed. */
export type ResolveName = (question: DnsQuestion) => Promise<ResolvedName>;
