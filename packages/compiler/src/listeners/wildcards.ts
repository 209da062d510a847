import type { WorkloadProfile } from "../inputs.ts";

/** Redirected connections arrive at whatever address the kernel picks: all of the families that the workload has. */
export function wildcards(instance: WorkloadProfile): string[] {
  const hasIpv4 = instance.interception?.addresses.some((address) => !address.includes(":")) ?? false;
  return [...(hasIpv4 ? ["0.0.0.0"] : []), ...(hasIpv6(instance) ? ["::"] : [])];
}

/** Whether an intercepted workload has an IPv6 address. */
export function hasIpv6({ interception }: WorkloadProfile): boolean {
  return interception?.addresses.some((address) => address.includes(":")) ?? false;
}
