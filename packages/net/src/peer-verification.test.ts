import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import type { IssuedIdentity, LeafOptions } from "@heddle/testkit";
import { Extension, KeyUsageFlags, ThrowawayCa } from "@heddle/testkit";

import type { PeerPolicy, PeerVerdict } from "./peer-verification.ts";
import { verifyPeer } from "./peer-verification.ts";
import { parseRevocationListsPem } from "./revocation-list.ts";
import { exactDnsName, exactUri } from "./san-matcher.ts";
import { KnownIntermediates, TrustAnchors } from "./trust-anchors.ts";

const reviews = "spiffe://cluster.local/ns/default/sa/reviews";
const now = Date.now();
const hour = 3_600_000;

let root: ThrowawayCa;
let intermediate: ThrowawayCa;

before(async () => {
  root = await ThrowawayCa.create();
  intermediate = await root.createIntermediate();
});

function anchorsOf(...authorities: ThrowawayCa[]): TrustAnchors {
  const anchors = TrustAnchors.fromPem(authorities.map((authority) => authority.certificatePem).join("\n"));
  assert.ok(anchors);
  return anchors;
}

function policy(overrides: Partial<PeerPolicy> = {}): PeerPolicy {
  return { anchors: anchorsOf(root), usage: "client", sanMatchers: [], requireSpiffeId: true, ...overrides };
}

function codeOf(verdict: PeerVerdict): string {
  return verdict.ok ? "ok" : verdict.code;
}

function verify(identity: IssuedIdentity, overrides: Partial<PeerPolicy> = {}, wallMs = now): PeerVerdict {
  return verifyPeer(identity.chainDer, policy(overrides), wallMs);
}

test("a peer that was verified before is judged anew by everything that may have changed", async () => {
  const leaf = await root.issue(reviews);
  assert.equal(codeOf(verify(leaf)), "ok");
  assert.equal(codeOf(verify(leaf)), "ok");
  assert.equal(codeOf(verify(leaf, {}, now + 10_000 * hour)), "peer_expired");
  assert.equal(codeOf(verify(leaf, {}, now - 10_000 * hour)), "peer_not_yet_valid");
  const revocations = parseRevocationListsPem(await root.revoke([leaf.serialNumber]));
  assert.ok(revocations);
  assert.equal(codeOf(verify(leaf, { revocations })), "peer_revoked");
  assert.equal(codeOf(verify(leaf, { anchors: anchorsOf(await ThrowawayCa.create()) })), "peer_untrusted");
  assert.equal(codeOf(verify(leaf, { trustDomains: ["other.example"] })), "peer_wrong_trust_domain");
  assert.equal(
    codeOf(verify(leaf, { usage: "server", sanMatchers: [exactUri(`${reviews}2`)] })),
    "peer_wrong_identity",
  );
  assert.equal(codeOf(verify(leaf)), "ok");
});

describe("a good chain", () => {
  test("gives the whole identity of the peer", async () => {
    const leaf = await root.issue(reviews, {
      dnsNames: ["reviews.default.svc"],
      subject: "CN=reviews, O=Book\\, shop",
    });
    const verdict = verify(leaf, {
      trustDomains: ["other.example", "cluster.local"],
      sanMatchers: [exactUri(reviews)],
    });
    assert.ok(verdict.ok);
    const { identity } = verdict;
    assert.equal(identity.principal, reviews);
    assert.equal(identity.trustDomain, "cluster.local");
    assert.equal(identity.namespace, "default");
    assert.equal(identity.serviceAccount, "reviews");
    assert.deepEqual(identity.uriSans, [reviews]);
    assert.deepEqual(identity.dnsSans, ["reviews.default.svc"]);
    assert.equal(identity.subject, "O=Book\\, shop,CN=reviews");
    assert.equal(identity.serial, leaf.serialNumber);
    assert.match(identity.sha256, /^[0-9a-f]{64}$/);
    assert.equal(identity.chainPem, leaf.chainPem);
    assert.equal(identity.notAfterMs % 1000, 0);
  });

  test("may lead over intermediates, in any order and with strangers between", async () => {
    const second = await intermediate.createIntermediate();
    const leaf = await second.issue(reviews);
    const [first, ...others] = leaf.chainDer;
    assert.ok(first);
    const stranger = await ThrowawayCa.create();
    const chain = [first, stranger.certificateDer, ...others.reverse()];
    assert.equal(codeOf(verifyPeer(chain, policy(), now)), "ok");
  });

  test("may lead to any of several anchors, also two of one name", async () => {
    const old = await ThrowawayCa.create({ subject: "CN=mesh root" });
    const fresh = await ThrowawayCa.create({ subject: "CN=mesh root" });
    for (const authority of [old, fresh]) {
      const leaf = await authority.issue(reviews);
      assert.equal(codeOf(verify(leaf, { anchors: anchorsOf(old, fresh) })), "ok");
    }
    assert.equal(codeOf(verify(await old.issue(reviews), { anchors: anchorsOf(fresh) })), "peer_untrusted");
  });

  test("may end at an anchor that is itself an intermediate", async () => {
    const leaf = await intermediate.issue(reviews);
    assert.equal(codeOf(verify(leaf, { anchors: anchorsOf(intermediate) })), "ok");
  });

  test("of a resumed session, which lost its intermediates, is completed from chains verified before", async () => {
    const leaf = await intermediate.issue(reviews);
    const knownIntermediates = new KnownIntermediates();
    const alone = leaf.chainDer.slice(0, 1);
    assert.equal(codeOf(verifyPeer(alone, policy({ knownIntermediates }), now)), "peer_untrusted");
    assert.equal(codeOf(verifyPeer(leaf.chainDer, policy({ knownIntermediates }), now)), "ok");
    assert.equal(codeOf(verifyPeer(alone, policy({ knownIntermediates }), now)), "ok");
    const strangers = anchorsOf(await ThrowawayCa.create());
    assert.equal(codeOf(verifyPeer(alone, policy({ knownIntermediates, anchors: strangers }), now)), "peer_untrusted");
  });
});

describe("a peer is refused", () => {
  const leaves: [title: string, LeafOptions, code: string][] = [
    [
      "whose certificate has expired",
      { notBefore: new Date(now - 2 * hour), notAfter: new Date(now - hour) },
      "peer_expired",
    ],
    [
      "whose certificate is of the future",
      { notBefore: new Date(now + hour), notAfter: new Date(now + 2 * hour) },
      "peer_not_yet_valid",
    ],
    ["without a URI name", { uris: [] }, "peer_no_identity"],
    ["with a DNS name only", { uris: [], dnsNames: ["reviews"] }, "peer_no_identity"],
    ["with two URI names", { uris: [reviews, "https://example.com/"] }, "peer_no_identity"],
    ["with two SPIFFE IDs", { uris: [reviews, "spiffe://cluster.local/ns/default/sa/web"] }, "peer_no_identity"],
    ["with a malformed SPIFFE ID", { uris: ["spiffe://cluster.local/ns/default/sa/../web"] }, "peer_no_identity"],
    ["with a SPIFFE ID in capitals", { uris: ["SPIFFE://cluster.local/ns/default/sa/reviews"] }, "peer_no_identity"],
    ["with the SPIFFE ID of a trust domain alone", { uris: ["spiffe://cluster.local"] }, "peer_no_identity"],
    ["that is an authority", { isCa: true }, "peer_wrong_usage"],
    ["without key usage", { keyUsage: null }, "peer_wrong_usage"],
    [
      "that may sign certificates",
      { keyUsage: KeyUsageFlags.digitalSignature | KeyUsageFlags.keyCertSign },
      "peer_wrong_usage",
    ],
    [
      "that may sign revocation lists",
      { keyUsage: KeyUsageFlags.digitalSignature | KeyUsageFlags.cRLSign },
      "peer_wrong_usage",
    ],
    ["that may only agree on keys", { keyUsage: KeyUsageFlags.keyAgreement }, "peer_wrong_usage"],
    ["that may only be a server", { purposes: ["1.3.6.1.5.5.7.3.1"] }, "peer_wrong_usage"],
    ["that may only sign code", { purposes: ["1.3.6.1.5.5.7.3.3"] }, "peer_wrong_usage"],
    [
      "with a critical extension that nobody here understands",
      { extraExtensions: [new Extension("1.2.3.4", true, Buffer.from([5, 0]))] },
      "peer_untrusted",
    ],
    [
      "with an extension twice",
      { extraExtensions: [new Extension("2.5.29.15", true, Buffer.from([3, 2, 7, 128]))] },
      "peer_untrusted",
    ],
    ["with a NUL in its name", { subjectAltNameDer: uriName(`${reviews}\u0000.evil`) }, "peer_untrusted"],
    ["with a blank in its name", { subjectAltNameDer: uriName(`${reviews} x`) }, "peer_untrusted"],
  ];
  for (const [title, options, code] of leaves) {
    test(title, async () => {
      const verdict = verify(await root.issue(reviews, options));
      assert.equal(codeOf(verdict), code);
    });
  }

  test("that shows no certificate", () => {
    assert.equal(codeOf(verifyPeer([], policy(), now)), "peer_missing");
  });

  test("whose bytes are no certificate", () => {
    assert.equal(codeOf(verifyPeer([Buffer.from("nonsense")], policy(), now)), "peer_untrusted");
  });

  test("whose root is unknown, though it has a known root's name", async () => {
    const forger = await ThrowawayCa.create({ subject: root.subject });
    assert.equal(codeOf(verify(await forger.issue(reviews))), "peer_untrusted");
  });

  test("whose certificate was signed by another workload's", async () => {
    const leaf = await root.createIntermediate({ isCa: false, keyUsage: KeyUsageFlags.digitalSignature });
    assert.equal(codeOf(verify(await leaf.issue(reviews))), "peer_untrusted");
  });

  test("whose authority may not sign certificates", async () => {
    const wrong = await root.createIntermediate({ keyUsage: KeyUsageFlags.cRLSign });
    assert.equal(codeOf(verify(await wrong.issue(reviews))), "peer_untrusted");
  });

  test("whose authority has expired", async () => {
    const old = await root.createIntermediate({ notBefore: new Date(now - 2 * hour), notAfter: new Date(now - hour) });
    assert.equal(codeOf(verify(await old.issue(reviews))), "peer_expired");
  });

  test("whose root has expired since", async () => {
    const leaf = await root.issue(reviews, { notAfter: new Date(now + 48 * hour) });
    assert.equal(codeOf(verify(leaf, {}, now + 24 * hour)), "peer_expired");
  });

  test("behind more intermediates than its root allows", async () => {
    const strict = await ThrowawayCa.create({ pathLength: 0 });
    const below = await strict.createIntermediate();
    assert.equal(codeOf(verify(await strict.issue(reviews), { anchors: anchorsOf(strict) })), "ok");
    assert.equal(codeOf(verify(await below.issue(reviews), { anchors: anchorsOf(strict) })), "peer_untrusted");
  });

  test("behind an authority with name constraints, critical or not", async () => {
    for (const isCritical of [true, false]) {
      const constrained = await root.createIntermediate({
        extraExtensions: [new Extension("2.5.29.30", isCritical, Buffer.from("3000", "hex"))],
      });
      assert.equal(codeOf(verify(await constrained.issue(reviews))), "peer_untrusted");
    }
  });

  test("of another trust domain", async () => {
    const leaf = await root.issue("spiffe://other.example/ns/default/sa/reviews");
    assert.equal(codeOf(verify(leaf, { trustDomains: ["cluster.local"] })), "peer_wrong_trust_domain");
  });

  test("whose names match none of the expected", async () => {
    const leaf = await root.issue(reviews, { dnsNames: ["reviews.default.svc"] });
    const web = exactUri("spiffe://cluster.local/ns/default/sa/web");
    assert.equal(codeOf(verify(leaf, { sanMatchers: [web] })), "peer_wrong_identity");
    assert.equal(codeOf(verify(leaf, { sanMatchers: [web, exactDnsName("reviews.default.svc")] })), "ok");
    assert.equal(
      codeOf(verify(leaf, { sanMatchers: [{ ...exactUri("reviews.default.svc") }] })),
      "peer_wrong_identity",
    );
  });

  test("for a name that merely contains the expected one behind a comma", async () => {
    const leaf = await root.issue(reviews, { dnsNames: ["evil.example,URI:spiffe://cluster.local/ns/default/sa/web"] });
    const sanMatchers = [exactUri("spiffe://cluster.local/ns/default/sa/web"), exactDnsName("evil.example")];
    assert.equal(codeOf(verify(leaf, { sanMatchers })), "peer_wrong_identity");
  });

  test("with a chain built to buy endless signature checks, and soon", async () => {
    const clones: Buffer[] = [];
    for (let i = 0; i < 9; i += 1) clones.push((await ThrowawayCa.create({ subject: "CN=same" })).certificateDer);
    const forger = await ThrowawayCa.create({ subject: "CN=same" });
    const leaf = await forger.issue(reviews);
    const [first] = leaf.chainDer;
    assert.ok(first);
    assert.equal(codeOf(verifyPeer([first, ...clones], policy(), now)), "peer_untrusted");
    assert.equal(codeOf(verifyPeer([first, ...clones, ...clones], policy(), now)), "peer_untrusted");
  });
});

describe("a server outside the mesh", () => {
  test("needs no SPIFFE ID when the policy does not ask for one", async () => {
    const leaf = await root.issue("", { uris: [], dnsNames: ["*.example.com"], keyUsage: null, purposes: null });
    const web: Partial<PeerPolicy> = { usage: "server", requireSpiffeId: false };
    assert.equal(codeOf(verify(leaf, { ...web, sanMatchers: [exactDnsName("api.example.com")] })), "ok");
    assert.equal(
      codeOf(verify(leaf, { ...web, sanMatchers: [exactDnsName("a.api.example.com")] })),
      "peer_wrong_identity",
    );
    assert.equal(codeOf(verify(leaf, { ...web, sanMatchers: [exactDnsName("example.com")] })), "peer_wrong_identity");
    assert.equal(codeOf(verify(leaf, { ...web, requireSpiffeId: true })), "peer_no_identity");
  });

  test("is held to SPIFFE's rules as soon as it claims a SPIFFE ID", async () => {
    const leaf = await root.issue(reviews, { uris: [reviews, "https://example.com/"] });
    assert.equal(codeOf(verify(leaf, { requireSpiffeId: false })), "peer_no_identity");
  });
});

describe("with a revocation list", () => {
  test("a listed certificate is refused and its neighbour is not", async () => {
    const bad = await root.issue(reviews);
    const good = await root.issue(reviews);
    const revocations = parseRevocationListsPem(await root.revoke([bad.serialNumber]));
    assert.ok(revocations);
    assert.equal(codeOf(verify(bad, { revocations })), "peer_revoked");
    assert.equal(codeOf(verify(good, { revocations })), "ok");
  });

  test("every authority on the path needs a list of its own", async () => {
    const leaf = await intermediate.issue(reviews);
    const ofRoot = await root.revoke([]);
    const ofIntermediate = await intermediate.revoke([]);
    const lists = (pem: string) => parseRevocationListsPem(pem) ?? [];
    assert.equal(codeOf(verify(leaf, { revocations: lists(ofRoot + ofIntermediate) })), "ok");
    assert.equal(codeOf(verify(leaf, { revocations: lists(ofRoot) })), "peer_untrusted");
    assert.equal(codeOf(verify(leaf, { revocations: lists(ofIntermediate) })), "peer_untrusted");
  });

  test("a list that is out of date vouches for nobody, but still revokes", async () => {
    const leaf = await root.issue(reviews);
    const old = { thisUpdate: new Date(now - 2 * hour), nextUpdate: new Date(now - hour) };
    assert.equal(
      codeOf(verify(leaf, { revocations: parseRevocationListsPem(await root.revoke([], old)) ?? [] })),
      "peer_untrusted",
    );
    const revoking = parseRevocationListsPem(await root.revoke([leaf.serialNumber], old)) ?? [];
    assert.equal(codeOf(verify(leaf, { revocations: revoking })), "peer_revoked");
  });

  test("a list signed by somebody else of that name does not count", async () => {
    const forger = await ThrowawayCa.create({ subject: root.subject });
    const leaf = await root.issue(reviews);
    const forged = parseRevocationListsPem(await forger.revoke([leaf.serialNumber])) ?? [];
    assert.equal(codeOf(verify(leaf, { revocations: forged })), "peer_untrusted");
  });

  test("a list that cannot be read is an error, not an empty list", async () => {
    const pem = await root.revoke([]);
    assert.equal(parseRevocationListsPem(""), undefined);
    assert.equal(parseRevocationListsPem(pem.replace("MI", "MJ")), undefined);
  });
});

test("a bundle with one broken certificate is no bundle", () => {
  const broken = root.certificatePem.replace("MI", "MJ");
  assert.equal(TrustAnchors.fromPem(root.certificatePem + broken), undefined);
  assert.equal(TrustAnchors.fromPem(""), undefined);
  assert.equal(anchorsOf(root, intermediate).fingerprint, anchorsOf(intermediate, root, root).fingerprint);
  assert.notEqual(anchorsOf(root).fingerprint, anchorsOf(intermediate, root).fingerprint);
});

/** SubjectAltName with one URI of any bytes. */
function uriName(uri: string): Buffer {
  const bytes = Buffer.from(uri, "latin1");
  return Buffer.concat([Buffer.from([0x30, bytes.length + 2, 0x86, bytes.length]), bytes]);
}
