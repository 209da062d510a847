import { addressBits, type CarriedProtocol, type ClientTls } from "@heddle/api";
import {
  type CertificateValidationContextSchema,
  type CommonTlsContextSchema,
  type MessageInitShape,
  SubjectAltNameMatcher_SanType,
  TlsParameters_TlsProtocol,
  UpstreamTlsContextSchema,
} from "@heddle/xds/api";
import type { Audience } from "../audience.ts";
import { localSecretSource } from "../config-source.ts";
import { isHttp } from "../model/services.ts";
import { extension } from "../wire.ts";
import { socketName } from "./tls-context.ts";

type ValidationInit = Omit<MessageInitShape<typeof CertificateValidationContextSchema>, "$typeName">;
type CommonInit = Omit<MessageInitShape<typeof CommonTlsContextSchema>, "$typeName">;

/** TLS that is not the mesh's: to whoever the DestinationRule says, instead of the mesh's mutual TLS. */
export type Origination = ClientTls & { readonly mode: "SIMPLE" | "MUTUAL" };

export function isOriginated(tls: ClientTls | undefined): tls is Origination {
  return tls?.mode === "SIMPLE" || tls?.mode === "MUTUAL";
}

/** Who is called, and whether callers name it by its own hosts and addresses: all their traffic is redirected to their proxies. */
interface OriginationTarget {
  readonly host: string;
  readonly protocol: CarriedProtocol;
  readonly isIntercepted: boolean;
}

/**
 * What TLS connections take from the requests that they are made for, where the rule does not say who the server is: the host of each is sent as server name
 * and demanded of the certificate, as in Istio. Where applications call a port of their proxy, requests name that, and the service's own name stands in.
 */
export function namesFromRequests(
  { protocol, isIntercepted }: Omit<OriginationTarget, "host">,
  tls: ClientTls | undefined,
): { readonly autoSni: true; readonly autoSanValidation: boolean } | undefined {
  if (!isOriginated(tls) || !isIntercepted || !isHttp(protocol) || tls.sni) return undefined;
  return { autoSni: true, autoSanValidation: !tls.insecureSkipVerify && !tls.subjectAltNames?.length };
}

/**
 * The client's side of TLS to a server that may know nothing of the mesh. A name that the DestinationRule has for the handshake is demanded of the
 * certificate, too, which Istio does not do (docs/reference/differences.md).
 */
export function originationSocket(target: OriginationTarget, tls: Origination, audience: Audience) {
  const { host, protocol } = target;
  const sni = tls.sni || host;
  const isNamedByRequests = namesFromRequests(target, tls)?.autoSanValidation === true;
  return extension(socketName, UpstreamTlsContextSchema, {
    sni,
    commonTlsContext: {
      tlsParams: {
        tlsMinimumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_2,
        tlsMaximumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_3,
      },
      alpnProtocols: alpnOf[protocol],
      ...certificateOf(tls),
      // Without a context nobody asks who the server is.
      ...(tls.insecureSkipVerify === true ? {} : verification(tls, isNamedByRequests ? [] : [sni], audience)),
    },
  });
}

/** `auto` stands for what was found to be HTTP. */
const alpnOf: Readonly<Record<CarriedProtocol, string[]>> = {
  http: ["http/1.1"],
  http2: ["h2"],
  auto: ["http/1.1"],
  tcp: [],
};

function certificateOf({ mode, clientCertificate = "", privateKey = "" }: Origination): CommonInit {
  if (mode === "SIMPLE") return {};
  return { tlsCertificates: [{ certificateChain: file(clientCertificate), privateKey: file(privateKey) }] };
}

function verification(
  { caCertificates, caCrl, subjectAltNames = [] }: Origination,
  hosts: readonly string[],
  audience: Audience,
): CommonInit {
  const names = subjectAltNames.length > 0 ? subjectAltNames : hosts;
  const rules: ValidationInit = {
    matchTypedSubjectAltNames: names.map((value) => ({
      sanType: nameType(value),
      matcher: { matchPattern: { case: "exact", value } },
    })),
    ...(caCrl === undefined ? {} : { crl: file(caCrl) }),
  };
  if (caCertificates === undefined && audience.dialect === "envoy") {
    // Envoy does not carry system_root_certs out; as from Istio it asks the agent beside it for the machine's store.
    const validationContextSdsSecretConfig = { name: "file-root:system", sdsConfig: localSecretSource() };
    return {
      validationContextType: {
        case: "combinedValidationContext",
        value: { defaultValidationContext: rules, validationContextSdsSecretConfig },
      },
    };
  }
  const anchors = caCertificates === undefined ? { systemRootCerts: {} } : { trustedCa: file(caCertificates) };
  return { validationContextType: { case: "validationContext", value: { ...anchors, ...rules } } };
}

/** By what it looks like: a certificate keeps names of each kind apart. */
function nameType(name: string): SubjectAltNameMatcher_SanType {
  if (addressBits(name) !== undefined) return SubjectAltNameMatcher_SanType.IP_ADDRESS;
  if (name.includes(":")) return SubjectAltNameMatcher_SanType.URI;
  return name.includes("@") ? SubjectAltNameMatcher_SanType.EMAIL : SubjectAltNameMatcher_SanType.DNS;
}

function file(filename: string) {
  return { specifier: { case: "filename" as const, value: filename } };
}
