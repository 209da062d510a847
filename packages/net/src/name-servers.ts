import { isIP } from "node:net";

/**
 * The name servers that a resolv.conf(5) names, in its order: IP literals, a link-local one with its link (`fe80::1%eth0`).
 *
 * A word is read to its end: a link-local address cut off before its zone is another one, which no way leads to.
 */
export function parseNameServers(text: string): string[] {
  const words = [...text.matchAll(/^[ \t]*nameserver[ \t]+([^\s#;]+)/gm)].map(([, word = ""]) => word);
  return words.filter((word) => isIP(word) !== 0);
}
