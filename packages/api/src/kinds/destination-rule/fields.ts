import {
  boolean,
  field,
  formatted,
  integer,
  list,
  map,
  maxInt32,
  maxUint32,
  object,
  oneOf,
  text,
} from "../../schema/field-table.ts";
import { absolutePath, dnsLabel, duration, labelKey, labelValue, wildcardHost } from "../../schema/formats.ts";
import * as rules from "./rules.ts";
import type * as spec from "./spec.ts";

const notYetLoadBalancers = {
  consistentHash: "Use simple.",
  backendUtilization: "Use simple.",
  localityLbSetting: "",
  zoneAwareLbSetting: "",
  warmup: "",
  warmupDurationSecs: "",
};

const loadBalancer = object<spec.LoadBalancer>({
  fields: {
    simple: field(
      oneOf(["UNSPECIFIED", "ROUND_ROBIN", "LEAST_REQUEST", "LEAST_CONN", "RANDOM"], ["PASSTHROUGH"]),
      "How an endpoint is chosen; LEAST_CONN is the old name of LEAST_REQUEST.",
      { default: "LEAST_REQUEST" },
    ),
  },
  notYet: notYetLoadBalancers,
  checks: [rules.blockIsNotEmpty],
});

const tcpPool = object<spec.TcpPool>({
  fields: {
    maxConnections: field(integer(0, maxInt32), "Most connections to the host; 0 is the default, no limit."),
    connectTimeout: field(formatted(duration), "How long a connection may take to be made.", { default: "10s" }),
    tcpKeepalive: field(
      object<spec.TcpKeepalive>({
        fields: {
          probes: field(
            integer(0, maxUint32),
            "Unanswered probes after which the connection counts as dead; 0 is the operating system's default.",
          ),
          time: field(formatted(duration), "Idle time before the first probe."),
          interval: field(formatted(duration), "Time between probes."),
        },
      }),
      "TCP keep-alive probes on connections to the host.",
    ),
  },
  notYet: { idleTimeout: "For HTTP use connectionPool.http.idleTimeout.", maxConnectionDuration: "" },
});

const httpPool = object<spec.HttpPool>({
  fields: {
    http1MaxPendingRequests: field(
      integer(0, maxInt32),
      "Most requests that may wait for a connection; 0 is the default, no limit.",
    ),
    http2MaxRequests: field(
      integer(0, maxInt32),
      "Most requests at one time, whatever the HTTP version; 0 is the default, no limit.",
    ),
    maxRequestsPerConnection: field(
      integer(0, maxInt32),
      "Requests after which a connection is closed; 0 means no limit, 1 switches keep-alive off.",
    ),
    maxRetries: field(integer(0, maxInt32), "Most retries at one time; 0 is the default, no limit."),
    idleTimeout: field(formatted(duration), "Idle time after which a connection is closed.", { default: "1h" }),
    h2UpgradePolicy: field(
      oneOf(["DEFAULT", "DO_NOT_UPGRADE"], ["UPGRADE"]),
      "Whether the service is spoken to by HTTP/2; it is by HTTP/1.1 so far, also where two of our proxies carry it over HTTP/2.",
    ),
  },
  notYet: { useClientProtocol: "", maxConcurrentStreams: "", http2KeepAlive: "" },
});

const connectionPool = object<spec.ConnectionPool>({
  fields: {
    tcp: field(tcpPool, "Limits of connections."),
    http: field(httpPool, "Limits of requests."),
  },
  checks: [rules.blockIsNotEmpty],
});

const tls = object<spec.ClientTls>({
  fields: {
    mode: field(
      oneOf(["DISABLE", "SIMPLE", "MUTUAL", "ISTIO_MUTUAL"]),
      "How connections to the host are secured: DISABLE is plaintext, SIMPLE is TLS without a certificate of the client's, MUTUAL with one of its own, ISTIO_MUTUAL with the mesh's. A tls block without a mode means DISABLE. With SIMPLE and MUTUAL the proxy adds the TLS, so that applications call the host without, and a workload of the mesh has to take TLS that is not the mesh's (a port of TLS or TCP under PERMISSIVE).",
    ),
    sni: field(
      text(),
      "Server name sent in the handshake, in place of the mesh's own or, with SIMPLE and MUTUAL, of the host of each request, which the certificate has to be for. Where requests do not name the service (bytes, calls of a workload to ports of its own proxy, the edge), of the service's full host name.",
    ),
    subjectAltNames: field(
      list(text()),
      "Names that the server may show, any one of them. With ISTIO_MUTUAL identities, in place of the service's accounts; with SIMPLE and MUTUAL DNS names, URIs, IP or mail addresses, in place of the host of the request or the server name that is sent.",
    ),
    caCertificates: field(
      formatted(absolutePath),
      "With SIMPLE and MUTUAL: file of the authorities that may vouch for the server, PEM; when absent, the trust store of the machine. Files are those of the machine of the client's proxy, which follows them when they change.",
    ),
    caCrl: field(
      formatted(absolutePath),
      "With SIMPLE and MUTUAL: file of revocation lists, PEM, one of every authority on the way to the server's certificate.",
    ),
    clientCertificate: field(
      formatted(absolutePath),
      "With MUTUAL, which requires it: file of the client's certificate and its intermediates, PEM.",
    ),
    privateKey: field(formatted(absolutePath), "With MUTUAL, which requires it: file of the certificate's key, PEM."),
    insecureSkipVerify: field(
      boolean,
      "With SIMPLE and MUTUAL: whether the server's certificate is not looked at, so that anybody may pose as the server.",
      { default: false },
    ),
  },
  notYet: {
    credentialName:
      "Secrets of Kubernetes are not read; name the files with clientCertificate, privateKey and caCertificates.",
  },
  checks: [
    rules.tlsHasAMode,
    rules.tlsDetailsSuitTheMode,
    rules.mutualTlsHasACertificate,
    rules.skippedVerificationHasNoDetails,
  ],
});

const blocks = {
  loadBalancer: field(loadBalancer, "How an endpoint is chosen."),
  connectionPool: field(connectionPool, "Limits of connections and requests."),
  tls: field(tls, "How connections to the host are secured; absent lets the mesh decide."),
};

const trafficPolicy = object<spec.TrafficPolicy>({
  fields: {
    ...blocks,
    portLevelSettings: field(
      list(
        object<spec.PortTrafficPolicy>({
          fields: {
            ...blocks,
            port: field(
              object<spec.PortNumber>({
                fields: { number: field(integer(1, 65_535), "Port of the service.", { required: true }) },
              }),
              "Port that the entry holds for.",
              { required: true },
            ),
          },
          notYet: { outlierDetection: "" },
          checks: [rules.portHasASetting],
        }),
        { maxItems: 4096, uniqueBy: (entry: spec.PortTrafficPolicy) => String(entry.port.number) },
      ),
      "Policies for single ports; for its port an entry replaces the whole policy, and what it leaves out falls to the defaults.",
    ),
  },
  notYet: { outlierDetection: "", tunnel: "", proxyProtocol: "", retryBudget: "" },
  checks: [rules.blockIsNotEmpty],
});

export const destinationRuleFields = object<spec.DestinationRuleSpec>({
  fields: {
    host: field(
      formatted(wildcardHost),
      "Service the rule is for; a name without dots lies in the resource's namespace.",
      { required: true },
    ),
    trafficPolicy: field(trafficPolicy, "Policy for every subset and port that has none of its own."),
    subsets: field(
      list(
        object<spec.Subset>({
          fields: {
            name: field(formatted(dnsLabel), "Name that routes refer to.", { required: true }),
            labels: field(
              map(labelKey, formatted(labelValue, { minLength: 0 })),
              "Labels that an endpoint of the subset has; absent means every endpoint.",
            ),
            trafficPolicy: field(
              trafficPolicy,
              "Policy for the subset; each block replaces the one of the whole rule.",
            ),
          },
        }),
        { uniqueBy: (subset: spec.Subset) => subset.name },
      ),
      "Named groups of the service's endpoints.",
    ),
    exportTo: field(list(oneOf(["*"], ["."])), "Namespaces that see the resource; only * (all) so far."),
  },
  notYet: { workloadSelector: "The rule then holds for every client; remove the selector if that is meant." },
});
