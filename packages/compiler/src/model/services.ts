import { formatSpiffeId } from "@heddle/core";
import { type CarriedProtocol, serviceHost } from "@heddle/api";
import type { WorkloadProfile } from "../inputs.ts";

/** A service, made of the workloads that say they belong to it. */
export interface Service {
  /** Full DNS name. */
  readonly host: string;
  readonly name: string;
  readonly namespace: string;
  /** By number. */
  readonly ports: readonly ServicePort[];
  /** SPIFFE identities of its workloads, sorted. */
  readonly identities: readonly string[];
  /** Virtual addresses at which intercepted callers find it, in the order that its workloads give. */
  readonly addresses: readonly string[];
}

export interface ServicePort {
  readonly port: number;
  readonly protocol: CarriedProtocol;
}

/** Whether a port carries nothing but HTTP. */
export function isDeclaredHttp(protocol: CarriedProtocol): boolean {
  return protocol === "http" || protocol === "http2";
}

/** Whether HTTP may come on a port: declared, or found out for each connection. */
export function isHttp(protocol: CarriedProtocol): boolean {
  return isDeclaredHttp(protocol) || protocol === "auto";
}

/** What of an instance makes its service: neither where it runs nor whether it is ready. */
export type Membership = Pick<
  WorkloadProfile,
  "service" | "namespace" | "serviceAccount" | "servicePort" | "protocol" | "kind"
> & { readonly serviceAddresses: readonly string[] };

export function membershipOf(instance: WorkloadProfile): Membership {
  const { service, namespace, serviceAccount, servicePort, protocol, kind, interception } = instance;
  const serviceAddresses = interception?.serviceAddresses ?? [];
  return { service, namespace, serviceAccount, servicePort, protocol, kind, serviceAddresses };
}

/** The service that these memberships make; all are of the same service, and there is at least one. */
export function makeService(members: readonly Membership[], trustDomain: string): Service | undefined {
  const [first] = members;
  if (first === undefined) return undefined;
  const ports = new Map<number, ServicePort>();
  const identities = new Set<string>();
  const addresses = new Set<string>();
  for (const { serviceAddresses } of members) for (const address of serviceAddresses) addresses.add(address);
  for (const { servicePort, protocol, namespace, serviceAccount } of members) {
    // Where workloads disagree about a port's protocol, opaque TCP is what both can carry.
    const known = ports.get(servicePort);
    ports.set(servicePort, {
      port: servicePort,
      protocol: known === undefined || known.protocol === protocol ? protocol : "tcp",
    });
    identities.add(formatSpiffeId(trustDomain, namespace, serviceAccount));
  }
  return {
    host: serviceHost(first.service, first.namespace),
    name: first.service,
    namespace: first.namespace,
    ports: [...ports.values()].sort((a, b) => a.port - b.port),
    identities: [...identities].sort(),
    addresses: [...addresses],
  };
}

/** The port of a service that its callers' own listeners stand for: the lowest. */
export function firstPort({ ports, host }: Service): ServicePort {
  const [port] = ports;
  if (port === undefined) throw new Error(`service ${host} has no port`);
  return port;
}
