import type { CarriedProtocol, ClientTls } from "@heddle/api";
import { RawBufferSchema } from "@heddle/xds/api";
import type { Audience } from "../audience.ts";
import { mutualTlsServerName } from "../names.ts";
import { extension } from "../wire.ts";
import { isOriginated, originationSocket } from "./origination.ts";
import { clientTransportSocket, tunnelClientSocket } from "./tls-context.ts";

/** Of a destination, what its clients' TLS needs. */
interface TlsDestination {
  readonly host: string;
  readonly port: number;
  readonly protocol: CarriedProtocol;
  readonly identities: readonly string[];
  /** Whether its callers' traffic is redirected to their proxies. */
  readonly isIntercepted: boolean;
}

const plaintextSocket = extension("envoy.transport_sockets.raw_buffer", RawBufferSchema, {});

/** Value of `tlsMode` on endpoints that take mutual TLS. */
export const mutualTlsMode = "istio";

/** Value of `tunnel` on endpoints whose proxy takes carriers, as in Istio's ambient mode, and the entry of those. */
export const tunnelMode = "h2";
export const tunnelMatchName = "tunnel";

/** Whether a client speaks mutual TLS to whoever takes it. A tls block without a mode is DISABLE, as protobuf reads it. */
function mayBeMutual(tls: ClientTls | undefined): boolean {
  return tls === undefined || tls.mode === "ISTIO_MUTUAL";
}

/**
 * Whether connections to a port with this protocol may be streams of carriers: bytes and HTTP/1.1 between our own proxies, over mutual TLS. HTTP/2 shares
 * connections as it is; and what nobody declared is asked for by connections that tell the server by their ALPN what was found.
 */
export function isTunnelled(protocol: CarriedProtocol, tls: ClientTls | undefined, audience: Audience): boolean {
  if (!mayBeMutual(tls) || !audience.understands.has("TunnelOptions")) return false;
  // Who knows the message without the number would have every request ride in a carrier.
  return (
    protocol === "tcp" || (protocol === "http" && audience.understands.has("TunnelOptions.min_concurrent_requests"))
  );
}

/**
 * How clients reach the endpoints of a cluster. A DestinationRule that speaks of TLS wins; else each endpoint's own metadata says
 * whether it takes mutual TLS (istio.md 4.3).
 */
export function compileClientTransport(
  destination: TlsDestination,
  subset: string,
  tls: ClientTls | undefined,
  audience: Audience,
) {
  if (isOriginated(tls)) return { transportSocket: originationSocket(destination, tls, audience) };
  if (!mayBeMutual(tls)) return { transportSocket: plaintextSocket };
  const { host, port, protocol, identities } = destination;
  const accepted = tls?.subjectAltNames?.length ? tls.subjectAltNames : identities;
  const sni = tls?.sni || mutualTlsServerName(host, port, subset);
  const socket = clientTransportSocket(sni, accepted, protocol, audience);
  const tunnel = isTunnelled(protocol, tls, audience)
    ? [
        {
          name: tunnelMatchName,
          match: { tunnel: tunnelMode },
          transportSocket: tunnelClientSocket(sni, accepted, audience),
        },
      ]
    : [];
  if (tls !== undefined) return { transportSocket: socket, transportSocketMatches: tunnel };
  return {
    transportSocketMatches: [
      ...tunnel,
      { name: "tlsMode-istio", match: { tlsMode: mutualTlsMode }, transportSocket: socket },
      { name: "tlsMode-disabled", match: {}, transportSocket: plaintextSocket },
    ],
  };
}
