import assert from "node:assert/strict";
import { before, test } from "node:test";
import type { SecretConfig, ValidationConfig } from "@heddle/engine";
import { verifyPeer } from "@heddle/net";
import { ThrowawayCa } from "@heddle/testkit";
import type { SecretLookup } from "./peer-policy.ts";
import { peerPolicyOf } from "./peer-policy.ts";

const web = "spiffe://cluster.local/ns/default/sa/web";
let ca: ThrowawayCa;

before(async () => {
  ca = await ThrowawayCa.create();
});

function secretsWith(...secrets: SecretConfig[]): SecretLookup {
  return { epoch: 1, get: ({ name }) => secrets.find((secret) => secret.name === name) };
}

function inline(overrides: Partial<ValidationConfig> = {}): ValidationConfig {
  return {
    trustedCa: { pem: ca.certificatePem },
    matchSubjectAltNames: [],
    crlPem: undefined,
    ...overrides,
  };
}

test("without a validation context nothing is asked for", () => {
  assert.deepEqual(peerPolicyOf(undefined, "client", secretsWith()), { ok: true, policy: undefined });
});

test("whatever is missing or unreadable is a reason and never a wider policy", async () => {
  const unread = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
  const table: [ValidationConfig, RegExp][] = [
    [inline({ trustedCa: undefined }), /no trust anchors/],
    [inline({ trustedCa: { name: "ROOTCA", source: "ads" } }), /ROOTCA have not arrived/],
    [inline({ trustedCa: { pem: unread } }), /cannot be read/],
    [inline({ trustedCa: { pem: "" } }), /cannot be read/],
    [inline({ crlPem: "" }), /revocation list cannot be read/],
  ];
  for (const [validation, reason] of table) {
    const built = peerPolicyOf(validation, "client", secretsWith());
    assert.ok(!built.ok);
    assert.match(built.reason, reason);
  }
});

test("anchors and names of a validation secret are used, and names beside the reference win", async () => {
  const uri = (value: string) =>
    [{ type: "uri" as const, match: { kind: "exact" as const, value, ignoreCase: false } }] as const;
  const secrets = secretsWith({
    kind: "validation",
    name: "ROOTCA",
    validation: inline({ matchSubjectAltNames: uri("spiffe://cluster.local/ns/default/sa/books") }),
  });
  const { chainDer } = await ca.issue(web);
  const reference = { trustedCa: { name: "ROOTCA", source: "ads" as const } };
  const named = peerPolicyOf(inline(reference), "client", secrets);
  assert.ok(named.ok && named.policy !== undefined);
  const refusal = verifyPeer(chainDer, named.policy, Date.now());
  assert.equal(refusal.ok ? "" : refusal.code, "peer_wrong_identity");
  const beside = peerPolicyOf(inline({ ...reference, matchSubjectAltNames: uri(web) }), "client", secrets);
  assert.ok(beside.ok && beside.policy !== undefined);
  assert.equal(verifyPeer(chainDer, beside.policy, Date.now()).ok, true);
});

test("a name of each type is compared with the certificate's names of that type alone", async () => {
  const text = (tag: number, value: string): Buffer =>
    Buffer.concat([Buffer.of(tag, value.length), Buffer.from(value)]);
  // GeneralName (RFC 5280 §4.2.1.6): rfc822Name [1], dNSName [2], uniformResourceIdentifier [6], iPAddress [7].
  const names = Buffer.concat([
    text(0x81, "ops@shop.example"),
    text(0x82, "web.shop.example"),
    text(0x86, web),
    Buffer.of(0x87, 4, 10, 0, 0, 1),
  ]);
  const subjectAltNameDer = Buffer.concat([Buffer.of(0x30, names.length), names]);
  const { chainDer } = await ca.issue(web, { subjectAltNameDer });
  const values = { uri: web, dns: "web.shop.example", email: "ops@shop.example", ip: "10.0.0.1" } as const;
  for (const type of ["uri", "dns", "email", "ip"] as const) {
    for (const [of, value] of Object.entries(values)) {
      for (const kind of ["exact", "prefix"] as const) {
        const matchSubjectAltNames = [{ type, match: { kind, value, ignoreCase: false } }];
        const built = peerPolicyOf(inline({ matchSubjectAltNames }), "client", secretsWith());
        assert.ok(built.ok && built.policy !== undefined);
        assert.equal(verifyPeer(chainDer, built.policy, Date.now()).ok, type === of, `${type} ${kind} ${value}`);
      }
    }
  }
});

test("a resumed session that lost its intermediates is completed within its epoch, and not in the next", async () => {
  const { chainDer } = await (await ca.createIntermediate()).issue(web);
  const leafAlone = chainDer.slice(0, 1);
  const [thisEpoch, nextEpoch] = [1, 2].map(() => peerPolicyOf(inline(), "client", secretsWith()));
  assert.ok(thisEpoch?.ok && thisEpoch.policy !== undefined && nextEpoch?.ok && nextEpoch.policy !== undefined);
  assert.equal(verifyPeer(leafAlone, thisEpoch.policy, Date.now()).ok, false);
  assert.equal(verifyPeer(chainDer, thisEpoch.policy, Date.now()).ok, true);
  assert.equal(verifyPeer(leafAlone, thisEpoch.policy, Date.now()).ok, true);
  assert.equal(verifyPeer(leafAlone, nextEpoch.policy, Date.now()).ok, false);
});

test("a revocation list in the context is obeyed", async () => {
  const issued = await ca.issue(web);
  const built = peerPolicyOf(inline({ crlPem: await ca.revoke([issued.serialNumber]) }), "client", secretsWith());
  assert.ok(built.ok && built.policy !== undefined);
  const verdict = verifyPeer(issued.chainDer, built.policy, Date.now());
  assert.equal(verdict.ok ? "" : verdict.code, "peer_revoked");
});
