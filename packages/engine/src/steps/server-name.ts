import { headerReader } from "../bind/header-matcher.ts";
import { canonicalIp } from "../bind/ip-address.ts";
import type { BoundCluster } from "../bind/types.ts";
import { withoutPort } from "../bind/virtual-host-index.ts";
import type { RequestRecord } from "./request-record.ts";

/** What may stand in a handshake (RFC 6066 §3); no certificate is for anything else. */
const dnsName = /^[\w.-]{1,253}$/;

/**
 * Whom TLS connections for the request are for, where the cluster takes that from requests (`auto_sni`, `auto_san_validation`): the host that the client asked
 * for, before the route rewrites it, as in Envoy; a name in lower case without its last dot, or an IP address. Empty: it asked for nothing that could be one.
 */
export function serverNameOf(req: RequestRecord, { config }: BoundCluster): string | undefined {
  if (config.serverName === undefined) return undefined;
  const { header } = config.serverName;
  const given = header === "" ? "" : (headerReader(header)(req) ?? "");
  const authority = given === "" ? req.originalAuthority : given;
  const host = withoutPort(authority).toLowerCase();
  const address = canonicalIp(host.startsWith("[") && host.endsWith("]") ? host.slice(1, -1) : host);
  if (address !== undefined) return address;
  return dnsName.test(host) ? host.replace(/\.$/, "") : "";
}
