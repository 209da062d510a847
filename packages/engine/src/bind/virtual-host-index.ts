import { asciiLowerCase } from "./string-matcher.ts";

/** What a domain of a virtual host is. */
function domainKind(domain: string): "any" | "suffix" | "prefix" | "exact" {
  if (domain === "*") return "any";
  if (domain.startsWith("*")) return "suffix";
  return domain.endsWith("*") ? "prefix" : "exact";
}

interface WildcardLength<T> {
  readonly length: number;
  readonly hosts: Map<string, T>;
}

/**
 * Envoy's search over domains: exact, then the longest `*suffix`, then the longest `prefix*`, then `*`. Domains compare
 * without case, and a wildcard stands for at least one character.
 */
export class VirtualHostIndex<T> {
  readonly #exact: Map<string, T>;
  readonly #suffixes: WildcardLength<T>[];
  readonly #prefixes: WildcardLength<T>[];
  #any: T | undefined;

  constructor(hosts: readonly { readonly domains: readonly string[]; readonly host: T }[]) {
    this.#exact = new Map();
    this.#suffixes = [];
    this.#prefixes = [];
    this.#any = undefined;
    for (const { domains, host } of hosts) for (const domain of domains) this.#add(asciiLowerCase(domain), host);
    this.#suffixes.sort((a, b) => b.length - a.length);
    this.#prefixes.sort((a, b) => b.length - a.length);
  }

  #add(domain: string, host: T): void {
    switch (domainKind(domain)) {
      case "any":
        this.#any ??= host;
        break;
      case "exact":
        if (!this.#exact.has(domain)) this.#exact.set(domain, host);
        break;
      case "suffix":
        addWildcard(this.#suffixes, domain.slice(1), host);
        break;
      case "prefix":
        addWildcard(this.#prefixes, domain.slice(0, -1), host);
        break;
    }
  }

  /** `authority` as it came, `ignorePort` to look it up without a port. */
  find(authority: string, ignorePort: boolean): T | undefined {
    const isDefaultOnly = this.#exact.size === 0 && this.#suffixes.length === 0 && this.#prefixes.length === 0;
    if (isDefaultOnly || authority === "") return this.#any;
    const name = asciiLowerCase(ignorePort ? withoutPort(authority) : authority);
    const exact = this.#exact.get(name);
    if (exact !== undefined) return exact;
    for (const { length, hosts } of this.#suffixes) {
      if (length >= name.length) continue;
      const found = hosts.get(name.slice(name.length - length));
      if (found !== undefined) return found;
    }
    for (const { length, hosts } of this.#prefixes) {
      if (length >= name.length) continue;
      const found = hosts.get(name.slice(0, length));
      if (found !== undefined) return found;
    }
    return this.#any;
  }
}

function addWildcard<T>(lengths: WildcardLength<T>[], fixed: string, host: T): void {
  let entry = lengths.find((candidate) => candidate.length === fixed.length);
  if (entry === undefined) {
    entry = { length: fixed.length, hosts: new Map() };
    lengths.push(entry);
  }
  if (!entry.hosts.has(fixed)) entry.hosts.set(fixed, host);
}

/** Index of the colon before a numeric port, or -1. Brackets of IPv6 literals are understood. */
export function portStart(authority: string): number {
  const colon = authority.lastIndexOf(":");
  if (colon === -1 || colon === authority.length - 1) return -1;
  const bracket = authority.lastIndexOf("]");
  if (bracket > colon) return -1;
  // A colon before this one without brackets: an IPv6 literal without port.
  if (bracket === -1 && authority.indexOf(":") !== colon) return -1;
  for (let i = colon + 1; i < authority.length; i++) {
    const code = authority.charCodeAt(i);
    if (code < 48 || code > 57) return -1;
  }
  return colon;
}

/** The authority without its port. */
export function withoutPort(authority: string): string {
  const colon = portStart(authority);
  return colon === -1 ? authority : authority.slice(0, colon);
}

/** Domains that are listed more than once in a table (Envoy refuses it), lower-case. */
export function duplicateDomains(hosts: readonly { readonly domains: readonly string[] }[]): string[] {
  const seen = new Set<string>();
  const duplicates = new Set<string>();
  for (const { domains } of hosts) {
    for (const domain of domains) {
      const name = asciiLowerCase(domain);
      if (seen.has(name)) duplicates.add(name);
      seen.add(name);
    }
  }
  return [...duplicates];
}
