import { compareAge, compareHostSpecificity, hostCovers, type Metadata } from "@heddle/api";

/** What decides for which hosts a VirtualService speaks. */
export interface VirtualServiceScope {
  /** `namespace/name`. */
  readonly key: string;
  readonly metadata: Metadata;
  /** Resolved, full names or wildcards. */
  readonly hosts: readonly string[];
}

/**
 * Which VirtualService speaks for each host pattern: the first by age, name and namespace; VirtualServices of the mesh are never merged
 * (istio.md 4.4, 4.9).
 */
export function indexHosts(scopes: readonly VirtualServiceScope[]): Map<string, string> {
  const owners = new Map<string, string>();
  for (const { key, hosts } of [...scopes].sort(compareAge)) {
    for (const host of hosts) if (!owners.has(host)) owners.set(host, key);
  }
  return owners;
}

/** Who speaks for a service: whoever names it, else whoever has the most specific wildcard over it. */
export function ownerOf(owners: ReadonlyMap<string, string>, host: string): string | undefined {
  // The most specific of all, and by far the most frequent.
  const exact = owners.get(host);
  if (exact !== undefined) return exact;
  const [pattern] = [...owners.keys()].filter((candidate) => hostCovers(candidate, host)).sort(compareHostSpecificity);
  return pattern === undefined ? undefined : owners.get(pattern);
}
