import assert from "node:assert/strict";
import { test } from "node:test";
import { ClusterSchema, type JsonObject, ListenerSchema } from "@heddle/xds/api";
import type { DownstreamTlsConfig, UpstreamTlsConfig } from "../config/tls.ts";
import { clusterJson, configOf, fromEnvoyJson, problemsOf, typeUrls } from "../testing/harness.ts";
import { loadCluster } from "./cluster.ts";
import { loadListener } from "./listener.ts";
import type { Loaded } from "./loading.ts";

const sds = (name: string): JsonObject => ({ name, sds_config: { ads: {}, resource_api_version: "V3" } });
const ownCertificate = { tls_certificate_sds_secret_configs: [sds("default")] };

function listener(context: JsonObject, chain: JsonObject = {}) {
  const json = {
    name: "l",
    address: { socket_address: { address: "127.0.0.1", port_value: 1 } },
    filter_chains: [
      {
        name: "chain",
        filters: [{ name: "tcp", typed_config: { "@type": typeUrls.tcpProxy, stat_prefix: "t", cluster: "a" } }],
        transport_socket: { name: "tls", typed_config: { "@type": typeUrls.downstreamTls, ...context } },
        ...chain,
      },
    ],
  };
  return loadListener(fromEnvoyJson(ListenerSchema, json));
}

function server(context: JsonObject): DownstreamTlsConfig {
  const tls = configOf(listener(context)).filterChains[0]?.tls;
  assert.ok(tls !== undefined);
  return tls;
}

function clusterWith(context: JsonObject) {
  return loadCluster(
    fromEnvoyJson(
      ClusterSchema,
      clusterJson("c", [{}], {
        transport_socket: { name: "tls", typed_config: { "@type": typeUrls.upstreamTls, ...context } },
      }),
    ),
  );
}

function client(context: JsonObject): UpstreamTlsConfig {
  const tls = configOf(clusterWith(context)).transport.default;
  assert.ok(tls !== undefined);
  return tls;
}

const at = "filter_chains[0].transport_socket.typed_config";
const refused = (loaded: Loaded<unknown>, prefix = `${at}.`): string[] =>
  problemsOf(loaded).map((problem) => problem.replace(prefix, ""));

test("a server's TLS context arrives", () => {
  const plain = server({ common_tls_context: ownCertificate });
  assert.deepEqual(plain, {
    common: {
      minVersion: "1.2",
      maxVersion: "1.3",
      cipherSuites: [],
      groups: [],
      alpn: [],
      certificate: { name: "default", source: "ads" },
      validation: undefined,
    },
    requireClientCertificate: false,
    requireSni: false,
    sessionTickets: true,
  });
  const full = server({
    common_tls_context: {
      ...ownCertificate,
      tls_params: {
        tls_minimum_protocol_version: "TLSv1_3",
        tls_maximum_protocol_version: "TLSv1_3",
        cipher_suites: ["ECDHE-ECDSA-AES256-GCM-SHA384"],
        ecdh_curves: ["P-256"],
      },
      alpn_protocols: ["istio", "http/1.1"],
      validation_context_sds_secret_config: sds("ROOTCA"),
    },
    require_client_certificate: true,
    require_sni: true,
    disable_stateless_session_resumption: true,
  });
  assert.deepEqual(
    [
      full.common.minVersion,
      full.common.maxVersion,
      full.common.cipherSuites,
      full.common.groups,
      full.common.alpn,
      full.requireClientCertificate,
      full.requireSni,
      full.sessionTickets,
    ],
    ["1.3", "1.3", ["ECDHE-ECDSA-AES256-GCM-SHA384"], ["P-256"], ["istio", "http/1.1"], true, true, false],
  );
  const timed = configOf(listener({ common_tls_context: ownCertificate }, { transport_socket_connect_timeout: "7s" }));
  assert.equal(timed.filterChains[0]?.tlsHandshakeTimeoutMs, 7000);
  const raw = { "@type": "type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer" };
  assert.equal(
    configOf(listener({}, { transport_socket: { name: "raw", typed_config: raw } })).filterChains[0]?.tls,
    undefined,
  );
  assert.deepEqual(refused(listener({})), ["common_tls_context: a server needs a certificate"]);
  assert.deepEqual(refused(listener({ common_tls_context: ownCertificate, require_client_certificate: true })), [
    "require_client_certificate: there is nothing to verify client certificates with",
  ]);
  assert.deepEqual(
    refused(
      listener({
        common_tls_context: {
          ...ownCertificate,
          tls_params: { tls_minimum_protocol_version: "TLSv1_3", tls_maximum_protocol_version: "TLSv1_2" },
        },
      }),
    ),
    ["common_tls_context.tls_params: the minimum version is above the maximum"],
  );
  assert.deepEqual(
    refused(
      listener({ common_tls_context: { ...ownCertificate, tls_params: { tls_minimum_protocol_version: "TLSv1_0" } } }),
    ),
    ["common_tls_context.tls_params.tls_minimum_protocol_version: the value TLSv1_0 is not supported"],
  );
  const weak = { cipher_suites: ["ECDHE-RSA-AES128-SHA"], ecdh_curves: ["P-192"] };
  assert.deepEqual(
    refused(listener({ common_tls_context: { ...ownCertificate, tls_params: weak } })).map(
      (text) => text.split(" is")[0],
    ),
    [
      'common_tls_context.tls_params.cipher_suites[0]: "ECDHE-RSA-AES128-SHA"',
      'common_tls_context.tls_params.ecdh_curves[0]: "P-192"',
    ],
  );
  const upstream = { name: "tls", typed_config: { "@type": typeUrls.upstreamTls } };
  assert.match(
    refused(listener({}, { transport_socket: upstream }))[0] ?? "",
    /UpstreamTlsContext" is not supported here/,
  );
});

test("a client's TLS context arrives", () => {
  assert.deepEqual(client({}), {
    common: {
      minVersion: "1.2",
      maxVersion: "1.3",
      cipherSuites: [],
      groups: [],
      alpn: [],
      certificate: undefined,
      validation: undefined,
    },
    sni: "",
    maxSessionKeys: 1,
  });
  const full = client({
    sni: "outbound_.9080_._.web",
    max_session_keys: 3,
    common_tls_context: {
      ...ownCertificate,
      alpn_protocols: ["istio"],
      validation_context_sds_secret_config: sds("ROOTCA"),
    },
  });
  assert.deepEqual(
    [full.sni, full.maxSessionKeys, full.common.alpn, full.common.certificate?.name, full.common.validation?.trustedCa],
    ["outbound_.9080_._.web", 3, ["istio"], "default", { name: "ROOTCA", source: "ads" }],
  );
});

test("a validation context's anchors, names, CRL and verification arrive", () => {
  const names = [
    { san_type: "URI", matcher: { exact: "spiffe://td/ns/a/sa/b" } },
    { san_type: "DNS", matcher: { suffix: ".example" } },
    { san_type: "IP_ADDRESS", matcher: { exact: "10.0.0.1" } },
    { san_type: "EMAIL", matcher: { prefix: "a@" } },
  ];
  const inline = client({
    common_tls_context: {
      validation_context: {
        trusted_ca: { inline_string: "PEM" },
        match_typed_subject_alt_names: names,
        crl: { inline_string: "CRL" },
        trust_chain_verification: "VERIFY_TRUST_CHAIN",
      },
    },
  });
  assert.deepEqual(inline.common.validation, {
    trustedCa: { pem: "PEM" },
    matchSubjectAltNames: [
      { type: "uri", match: { kind: "exact", value: "spiffe://td/ns/a/sa/b", ignoreCase: false } },
      { type: "dns", match: { kind: "suffix", value: ".example", ignoreCase: false } },
      { type: "ip", match: { kind: "exact", value: "10.0.0.1", ignoreCase: false } },
      { type: "email", match: { kind: "prefix", value: "a@", ignoreCase: false } },
    ],
    crlPem: "CRL",
  });
  const combined = client({
    common_tls_context: {
      combined_validation_context: {
        default_validation_context: { match_typed_subject_alt_names: names.slice(0, 1) },
        validation_context_sds_secret_config: sds("ROOTCA"),
      },
    },
  });
  assert.deepEqual(
    [combined.common.validation?.trustedCa, combined.common.validation?.matchSubjectAltNames.length],
    [{ name: "ROOTCA", source: "ads" }, 1],
  );
  const anchorsOnly = client({
    common_tls_context: { combined_validation_context: { validation_context_sds_secret_config: sds("ROOTCA") } },
  });
  assert.deepEqual(anchorsOnly.common.validation, {
    trustedCa: { name: "ROOTCA", source: "ads" },
    matchSubjectAltNames: [],
    crlPem: undefined,
  });
  const anchorsOf = (validation: JsonObject) =>
    client({ common_tls_context: { validation_context: validation } }).common.validation?.trustedCa;
  assert.deepEqual(anchorsOf({ system_root_certs: {} }), { store: "system" });
  assert.deepEqual(anchorsOf({ system_root_certs: {}, trusted_ca: { inline_string: "PEM" } }), { pem: "PEM" });
  const wrong = (context: JsonObject): string[] =>
    refused(clusterWith({ common_tls_context: context }), "transport_socket.typed_config.common_tls_context.");
  // Without anchors a certificate would prove nothing.
  assert.deepEqual(wrong({ validation_context: { match_typed_subject_alt_names: names } }), [
    "validation_context.trusted_ca: there is no data",
  ]);
  assert.deepEqual(
    wrong({
      combined_validation_context: {
        default_validation_context: { trusted_ca: { inline_string: "PEM" } },
        validation_context_sds_secret_config: sds("R"),
      },
    }),
    ["combined_validation_context: the anchors come from the secret"],
  );
  assert.deepEqual(
    wrong({
      combined_validation_context: {
        default_validation_context: { system_root_certs: {} },
        validation_context_sds_secret_config: sds("R"),
      },
    }),
    ["combined_validation_context: the anchors come from the secret"],
  );
  assert.deepEqual(wrong({ combined_validation_context: {} }), [
    "combined_validation_context: the anchors come from the secret",
  ]);
  assert.deepEqual(
    wrong({
      validation_context: {
        trusted_ca: { inline_string: "PEM" },
        match_typed_subject_alt_names: [{ matcher: { exact: "x" } }],
      },
    }),
    ["validation_context.match_typed_subject_alt_names[0].san_type: the type is missing or not supported"],
  );
});

test("secrets come from ADS, the local identity, the bootstrap or the context itself", () => {
  const local = {
    api_type: "GRPC",
    transport_api_version: "V3",
    set_node_on_first_message_only: true,
    grpc_services: [{ envoy_grpc: { cluster_name: "sds-grpc" } }],
  };
  const certificate = (own: JsonObject): unknown =>
    server({ common_tls_context: { tls_certificate_sds_secret_configs: [own] } }).common.certificate;
  assert.deepEqual(certificate(sds("default")), { name: "default", source: "ads" });
  assert.deepEqual(
    certificate({
      name: "default",
      sds_config: { api_config_source: local, initial_fetch_timeout: "0s", resource_api_version: "V3" },
    }),
    { name: "default", source: "local" },
  );
  assert.deepEqual(certificate({ name: "from-file" }), { name: "from-file", source: "static" });
  const inline = listener({
    common_tls_context: {
      tls_certificates: [{ certificate_chain: { inline_string: "CHAIN" }, private_key: { inline_string: "KEY" } }],
    },
  });
  const reference = configOf(inline).filterChains[0]?.tls?.common.certificate;
  assert.equal(reference?.source, "inline");
  const [secret] = inline.secrets;
  assert.ok(secret?.kind === "certificate");
  assert.deepEqual(
    [secret.name, secret.certificateChainPem, secret.privateKey.reveal(), JSON.stringify(secret).includes("KEY")],
    [reference?.name, "CHAIN", "KEY", false],
  );
  const wrong = (own: JsonObject): string[] =>
    refused(listener({ common_tls_context: own }), `${at}.common_tls_context.`).filter(
      (problem) => !problem.endsWith("a server needs a certificate"),
    );
  const first = "tls_certificate_sds_secret_configs[0]";
  assert.deepEqual(wrong({ tls_certificate_sds_secret_configs: [sds("")] }), [`${first}.name: the field is empty`]);
  assert.deepEqual(
    wrong({
      tls_certificate_sds_secret_configs: [
        {
          name: "x",
          sds_config: { api_config_source: { ...local, grpc_services: [{ envoy_grpc: { cluster_name: "other" } }] } },
        },
      ],
    }),
    [`${first}.sds_config.api_config_source: secrets come from ADS or from the cluster sds-grpc`],
  );
  assert.deepEqual(
    wrong({
      tls_certificate_sds_secret_configs: [{ name: "x", sds_config: { ads: {}, initial_fetch_timeout: "5s" } }],
    }),
    [`${first}.sds_config.initial_fetch_timeout: a resource is waited for without limit`],
  );
  assert.deepEqual(wrong({ tls_certificate_sds_secret_configs: [{ name: "x", sds_config: {} }] }), [
    `${first}.sds_config: the source is empty`,
  ]);
  assert.match(
    listener({ common_tls_context: { tls_certificate_sds_secret_configs: [sds("a"), sds("b")] } }).problems[0]
      ?.message ?? "",
    /several certificates/,
  );
  assert.deepEqual(wrong({ tls_certificates: [{ certificate_chain: { inline_string: "CHAIN" } }] }), [
    "tls_certificates[0].private_key: there is no data",
  ]);
});
