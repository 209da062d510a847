import { create, DnsFilterConfigSchema, type Listener, ListenerSchema, SocketAddress_Protocol } from "@heddle/xds/api";
import type { WorkloadProfile } from "../inputs.ts";
import type { Service } from "../model/services.ts";
import { interceptionPorts } from "../names.ts";
import { duration, extension } from "../wire.ts";
import { hasIpv6 } from "./wildcards.ts";

/** Envoy's least. A service keeps its addresses, but it may go, and a client should see that soon. */
const ttlMs = 30_000;
/** Half of the time after which glibc asks again. */
const resolverTimeoutMs = 2500;
const maxPendingLookups = 256;

/**
 * Answers an intercepted workload's questions for names: those of the services that it may call, by every name that Kubernetes gives
 * them; all others go to the resolvers of the machine. What Istio's agent does, in the words of Envoy's DNS filter.
 */
export function compileNameListener(instance: WorkloadProfile, services: readonly Service[]): Listener {
  const domains = services.flatMap((service) =>
    namesOf(service, instance.namespace).map((name) => ({
      name,
      endpoint: { endpointConfig: { case: "addressList" as const, value: { address: [...service.addresses] } } },
      answerTtl: duration(ttlMs),
    })),
  );
  const addresses = hasIpv6(instance) ? ["127.0.0.1", "::1"] : ["127.0.0.1"];
  const [first, ...others] = addresses.map((address) => udpAddress(address, interceptionPorts.dns));
  return create(ListenerSchema, {
    name: "dns",
    ...(first === undefined ? {} : { address: first }),
    additionalAddresses: others.map((address) => ({ address })),
    listenerFilters: [
      extension("envoy.filters.udp.dns_filter", DnsFilterConfigSchema, {
        statPrefix: "dns",
        serverConfig: { configSource: { case: "inlineDnsTable", value: { virtualDomains: domains } } },
        clientConfig: {
          resolverTimeout: duration(resolverTimeoutMs),
          maxPendingLookups: BigInt(maxPendingLookups),
        },
      }),
    ],
  });
}

/** The name alone is for callers in the service's own namespace. */
function namesOf({ host, name, namespace }: Service, callerNamespace: string): string[] {
  const names = [host, `${name}.${namespace}.svc`, `${name}.${namespace}`];
  return namespace === callerNamespace ? [...names, name] : names;
}

function udpAddress(address: string, port: number) {
  return {
    address: {
      case: "socketAddress" as const,
      value: {
        address,
        protocol: SocketAddress_Protocol.UDP,
        portSpecifier: { case: "portValue" as const, value: port },
      },
    },
  };
}
