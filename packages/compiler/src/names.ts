/** Names of xDS resources and policies, as Istio writes them: dashboards, Kiali and runbooks read them. */

/** `outbound|9080|v1|reviews.default.svc.cluster.local`; the subset is empty for the whole service. */
export function outboundClusterName(host: string, port: number, subset: string): string {
  return `outbound|${port}|${subset}|${host}`;
}

/** `outbound-tcp|9080||reviews.default.svc.cluster.local`: what is not HTTP on a port that does not say what it carries. */
export function opaqueClusterName(host: string, port: number): string {
  return `outbound-tcp|${port}||${host}`;
}

/** `inbound|9080||`. */
export function inboundClusterName(port: number): string {
  return `inbound|${port}||`;
}

/** `outbound_.9080_.v1_.reviews.default.svc.cluster.local`. */
export function mutualTlsServerName(host: string, port: number, subset: string): string {
  return `outbound_.${port}_.${subset}_.${host}`;
}

/** `9080|reviews.default.svc.cluster.local`: the route table behind a service's own outbound listener. */
export function outboundRouteTableName(host: string, port: number): string {
  return `${port}|${host}`;
}

/** `http.8080`, as a gateway's. */
export function edgeRouteTableName(port: number): string {
  return `http.${port}`;
}

/** `127.0.0.1_9080`; a listener's name where workloads share one address. */
export function listenerName(address: string, port: number): string {
  return `${address}_${port}`;
}

export const inboundListenerName = "virtualInbound";
export const outboundListenerName = "virtualOutbound";

/** Where redirected connections go that no service has: on to where they were meant to go, or nowhere. */
export const passthroughClusterName = "PassthroughCluster";
export const inboundPassthroughClusterName = "InboundPassthroughCluster";
export const blackHoleClusterName = "BlackHoleCluster";

/** Istio's ports of a workload that has an address of its own (design §5). */
export const interceptionPorts = { outbound: 15_001, inbound: 15_006, dns: 15_053 } as const;

/**
 * Where a proxy's connections come from that pass inbound traffic through to its own workload (Istio's): whoever redirects lets those alone, since they
 * would come to the proxy again. Nobody else uses these addresses.
 */
export const passthroughSources = { ipv4: "127.0.0.6", ipv6: "::6" } as const;

/** Where carriers come in, and the listener that their streams are connections of. */
export const tunnelListenerName = "tunnelInbound";
export const tunnelledListenerName = "tunnelled";

/** The route name of traffic that no VirtualService speaks of. */
export const defaultRouteName = "default";

/** `ns[NS]-policy[NAME]-rule[I]`, which denials, logs and metrics show. */
export function policyRuleName(namespace: string, name: string, rule: number): string {
  return `ns[${namespace}]-policy[${name}]-rule[${rule}]`;
}

/** Of a policy that could not be read and therefore denies everything that it selects. */
export function unreadablePolicyName(kind: string, namespace: string, name: string): string {
  return kind === "AuthorizationPolicy"
    ? `ns[${namespace}]-policy[${name}]-rule[unreadable]`
    : `ns[${namespace}]-peer-authentication[${name}]-rule[unreadable]`;
}

export interface PolicyReference {
  readonly kind: "AuthorizationPolicy" | "PeerAuthentication";
  readonly namespace: string;
  readonly name: string;
  /** Index into `spec.rules`; undefined when the policy as a whole could not be read. */
  readonly rule: number | undefined;
}

/** Which resource a policy name speaks of; undefined for names that this compiler does not write. */
export function parsePolicyName(policy: string): PolicyReference | undefined {
  const match = /^ns\[([^\]]*)\]-(policy|peer-authentication)\[([^\]]*)\]-rule\[(?:(\d+)|unreadable)\]$/.exec(policy);
  if (match === null) return undefined;
  const [, namespace = "", kind, name = "", rule] = match;
  return {
    kind: kind === "policy" ? "AuthorizationPolicy" : "PeerAuthentication",
    namespace,
    name,
    rule: rule === undefined ? undefined : Number(rule),
  };
}
