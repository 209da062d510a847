import { readFileSync } from "node:fs";
import { parseAddress, type SocketAddress } from "@heddle/net";

/** glibc's MAXNS: more name servers than these are not asked. */
const maxServers = 3;

/** The name servers of this machine (resolv.conf(5)); without the file, or one in it, the machine itself. */
export function machineResolvers(path = "/etc/resolv.conf"): SocketAddress[] {
  let text = "";
  try {
    text = readFileSync(path, "utf8");
  } catch {
    // The default holds.
  }
  const servers = [...text.matchAll(/^\s*nameserver\s+([0-9A-Fa-f.:]+)/gm)].flatMap(([, host = ""]) => {
    const address = parseAddress(host.includes(":") ? `[${host}]:53` : `${host}:53`);
    return address === undefined ? [] : [address];
  });
  return servers.length === 0 ? [{ host: "127.0.0.1", port: 53 }] : servers.slice(0, maxServers);
}
