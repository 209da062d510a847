import assert from "node:assert/strict";
import { createSecureServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import { getCACertificates } from "node:tls";
import { fromJson, type JsonValue } from "@bufbuild/protobuf";
import type { ClusterConfig, SecretConfig, SecretRef, ValidationConfig } from "@heddle/engine";
import { loadCluster } from "@heddle/engine/load";
import { ThrowawayCa } from "@heddle/testkit";
import { ClusterSchema, typeRegistry } from "@heddle/xds/api";
import { cluster } from "../testing/bootstrap-json.ts";
import { adsDialer, authoritiesOf, type FindSecret, revocationListsOf } from "./ads-connection.ts";

const rules = { matchSubjectAltNames: [], crlPem: undefined };
const given = (trustedCa: ValidationConfig["trustedCa"]): FindSecret => {
  const secret: SecretConfig = { kind: "validation", name: "anchors", validation: { ...rules, trustedCa } };
  return ({ name }) => (name === secret.name ? secret : undefined);
};
const named = (source: SecretRef["source"], name = "anchors"): ValidationConfig => ({
  ...rules,
  trustedCa: { source, name },
});
const system = getCACertificates("system");

for (const { what, validation, secret, expected } of [
  {
    what: "anchors of its own",
    validation: { ...rules, trustedCa: { pem: "own" } },
    secret: undefined,
    expected: ["own"],
  },
  {
    what: "the machine's store",
    validation: { ...rules, trustedCa: { store: "system" as const } },
    secret: undefined,
    expected: system,
  },
  { what: "a secret with anchors", validation: named("static"), secret: { pem: "secret" }, expected: ["secret"] },
  {
    what: "a secret with the machine's store",
    validation: named("static"),
    secret: { store: "system" as const },
    expected: system,
  },
  { what: "a secret without anchors", validation: named("static"), secret: undefined, expected: [] },
  { what: "a static secret that is not there", validation: named("static", "absent"), secret: undefined, expected: [] },
  {
    what: "the proxy's own bundle, not there yet",
    validation: named("local", "ROOTCA"),
    secret: undefined,
    expected: ["mesh"],
  },
  { what: "a bundle that is yet to come", validation: named("ads", "ROOTCA"), secret: undefined, expected: ["mesh"] },
  { what: "nothing", validation: undefined, secret: undefined, expected: [] },
]) {
  test(`the control plane is vouched for by what its cluster names and nobody else: ${what}`, () => {
    const found = authoritiesOf(validation, given(secret), () => "mesh");
    assert.deepEqual(found, expected);
  });
}

const controlPlane = "spiffe://cluster.local/ns/istio-system/sa/control-plane";

/** A cluster of one control plane, whose certificate these authorities and lists judge. */
function judged(port: number, validation: ValidationConfig): ClusterConfig {
  const json = cluster("xds", [port], {
    transport_socket: {
      name: "tls",
      typed_config: {
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        common_tls_context: { validation_context: { system_root_certs: {} } },
      },
    },
  });
  const { config } = loadCluster(fromJson(ClusterSchema, json as JsonValue, { registry: typeRegistry }));
  const tls = config?.transport.default;
  assert.ok(config !== undefined && tls !== undefined);
  const transport = { ...config.transport, default: { ...tls, common: { ...tls.common, validation } } };
  return { ...config, transport };
}

async function serve(t: TestContext, ca: ThrowawayCa): Promise<{ port: number; serialNumber: string }> {
  const identity = await ca.issue(controlPlane);
  const server = createSecureServer({ cert: identity.chainPem, key: identity.privateKeyPem });
  server.on("sessionError", () => undefined);
  server.on("tlsClientError", () => undefined);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  return { port: (server.address() as AddressInfo).port, serialNumber: identity.serialNumber };
}

test("a control plane whose certificate is revoked, or whose authority has no list, is not spoken to", async (t) => {
  const [ca, other] = [await ThrowawayCa.create(), await ThrowawayCa.create()];
  const { port, serialNumber } = await serve(t, ca);
  const anchors: ValidationConfig = {
    trustedCa: { pem: ca.certificatePem },
    matchSubjectAltNames: [{ type: "uri", match: { kind: "exact", value: controlPlane, ignoreCase: false } }],
    crlPem: undefined,
  };
  const [clean, revoked, foreign] = [await ca.revoke([]), await ca.revoke([serialNumber]), await other.revoke([])];
  const signal = new AbortController().signal;
  const byContext = async (crlPem: string | undefined) => {
    const dial = adsDialer(
      judged(port, { ...anchors, crlPem }),
      () => undefined,
      () => undefined,
    );
    (await dial(signal)).close();
  };
  const bySecret = async (crlPem: string | undefined) => {
    const secret: SecretConfig = { kind: "validation", name: "anchors", validation: { ...anchors, crlPem } };
    const config = judged(port, { ...anchors, trustedCa: { source: "static", name: "anchors" } });
    (
      await adsDialer(
        config,
        () => secret,
        () => undefined,
      )(signal)
    ).close();
  };
  for (const dial of [byContext, bySecret]) {
    await dial(undefined);
    await dial(clean);
    // Of several lists each counts, wherever it stands.
    await dial(foreign + clean);
    await assert.rejects(dial(foreign + revoked), /certificate revoked/);
    await assert.rejects(dial(revoked), /certificate revoked/);
    await assert.rejects(dial(foreign), /unable to get certificate CRL/);
    await assert.rejects(dial("nothing"), /revocation list cannot be read/);
  }
});

test("the names of the secret's context are the control plane's where its cluster names none", async (t) => {
  const ca = await ThrowawayCa.create();
  const { port } = await serve(t, ca);
  const uri = (value: string) => [
    { type: "uri" as const, match: { kind: "exact" as const, value, ignoreCase: false } },
  ];
  const dial = async (
    own: ValidationConfig["matchSubjectAltNames"],
    secrets: ValidationConfig["matchSubjectAltNames"],
  ) => {
    const anchors = { trustedCa: { pem: ca.certificatePem }, matchSubjectAltNames: secrets, crlPem: undefined };
    const secret: SecretConfig = { kind: "validation", name: "anchors", validation: anchors };
    const config = judged(port, { ...named("static"), matchSubjectAltNames: own });
    const connection = await adsDialer(
      config,
      () => secret,
      () => undefined,
    )(new AbortController().signal);
    connection.close();
  };
  const somebody = "spiffe://cluster.local/ns/default/sa/web";
  await dial([], uri(controlPlane));
  await assert.rejects(dial([], uri(somebody)), /which is not accepted/);
  // As for the proxy's other connections.
  await dial(uri(controlPlane), uri(somebody));
  await assert.rejects(dial(uri(somebody), uri(controlPlane)), /which is not accepted/);
});

test("the lists of the control plane's context go before those of its secret", () => {
  const list = (text: string): string => `-----BEGIN X509 CRL-----\n${text}\n-----END X509 CRL-----`;
  const secret: SecretConfig = {
    kind: "validation",
    name: "anchors",
    validation: { ...rules, trustedCa: { pem: "own" }, crlPem: list("secret") },
  };
  const found = (crlPem: string | undefined) => revocationListsOf({ ...named("static"), crlPem }, () => secret);
  assert.deepEqual(found(undefined), [list("secret")]);
  assert.deepEqual(found(list("own")), [list("own")]);
  assert.equal(
    revocationListsOf(named("static"), () => undefined),
    undefined,
  );
});
