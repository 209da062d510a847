import type { CarriedProtocol } from "@heddle/api";
import {
  type CommonTlsContextSchema,
  DownstreamTlsContextSchema,
  type MessageInitShape,
  SubjectAltNameMatcher_SanType,
  TlsParameters_TlsProtocol,
  UpstreamTlsContextSchema,
} from "@heddle/xds/api";
import type { Audience } from "../audience.ts";
import { isDeclaredHttp } from "../model/services.ts";
import { adsSource, localSecretSource } from "../config-source.ts";
import { extension } from "../wire.ts";

type CommonInit = Omit<MessageInitShape<typeof CommonTlsContextSchema>, "$typeName">;
type SanPattern = { case: "exact" | "prefix"; value: string };

export const socketName = "envoy.transport_sockets.tls";

/**
 * What a client of the mesh offers; the first names the HTTP version, the others say that this is the mesh (istio.md 4.3). Where the client found out
 * what a connection carries, this is how it tells the server: `auto` stands for what it found to be HTTP, `tcp` for everything else.
 */
export function meshProtocols(protocol: CarriedProtocol): string[] {
  if (protocol === "auto") return ["istio-http/1.1"];
  const version = { http: ["istio-http/1.1"], http2: ["istio-h2"], tcp: [] }[protocol];
  return [...version, "istio-peer-exchange", "istio"];
}

/** HTTP/2 is asked for and answered by its own name, which is what servers go by. */
function http2Protocols(protocol: CarriedProtocol): string[] {
  return protocol === "http2" ? ["h2"] : [];
}

/** How long a client may take for its handshake. */
export const handshakeTimeoutMs = 15_000;

/** The server's side: identities of this trust domain, and no plaintext. */
export function serverTransportSocket(trustDomain: string, protocol: CarriedProtocol, audience: Audience) {
  return serverSocket(trustDomain, audience, [
    ...http2Protocols(protocol),
    ...meshProtocols(protocol),
    // A client of the mesh that speaks no ALPN of Istio's, such as a plain HTTP library with a certificate, is served as well.
    ...(isDeclaredHttp(protocol) ? ["http/1.1"] : []),
  ]);
}

/** The client's side: the server must be one of `identities`. */
export function clientTransportSocket(
  sni: string,
  identities: readonly string[],
  protocol: CarriedProtocol,
  audience: Audience,
) {
  return clientSocket(sni, identities, audience, [...http2Protocols(protocol), ...meshProtocols(protocol)]);
}

/** What carriers of streams speak, and nothing else. */
const tunnelProtocols = ["h2"];

/** The server's side of a carrier of streams. */
export function tunnelServerSocket(trustDomain: string, audience: Audience) {
  return serverSocket(trustDomain, audience, tunnelProtocols);
}

/** The client's side of a carrier of streams: the server must be one of `identities`. */
export function tunnelClientSocket(sni: string, identities: readonly string[], audience: Audience) {
  return clientSocket(sni, identities, audience, tunnelProtocols);
}

function serverSocket(trustDomain: string, audience: Audience, alpnProtocols: string[]) {
  return extension(socketName, DownstreamTlsContextSchema, {
    requireClientCertificate: true,
    commonTlsContext: {
      ...commonContext([{ case: "prefix", value: `spiffe://${trustDomain}/` }], audience),
      alpnProtocols,
    },
  });
}

function clientSocket(sni: string, identities: readonly string[], audience: Audience, alpnProtocols: string[]) {
  const names = identities.map((value): SanPattern => ({ case: "exact", value }));
  return extension(socketName, UpstreamTlsContextSchema, {
    sni,
    commonTlsContext: { ...commonContext(names, audience), alpnProtocols },
  });
}

function commonContext(names: readonly SanPattern[], audience: Audience): CommonInit {
  return {
    // Both ends are proxies of the mesh: there is nobody to speak an older version with.
    tlsParams: {
      tlsMinimumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_3,
      tlsMaximumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_3,
    },
    tlsCertificateSdsSecretConfigs: [{ name: "default", sdsConfig: localSecretSource() }],
    validationContextType: {
      case: "combinedValidationContext",
      value: {
        defaultValidationContext: {
          matchTypedSubjectAltNames: names.map((matchPattern) => ({
            sanType: SubjectAltNameMatcher_SanType.URI,
            matcher: { matchPattern },
          })),
        },
        validationContextSdsSecretConfig: {
          name: "ROOTCA",
          // Anchors are pushed, so that they rotate without a restart; Envoy gets them from the agent that also has its key.
          sdsConfig: audience.dialect === "heddle" ? adsSource() : localSecretSource(),
        },
      },
    },
  };
}
