import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { mkdir, rename, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { test } from "node:test";
import { Code, ConnectError } from "@connectrpc/connect";
import { ThrowawayCa } from "@heddle/testkit";
import { identityOf, instances } from "../testing/mesh-files.ts";
import { CertificateAuthority } from "./certificate-authority.ts";
import { TestControlPlane } from "../testing/test-control-plane.ts";
import type { CertificateCall, TestIdentity } from "../testing/test-workload.ts";
import { createCertificate, newRequest } from "../testing/test-workload.ts";

const web = identityOf("web");
const dayMs = 86_400_000;

async function call(
  plane: TestControlPlane,
  options: Partial<CertificateCall> & { identity?: string } = {},
): Promise<{ keyPem: string; chain: string[] }> {
  const { identity = web, ...rest } = options;
  const { keyPem, csr } = await newRequest(identity);
  const { xdsAddress: address, rootPem } = plane;
  return { keyPem, chain: await createCertificate({ address, rootPem, csr, ...rest }) };
}

async function refusal(plane: TestControlPlane, options: Parameters<typeof call>[1]): Promise<ConnectError> {
  try {
    await call(plane, options);
  } catch (error) {
    if (error instanceof ConnectError) return error;
    throw error;
  }
  return assert.fail("the certificate was issued");
}

test("a join token buys the first certificate: the leaf for the key that was made here, and the root last", async (t) => {
  const plane = await TestControlPlane.start(t);
  const { csr } = await newRequest(web);
  const token = await plane.joinToken(web);
  const chain = await createCertificate({ address: plane.xdsAddress, rootPem: plane.rootPem, csr, token });
  assert.equal(chain.length, 2);
  const [leaf, root] = chain.map((pem) => new X509Certificate(pem));
  assert.equal(leaf?.subjectAltName, `URI:${web}`);
  assert.ok(leaf.verify(new X509Certificate(plane.rootPem).publicKey));
  assert.equal(root?.toString(), new X509Certificate(plane.rootPem).toString());
});

test("the current certificate buys the next one, without a token", async (t) => {
  const plane = await TestControlPlane.start(t);
  const certificate = await plane.join("web");
  const { chain } = await call(plane, { certificate });
  assert.equal(new X509Certificate(chain[0] ?? "").subjectAltName, `URI:${web}`);
});

test("a workload that was taken out of the mesh gets no next certificate, but may join again", async (t) => {
  const plane = await TestControlPlane.start(t);
  const certificate = await plane.join("web");
  const others = instances.filter(({ serviceAccount }) => serviceAccount !== "web");
  await plane.register(others);
  await plane.knows(others.length);
  const error = await refusal(plane, { certificate });
  assert.equal(error.code, Code.PermissionDenied);
  assert.match(error.rawMessage, /no workload of this mesh is spiffe:.*sa\/web any more\. The current one runs out/);
  await plane.logger.until(/certificate refused.*sa\/web any more/);
  await call(plane, { token: await plane.joinToken(web) });
  await plane.register(instances);
  await plane.knows(instances.length);
  await call(plane, { certificate });
});

test("a control plane that has no list of workloads yet renews", async (t) => {
  const plane = await TestControlPlane.start(t);
  const certificate = await plane.join("web");
  await plane.halt();
  await rm(join(plane.stateDir, "instances.json"));
  await plane.start();
  await call(plane, { certificate });
});

interface Refused {
  readonly title: string;
  readonly code: Code;
  readonly message: RegExp;
  readonly options: (plane: TestControlPlane, t: TestContext) => Promise<Parameters<typeof call>[1]>;
}

const refused: readonly Refused[] = [
  {
    title: "without any proof",
    code: Code.Unauthenticated,
    message: /send a join token as bearer token, or connect with the current certificate/,
    options: async () => ({}),
  },
  {
    title: "with an unknown join token",
    code: Code.Unauthenticated,
    message: /the join token is unknown\. Make a new one/,
    options: async () => ({ token: "heddle-join-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" }),
  },
  {
    title: "with a join token that has been used",
    code: Code.Unauthenticated,
    message: /the join token has been used up\. .*make a new one/,
    options: async (plane) => {
      const token = await plane.joinToken(web);
      await call(plane, { token });
      return { token };
    },
  },
  {
    title: "with an expired join token",
    code: Code.Unauthenticated,
    message: /the join token has expired\. Make a new one/,
    options: async (plane) => {
      const token = await plane.joinToken(web, { lifeMs: 60_000 });
      plane.clock.shiftMs = 60_001;
      return { token };
    },
  },
  {
    title: "with a join token for another identity",
    code: Code.PermissionDenied,
    message: /it names spiffe:.*sa\/web, its proof is for spiffe:.*sa\/ratings/,
    options: async (plane) => ({ token: await plane.joinToken(identityOf("ratings")) }),
  },
  {
    title: "with the certificate of another identity",
    code: Code.PermissionDenied,
    message: /it names spiffe:.*sa\/web, its proof is for spiffe:.*sa\/ratings/,
    options: async (plane) => ({ certificate: await plane.join("ratings") }),
  },
  {
    title: "with a certificate that has expired",
    code: Code.Unauthenticated,
    message: /proves nothing: spiffe:.*sa\/web expired at .*\. Join again with a new join token/,
    options: async (plane) => {
      const certificate = await plane.join("web");
      plane.clock.shiftMs = dayMs + 1000;
      return { certificate };
    },
  },
  {
    title: "with a certificate of an authority of the same name and trust domain that is not ours",
    code: Code.Unauthenticated,
    message: /proves nothing: spiffe:.*sa\/web is signed by no trusted authority/,
    options: async () => ({ certificate: await foreign(web) }),
  },
  {
    title: "with a certificate of another trust domain, even if our own root had signed it",
    code: Code.Unauthenticated,
    message: /proves nothing: the peer belongs to trust domain other\.example, accepted: cluster\.local/,
    options: async (plane) => ({ certificate: await signedByUs(plane, "spiffe://other.example/ns/default/sa/web") }),
  },
  {
    title: "for an identity of another trust domain",
    code: Code.PermissionDenied,
    message: /spiffe:\/\/other\.example\/ns\/default\/sa\/web is not an identity of the trust domain cluster\.local/,
    options: async (plane) => ({
      identity: "spiffe://other.example/ns/default/sa/web",
      token: await plane.joinToken(web),
    }),
  },
  {
    title: "for a request that is none",
    code: Code.InvalidArgument,
    message: /it is not a PKCS #10 request in PEM/,
    options: async (plane) => ({ csr: "please", token: await plane.joinToken(web) }),
  },
];

for (const { title, code, message, options } of refused) {
  test(`a certificate ${title} is refused, and the message says what to do`, async (t) => {
    const plane = await TestControlPlane.start(t);
    const error = await refusal(plane, await options(plane, t));
    assert.equal(Code[error.code], Code[code]);
    assert.match(error.rawMessage, message);
    assert.match(plane.logger.find(/certificate refused/)?.fields["reason"] as string, message);
  });
}

test("a token whose request was malformed or for somebody else is still good", async (t) => {
  const plane = await TestControlPlane.start(t);
  const token = await plane.joinToken(web);
  await refusal(plane, { token, csr: "please" });
  await refusal(plane, { token, identity: identityOf("ratings") });
  assert.equal((await call(plane, { token })).chain.length, 2);
});

test("two proxies that present one token at the same moment get one certificate", async (t) => {
  const plane = await TestControlPlane.start(t);
  const token = await plane.joinToken(web);
  const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => call(plane, { token })));
  assert.equal(outcomes.filter(({ status }) => status === "fulfilled").length, 1);
});

test("a token whose use cannot be written down buys nothing, and is good again when the disk is", async (t) => {
  const plane = await TestControlPlane.start(t);
  const token = await plane.joinToken(web);
  const file = join(plane.stateDir, "tokens", "join-tokens.state");
  // Nobody, root included, can rename a file onto a folder.
  await rename(file, `${file}.saved`);
  await mkdir(file);
  const error = await refusal(plane, { token });
  assert.equal(Code[error.code], "Internal");
  assert.match(error.rawMessage, /see the control plane's log/);
  assert.match(plane.logger.find(/could not be issued/)?.fields["error"] as string, /EISDIR|ENOTEMPTY|EEXIST/);
  await rmdir(file);
  await rename(`${file}.saved`, file);
  assert.equal((await call(plane, { token })).chain.length, 2);
});

test("neither a token nor a key nor a request is logged", async (t) => {
  const plane = await TestControlPlane.start(t);
  const token = await plane.joinToken(web, { uses: 2 });
  const { keyPem, csr } = await newRequest(web);
  const { xdsAddress: address, rootPem } = plane;
  await createCertificate({ address, rootPem, csr, token });
  await refusal(plane, { token, identity: identityOf("ratings") });
  await refusal(plane, { token: "heddle-join-not-one-of-ours" });
  assert.match(plane.logger.text, /certificate issued/);
  const body = (pem: string): string => pem.split("\n")[1] ?? "";
  for (const secret of [token, "heddle-join-", body(keyPem), body(csr), "PRIVATE KEY", "CERTIFICATE REQUEST"]) {
    assert.ok(!plane.logger.text.includes(secret), secret);
  }
});

/** The identity, certified by a stranger who calls himself what our authority calls itself. */
async function foreign(identity: string): Promise<TestIdentity> {
  const ca = await ThrowawayCa.create({ subject: "O=cluster.local, CN=Heddle root" });
  const { chainPem, privateKeyPem } = await ca.issue(identity);
  return { chainPem, keyPem: privateKeyPem };
}

async function signedByUs(plane: TestControlPlane, identity: string): Promise<TestIdentity> {
  const authority = await CertificateAuthority.open(join(plane.stateDir, "ca"), "cluster.local", plane.clock);
  const { keyPem, certificate } = await authority.issueServer(identity, [], []);
  return { keyPem: keyPem.reveal(), chainPem: certificate.chainPem.join("\n") };
}
