import assert from "node:assert/strict";
import { X509Certificate as NodeCertificate, createPrivateKey, webcrypto } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { test } from "node:test";
import type { Clock } from "@heddle/core";
import { AuthorityStateError, CertificateAuthority, defaultLifeMs } from "./certificate-authority.ts";
import { readCertificateRequest } from "./certificate-request.ts";
import { JoinTokens } from "./join-tokens.ts";
import { SubjectAlternativeNameExtension } from "./x509.ts";
import { Pkcs10CertificateRequestGenerator } from "@peculiar/x509";
import { writeStateFile } from "@heddle/state";

const identity = "spiffe://cluster.local/ns/default/sa/web";

/** A clock that stands where the test puts it. */
class TestClock implements Clock {
  now = Date.UTC(2026, 5, 1);
  wallMs(): number {
    return this.now;
  }
  monotonicMs(): number {
    return this.now;
  }
}

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "heddle-authority-"));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

async function request(uris: readonly string[], namedCurve = "P-256"): Promise<string> {
  const algorithm = { name: "ECDSA", namedCurve, hash: "SHA-256" };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const made = await Pkcs10CertificateRequestGenerator.create({
    name: "",
    keys,
    signingAlgorithm: algorithm,
    extensions: [
      new SubjectAlternativeNameExtension(
        uris.map((value) => ({ type: "url" as const, value })),
        true,
      ),
    ],
  });
  return made.toString("pem");
}

test("the root survives a restart, and only its owner may read it", async (t) => {
  const directory = join(await folder(t), "ca");
  const clock = new TestClock();
  const first = await CertificateAuthority.open(directory, "cluster.local", clock);
  const second = await CertificateAuthority.open(directory, "cluster.local", clock);
  assert.equal(first.rootPem, second.rootPem);
  assert.equal((await stat(directory)).mode & 0o777, 0o700);
  assert.equal((await stat(join(directory, "authority.state"))).mode & 0o777, 0o600);
});

test("a signed certificate is an SVID: one URI, critical names, no CA bit, digitalSignature, backdated, 24 hours", async (t) => {
  const clock = new TestClock();
  const authority = await CertificateAuthority.open(await folder(t), "cluster.local", clock);
  const read = await readCertificateRequest(await request([identity]));
  assert.ok(read.ok);
  const issued = await authority.sign(read.request, read.identity, 0);
  const leaf = new NodeCertificate(issued.chainPem[0] ?? "");
  assert.equal(leaf.subjectAltName, `URI:${identity}`);
  assert.equal(leaf.ca, false);
  assert.equal(leaf.subject, undefined);
  assert.ok(leaf.verify(new NodeCertificate(authority.rootPem).publicKey));
  assert.deepEqual(leaf.keyUsage, ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"]);
  assert.equal(Date.parse(leaf.validTo), clock.now + defaultLifeMs);
  assert.ok(Date.parse(leaf.validFrom) < clock.now);
});

test("4.3 a workload's certificate lives 24 hours, the self-signed root ten years", async (t) => {
  const clock = new TestClock();
  const authority = await CertificateAuthority.open(await folder(t), "cluster.local", clock);
  const read = await readCertificateRequest(await request([identity]));
  assert.ok(read.ok);
  const days = (ms: number): number => Math.round(ms / 86_400_000);
  const { notAfterMs } = await authority.sign(read.request, identity, 0);
  assert.equal(days(notAfterMs - clock.now), 1);
  assert.equal(days(Date.parse(new NodeCertificate(authority.rootPem).validTo) - clock.now), 3650);
});

test("a wished life is granted up to 24 hours", async (t) => {
  const clock = new TestClock();
  const authority = await CertificateAuthority.open(await folder(t), "cluster.local", clock);
  const read = await readCertificateRequest(await request([identity]));
  assert.ok(read.ok);
  assert.equal((await authority.sign(read.request, identity, 60_000)).notAfterMs, clock.now + 60_000);
  assert.equal(
    (await authority.sign(read.request, identity, 365 * defaultLifeMs)).notAfterMs,
    clock.now + defaultLifeMs,
  );
});

test("the control plane's own certificate carries its key as a secret", async (t) => {
  const authority = await CertificateAuthority.open(await folder(t), "cluster.local", new TestClock());
  const own = await authority.issueServer(identity, ["localhost"], ["127.0.0.1"]);
  const leaf = new NodeCertificate(own.certificate.chainPem[0] ?? "");
  assert.equal(leaf.subjectAltName, `URI:${identity}, DNS:localhost, IP Address:127.0.0.1`);
  assert.ok(leaf.checkPrivateKey(createPrivateKey(own.keyPem.reveal())));
  assert.equal(JSON.stringify(own).includes("PRIVATE KEY"), false);
});

test("an authority whose file is damaged does not start with a new root", async (t) => {
  const directory = await folder(t);
  await CertificateAuthority.open(directory, "cluster.local", new TestClock());
  const path = join(directory, "authority.state");
  await writeFile(path, `${(await readFile(path)).toString("latin1")}x`);
  await assert.rejects(CertificateAuthority.open(directory, "cluster.local", new TestClock()), (error) => {
    assert.ok(error instanceof AuthorityStateError);
    assert.match(error.message, /its checksum does not match\. It was moved to .*\.corrupt-/);
    return true;
  });
  assert.equal((await readdir(directory)).length, 1);
});

test("an authority of another trust domain is refused", async (t) => {
  const directory = await folder(t);
  await CertificateAuthority.open(directory, "cluster.local", new TestClock());
  await assert.rejects(
    CertificateAuthority.open(directory, "other.example", new TestClock()),
    /is the authority of spiffe:\/\/cluster\.local, not of the trust domain other\.example/,
  );
});

const badRequests: readonly [title: string, pem: () => Promise<string>, reason: RegExp][] = [
  ["is not PEM", async () => "hello", /not a PKCS #10 request/],
  ["names no URI", () => request([]), /names no URI/],
  ["names two URIs", () => request([identity, `${identity}2`]), /names 2 URIs/],
  ["is too long", async () => "x".repeat(20_000), /at most 16384/],
  ["has a key of another curve", () => request([identity], "P-521"), /P-521; P-256 and P-384 are signed/],
  [
    "has a signature that is not its key's",
    async () => {
      const der = Buffer.from((await request([identity])).replace(/-----[^-]+-----|\n/g, ""), "base64");
      der[der.length - 1]! ^= 1;
      return `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString("base64")}\n-----END CERTIFICATE REQUEST-----\n`;
    },
    /signature/,
  ],
];
for (const [title, pem, reason] of badRequests) {
  test(`a certificate request that ${title} is refused`, async () => {
    const read = await readCertificateRequest(await pem());
    assert.equal(read.ok, false);
    assert.match(read.ok ? "" : read.reason, reason);
  });
}

test("a join token is good for its uses, also after a restart, and only its hash is stored", async (t) => {
  const directory = await folder(t);
  const clock = new TestClock();
  const { tokens } = await JoinTokens.open(directory, clock);
  const token = await tokens.create({ identity, uses: 1, lifeMs: 60_000 });
  assert.equal((await readFile(join(directory, "join-tokens.state"), "utf8")).includes(token), false);
  const reopened = (await JoinTokens.open(directory, clock)).tokens;
  const redeemed = reopened.redeem(token, identity);
  assert.ok(redeemed.ok);
  await redeemed.commit();
  assert.deepEqual((await JoinTokens.open(directory, clock)).tokens.redeem(token, identity), {
    ok: false,
    code: "join_token_used",
  });
});

test("an expired and an unknown join token are told apart", async (t) => {
  const clock = new TestClock();
  const { tokens } = await JoinTokens.open(await folder(t), clock);
  const token = await tokens.create({ identity, uses: 1, lifeMs: 60_000 });
  clock.now += 60_000;
  assert.deepEqual(tokens.redeem(token, identity), { ok: false, code: "join_token_expired" });
  assert.deepEqual(tokens.redeem("heddle-join-x", identity), { ok: false, code: "join_token_unknown" });
});

test("a join token for another identity is refused and keeps its use", async (t) => {
  const { tokens } = await JoinTokens.open(await folder(t), new TestClock());
  const token = await tokens.create({ identity, uses: 1, lifeMs: 60_000 });
  const other = "spiffe://cluster.local/ns/default/sa/books";
  assert.deepEqual(tokens.redeem(token, other), { ok: false, code: "other_identity", identity });
  assert.equal(tokens.redeem(token, identity).ok, true);
});

test("two redemptions at once cannot share one use", async (t) => {
  const { tokens } = await JoinTokens.open(await folder(t), new TestClock());
  const token = await tokens.create({ identity, uses: 1, lifeMs: 60_000 });
  assert.deepEqual([tokens.redeem(token, identity).ok, tokens.redeem(token, identity).ok], [true, false]);
});

test("a damaged token file voids the tokens and says so", async (t) => {
  const directory = await folder(t);
  await writeFile(join(directory, "join-tokens.state"), "rubbish");
  const { tokens, problem } = await JoinTokens.open(directory, new TestClock());
  assert.match(problem ?? "", /tokens given out before are void/);
  assert.equal(tokens.redeem("heddle-join-x", identity).ok, false);
});

for (const payload of ["{}", "[null]", '[{"hash":"x"}]', "no JSON"]) {
  test(`a token file that is whole but says ${payload} is moved aside`, async (t) => {
    const directory = await folder(t);
    const path = join(directory, "join-tokens.state");
    await writeStateFile(path, "join-tokens", 1, Buffer.from(payload));
    const { problem } = await JoinTokens.open(directory, new TestClock());
    assert.match(problem ?? "", /it is not a list of tokens; moved to .+; tokens given out before are void/);
    assert.equal((await readdir(directory)).filter((name) => name.includes(".corrupt-")).length, 1);
  });
}
