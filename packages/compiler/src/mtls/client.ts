import type { ClientTls } from "@heddle/api";
import { RawBufferSchema } from "@heddle/xds/api";
import type { Audience } from "../audience.ts";
import { mutualTlsServerName } from "../names.ts";
import { extension } from "../wire.ts";
import { clientTransportSocket } from "./tls-context.ts";

/** Of a destination, what its clients' TLS needs. */
interface TlsDestination {
  readonly host: string;
  readonly port: number;
  readonly protocol: string;
  readonly identities: readonly string[];
}

const plaintextSocket = extension("envoy.transport_sockets.raw_buffer", RawBufferSchema, {});

/** Value of `tlsMode` on endpoints that take mutual TLS. */
export const mutualTlsMode = "istio";

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
  // A tls block without a mode is DISABLE, as protobuf reads it.
  if (tls !== undefined && tls.mode !== "ISTIO_MUTUAL") return { transportSocket: plaintextSocket };
  const { host, port, protocol, identities } = destination;
  const accepted = tls?.subjectAltNames?.length ? tls.subjectAltNames : identities;
  const sni = tls?.sni || mutualTlsServerName(host, port, subset);
  const socket = clientTransportSocket(sni, accepted, protocol, audience);
  if (tls !== undefined) return { transportSocket: socket };
  return {
    transportSocketMatches: [
      { name: "tlsMode-istio", match: { tlsMode: mutualTlsMode }, transportSocket: socket },
      { name: "tlsMode-disabled", match: {}, transportSocket: plaintextSocket },
    ],
  };
}
