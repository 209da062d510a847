import type { Dialect, ProxyNode } from "./inputs.ts";

/** Messages of `proto/heddle/v1` that configuration may hold. */
export type HeddleMessage = "IdempotentRequest" | "PeerMetadata" | "StandardMetrics" | "TunnelOptions" | "TunnelServer";

const firstRelease: readonly HeddleMessage[] = [
  "IdempotentRequest",
  "PeerMetadata",
  "StandardMetrics",
  "TunnelOptions",
  "TunnelServer",
];

/** What a group of proxies understands; proxies of one group share what is compiled for them. */
export interface Audience {
  /** Two proxies with one key get equal resources. */
  readonly key: string;
  readonly dialect: Dialect;
  readonly messages: ReadonlySet<HeddleMessage>;
}

/** A proxy is sent nothing that it would refuse, so that neighbouring releases work together (design §5). */
export function audienceOf(node: Pick<ProxyNode, "dialect" | "capabilities">): Audience {
  if (node.dialect === "envoy") return { key: "envoy", dialect: "envoy", messages: new Set() };
  const named = node.capabilities ?? [];
  const messages =
    named.length === 0 ? firstRelease : firstRelease.filter((name) => named.includes(`heddle.v1.${name}`));
  return { key: `heddle ${messages.join(" ")}`, dialect: "heddle", messages: new Set(messages) };
}

/** Inverse of {@link Audience.key}. */
export function audienceFromKey(key: string): Audience {
  const [dialect, ...messages] = key.trim().split(" ");
  if (dialect === "envoy") return { key, dialect: "envoy", messages: new Set() };
  return { key, dialect: "heddle", messages: new Set(messages as HeddleMessage[]) };
}
