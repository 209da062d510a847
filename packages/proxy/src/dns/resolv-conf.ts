import { readFileSync } from "node:fs";
import { parseNameServers } from "@heddle/net";
import type { ResolverAddress } from "./forwarder.ts";

/** glibc's MAXNS: more name servers than these are not asked. */
const maxServers = 3;

/** RFC 1035 §4.2. */
const port = 53;

/** The name servers of this machine (resolv.conf(5)); without the file, or one in it, the machine itself. */
export function machineResolvers(path = "/etc/resolv.conf"): ResolverAddress[] {
  let text = "";
  try {
    text = readFileSync(path, "utf8");
  } catch {
    // The default holds.
  }
  const servers = parseNameServers(text).map((host) => ({ host, port }));
  return servers.length === 0 ? [{ host: "127.0.0.1", port }] : servers.slice(0, maxServers);
}
