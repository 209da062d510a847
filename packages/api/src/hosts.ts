/**
 * The DNS domain of services, `<service>.<namespace>.svc.cluster.local`. It is not the trust domain: resources name services by DNS
 * name, and a mesh that changes its trust domain keeps those names.
 */
export const clusterDomain = "cluster.local";

export function serviceHost(service: string, namespace: string): string {
  return `${service}.${namespace}.svc.${clusterDomain}`;
}

/**
 * The host a resource means. Only a name without a dot is short: it lies in the resource's own namespace (istio.md 4.4). Everything
 * else, wildcards included, is taken as written. DNS names compare without regard to case, so the answer is lower-case.
 */
export function resolveHost(host: string, namespace: string): string {
  const lower = host.toLowerCase();
  return lower.includes(".") || lower === "*" ? lower : serviceHost(lower, namespace);
}

/** Whether a resolved host (exact, `*`, or `*.suffix`) covers a full name. `*.a` does not cover `a`. */
export function hostCovers(pattern: string, fullName: string): boolean {
  if (pattern === "*") return true;
  return pattern.startsWith("*")
    ? fullName.length >= pattern.length && fullName.endsWith(pattern.slice(1))
    : pattern === fullName;
}

/** Orders patterns from the most specific: exact names, then longer wildcards (istio.md 4.5). */
export function compareHostSpecificity(a: string, b: string): number {
  const aWild = a.startsWith("*");
  const bWild = b.startsWith("*");
  if (aWild !== bWild) return aWild ? 1 : -1;
  return b.length - a.length;
}
