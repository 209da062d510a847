import { interceptionPorts, passthroughSources } from "@heddle/compiler";
import { formatAddress } from "@heddle/net";

/** User and group of the proxies: their own connections are not redirected. Istio's. */
export const proxyUser = 1337;

/** Istio's ports of a workload with an address of its own, on which its proxy listens or its host asks. */
export const namespacePorts = {
  ...interceptionPorts,
  admin: 15_000,
  hbone: 15_008,
  readiness: 15_021,
  metrics: 15_090,
} as const;

const families = {
  ipv4: {
    /** As what stays within the workload is known. */
    loopback: "127.0.0.1/32",
    /** Source of connections that the proxy passes through to ports without a service: they are not redirected again. */
    passthroughSource: `${passthroughSources.ipv4}/32`,
  },
  ipv6: { loopback: "::1/128", passthroughSource: `${passthroughSources.ipv6}/128` },
} as const;

/**
 * What `iptables-restore` or `ip6tables-restore` is given inside a namespace. Istio's chains: what arrives goes to the proxy but for
 * the proxy's own ports; what the application sends goes there but for what it says to itself; what the proxy sends goes out, but for
 * calls of the workload to its own service. Questions for names (port 53) go to the proxy's answerer, and the proxy's own to the host.
 *
 * @param resolver where the host answers questions for names that the mesh does not have; its own port 53 may be taken
 */
export function redirectRules(
  family: keyof typeof families,
  resolver: { readonly host: string; readonly port: number },
): string {
  const { loopback, passthroughSource } = families[family];
  const { outbound, inbound, hbone, readiness, metrics, dns } = namespacePorts;
  const resolverAt = formatAddress(resolver.host, resolver.port);
  const isProxy = `-m owner --uid-owner ${proxyUser}`;
  const isNotProxy = `-m owner ! --uid-owner ${proxyUser}`;
  const redirect = (port: number): string => `-j REDIRECT --to-ports ${port}`;
  return `*nat
:HEDDLE_INBOUND - [0:0]
:HEDDLE_IN_REDIRECT - [0:0]
:HEDDLE_OUTPUT - [0:0]
:HEDDLE_REDIRECT - [0:0]
-A HEDDLE_REDIRECT -p tcp ${redirect(outbound)}
-A HEDDLE_IN_REDIRECT -p tcp ${redirect(inbound)}
-A PREROUTING -p tcp -j HEDDLE_INBOUND
-A HEDDLE_INBOUND -p tcp -m multiport --dports ${hbone},${readiness},${metrics} -j RETURN
-A HEDDLE_INBOUND -p tcp -j HEDDLE_IN_REDIRECT
-A OUTPUT -p udp --dport 53 ${isNotProxy} ${redirect(dns)}
-A OUTPUT -p tcp --dport 53 ${isNotProxy} ${redirect(dns)}
-A OUTPUT -p udp -d ${resolver.host} --dport 53 -j DNAT --to-destination ${resolverAt}
-A OUTPUT -p tcp -d ${resolver.host} --dport 53 -j DNAT --to-destination ${resolverAt}
-A OUTPUT -p tcp -j HEDDLE_OUTPUT
-A HEDDLE_OUTPUT -o lo -s ${passthroughSource} -j RETURN
-A HEDDLE_OUTPUT -o lo ! -d ${loopback} -p tcp ! --dport ${hbone} ${isProxy} -j HEDDLE_IN_REDIRECT
-A HEDDLE_OUTPUT -o lo ${isNotProxy} -j RETURN
-A HEDDLE_OUTPUT ${isProxy} -j RETURN
-A HEDDLE_OUTPUT -d ${loopback} -j RETURN
-A HEDDLE_OUTPUT -j HEDDLE_REDIRECT
COMMIT
`;
}
