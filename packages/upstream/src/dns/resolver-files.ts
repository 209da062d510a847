import { isIP } from "node:net";

/** What resolv.conf(5) says of names that are not whole. */
export interface SearchList {
  readonly domains: readonly string[];
  /** Names with so many dots are tried as they are first. */
  readonly ndots: number;
}

/** `search` (the last one counts, and `domain` is an old word for it) and `options ndots:n`, at most 15. */
export function parseSearchList(text: string): SearchList {
  let domains: readonly string[] = [];
  let ndots = 1;
  for (const line of text.split("\n")) {
    const [keyword, ...words] = line.trim().split(/\s+/);
    if (keyword === "search" || keyword === "domain") domains = words;
    if (keyword !== "options") continue;
    for (const word of words) {
      const given = /^ndots:(\d{1,9})$/.exec(word)?.[1];
      if (given !== undefined) ndots = Math.min(Number(given), 15);
    }
  }
  return { domains, ndots };
}

/** The names to ask for, one after the other until one has an address. A name that ends with a dot is whole. */
export function searchOrder(name: string, { domains, ndots }: SearchList): readonly string[] {
  if (name.endsWith(".")) return [name.slice(0, -1)];
  const longer = domains.map((domain) => (domain === "." ? name : `${name}.${domain.replace(/\.$/, "")}`));
  const dots = name.split(".").length - 1;
  return dots >= ndots ? [name, ...longer] : [...longer, name];
}

/** Addresses that hosts(5) gives to a name, in its order. */
export function addressesInHosts(text: string, name: string): readonly string[] {
  const wanted = name.replace(/\.$/, "").toLowerCase();
  const found: string[] = [];
  for (const line of text.split("\n")) {
    const [address = "", ...names] = line.replace(/#.*/, "").trim().split(/\s+/);
    if (isIP(address) !== 0 && names.some((candidate) => candidate.toLowerCase() === wanted)) found.push(address);
  }
  return found;
}
