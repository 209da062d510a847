import type { Dialect, ProxyNode } from "./inputs.ts";

/** Messages of `proto/heddle/v1` that configuration may hold, as they were in the first release. */
const firstRelease = ["IdempotentRequest", "PeerMetadata", "StandardMetrics", "TunnelOptions", "TunnelServer"] as const;

/** What came later: messages, and fields of messages that a proxy would read past, since it knows the message without them. */
const later = ["TunnelOptions.min_concurrent_requests"] as const;

const all = [...firstRelease, ...later];

export type Capability = (typeof all)[number];

/** All that this release may send, as proxies name it. */
export const everyCapability: readonly string[] = all.map(fullName);

/** What a group of proxies understands; proxies of one group share what is compiled for them. */
export interface Audience {
  /** Two proxies with one key get equal resources. */
  readonly key: string;
  readonly dialect: Dialect;
  readonly understands: ReadonlySet<Capability>;
}

/** A proxy is sent nothing that it would refuse or misread, so that neighbouring releases work together (design §5). */
export function audienceOf(node: Pick<ProxyNode, "dialect" | "capabilities">): Audience {
  if (node.dialect === "envoy") return { key: "envoy", dialect: "envoy", understands: new Set() };
  const named = node.capabilities ?? [];
  const understood = named.length === 0 ? firstRelease : all.filter((name) => named.includes(fullName(name)));
  return { key: `heddle ${understood.join(" ")}`, dialect: "heddle", understands: new Set(understood) };
}

/** Inverse of {@link Audience.key}. */
export function audienceFromKey(key: string): Audience {
  const [dialect, ...understood] = key.trim().split(" ");
  if (dialect === "envoy") return { key, dialect: "envoy", understands: new Set() };
  return { key, dialect: "heddle", understands: new Set(understood as Capability[]) };
}

function fullName(capability: Capability): string {
  return `heddle.v1.${capability}`;
}
