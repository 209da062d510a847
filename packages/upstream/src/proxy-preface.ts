import { type BoundEndpoint, type ConnectionView, passesTlv } from "@heddle/engine";
import { formatProxyHeader } from "@heddle/net";

/** Of the client's connection, what a header of the PROXY protocol tells. */
export type ProxiedClient = Pick<ConnectionView, "remoteAddress" | "localAddress" | "proxyTlvs">;

/**
 * What goes before everything else on a connection to this endpoint; undefined: nothing.
 *
 * @param client whose connection it is made for; undefined: the proxy's own, such as a health check
 */
export function proxyPreface({ proxyProtocol }: BoundEndpoint, client: ProxiedClient | undefined): Buffer | undefined {
  if (proxyProtocol === undefined) return undefined;
  const { version, passedTlvs } = proxyProtocol;
  if (client === undefined) return formatProxyHeader(version, undefined);
  const addresses = { source: client.remoteAddress, destination: client.localAddress };
  return formatProxyHeader(
    version,
    addresses,
    client.proxyTlvs.filter(({ type }) => passesTlv(passedTlvs, type)),
  );
}
