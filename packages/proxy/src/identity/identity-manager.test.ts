import "reflect-metadata";
import assert from "node:assert/strict";
import type { webcrypto } from "node:crypto";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { type Clock, silentLogger } from "@heddle/core";
import {
  cryptoProvider,
  Pkcs10CertificateRequest,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from "@peculiar/x509";
import type { Proof, SignRequest } from "./certificate-authority.ts";
import { IdentityManager, type IdentityManagerOptions } from "./identity-manager.ts";
import { IdentityStore } from "./identity-store.ts";
import type { Identity } from "./identity.ts";

cryptoProvider.set(globalThis.crypto);

const uri = "spiffe://cluster.local/ns/shop/sa/web";
const hour = 3_600_000;

/** Time that the test moves; timers fire when it passes them. */
class ManualTime implements Clock {
  nowMs = Date.parse("2026-01-01T00:00:00Z");
  #timers: { at: number; action: () => void }[] = [];

  wallMs(): number {
    return this.nowMs;
  }
  monotonicMs(): number {
    return this.nowMs;
  }
  readonly schedule = (delayMs: number, action: () => void): (() => void) => {
    const timer = { at: this.nowMs + delayMs, action };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  };

  /** Fires everything that is due until then, in order. */
  advance(ms: number): void {
    const end = this.nowMs + ms;
    for (;;) {
      const due = this.#timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.#timers = this.#timers.filter((other) => other !== due);
      this.nowMs = Math.max(this.nowMs, due.at);
      due.action();
    }
    this.nowMs = end;
  }

  get nextInMs(): number {
    return Math.min(...this.#timers.map((timer) => timer.at)) - this.nowMs;
  }
}

interface Setup {
  readonly manager: IdentityManager;
  readonly time: ManualTime;
  readonly served: Identity[];
  readonly proofs: Proof[];
  /** Resolves when the `count`th request to the authority has been dealt with. */
  readonly dealt: (count: number) => Promise<void>;
}

async function setUp(
  t: TestContext,
  options: {
    stateDir?: string;
    fails?: () => Error | undefined;
    lifeMs?: number;
    uri?: string;
    substitute?: () => Promise<string>;
    random?: number;
  } = {},
): Promise<Setup> {
  const ca = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const time = new ManualTime();
  const served: Identity[] = [];
  const proofs: Proof[] = [];
  let dealt = 0;
  const wakers = new Set<() => void>();
  const folder = await mkdtemp(join(tmpdir(), "heddle-identity-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const tokenFile = join(folder, "token");
  await writeFile(tokenFile, "secret-token\n");
  const sign: SignRequest = async (csrPem, proof) => {
    proofs.push(proof);
    try {
      const failure = options.fails?.();
      if (failure !== undefined) throw failure;
      if (options.substitute !== undefined) return [await options.substitute(), ""];
      return await issueFor(ca, csrPem, time, options.lifeMs ?? 24 * hour, options.uri ?? uri);
    } finally {
      dealt += 1;
      setImmediate(() => wakers.forEach((wake) => wake()));
    }
  };
  const managerOptions: IdentityManagerOptions = {
    ca: { address: "127.0.0.1:1", tokenFile, trustBundleFile: "", identity: undefined },
    uri,
    store: options.stateDir === undefined ? undefined : new IdentityStore(options.stateDir, time, silentLogger),
    sign,
    anchorsPem: () => "",
    clock: time,
    random: () => options.random ?? 0.5,
    schedule: time.schedule,
    logger: silentLogger,
    onIdentity: async (identity) => void served.push(identity),
  };
  const manager = new IdentityManager(managerOptions);
  t.after(() => manager.stop());
  return {
    manager,
    time,
    served,
    proofs,
    dealt: (count) =>
      new Promise((resolve) => {
        const wake = (): void => {
          if (dealt < count) return;
          wakers.delete(wake);
          resolve();
        };
        wakers.add(wake);
        wake();
      }),
  };
}

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

/** Signs the key of the request, as an authority does. Answers the leaf, and something for the root, which nobody reads here. */
async function issueFor(
  ca: { readonly privateKey: webcrypto.CryptoKey },
  csrPem: string,
  time: ManualTime,
  lifeMs: number,
  name: string,
): Promise<string[]> {
  const request = new Pkcs10CertificateRequest(csrPem);
  assert.equal(await request.verify(), true);
  const leaf = await X509CertificateGenerator.create({
    serialNumber: crypto.randomUUID().replaceAll("-", "").replace(/^./, "1"),
    issuer: "CN=root",
    notBefore: new Date(time.nowMs),
    notAfter: new Date(time.nowMs + lifeMs),
    signingKey: ca.privateKey,
    signingAlgorithm: algorithm,
    publicKey: await request.publicKey.export(algorithm, ["verify"]),
    extensions: [new SubjectAlternativeNameExtension([{ type: "url", value: name }], true)],
  });
  return [`${leaf.toString("pem")}\n`, ""];
}

test("4.3 the first certificate is asked for with the token, and the next with the certificate, at half of its life", async (t) => {
  const { manager, time, served, proofs, dealt } = await setUp(t);
  await manager.start();
  time.advance(0);
  await dealt(1);
  assert.deepEqual(proofs[0], { kind: "token", token: "secret-token" });
  assert.equal(served.length, 1);
  assert.equal(manager.current?.uri, uri);
  time.advance(12 * hour - 1);
  // While it asks, nothing is planned.
  assert.equal(time.nextInMs, 1);
  assert.equal(proofs.length, 1);
  time.advance(1);
  assert.equal(time.nextInMs, Infinity);
  await dealt(2);
  assert.equal(proofs[1]?.kind, "certificate");
  assert.equal(served.length, 2);
  assert.notEqual(served[0]?.serialNumber, served[1]?.serialNumber);
});

test("4.3 certificates are asked for up to one percent of their life before or after half of it", async (t) => {
  for (const [random, part] of [
    [0, 0.49],
    [1, 0.51],
  ] as const) {
    const { manager, time, dealt } = await setUp(t, { random });
    await manager.start();
    time.advance(0);
    await dealt(1);
    time.advance(24 * hour * part - 1);
    assert.equal(time.nextInMs, 1);
    time.advance(1);
    assert.equal(time.nextInMs, Infinity);
  }
});

test("while the authority is away the valid certificate stays, and tries come with growing pauses", async (t) => {
  let isAway = false;
  const { manager, time, served, dealt } = await setUp(t, {
    fails: () => (isAway ? new Error("connection refused") : undefined),
  });
  await manager.start();
  time.advance(0);
  await dealt(1);
  isAway = true;
  time.advance(12 * hour);
  await dealt(2);
  const pauses: number[] = [];
  for (let failure = 2; failure < 10; failure++) {
    pauses.push(time.nextInMs);
    time.advance(time.nextInMs);
    await dealt(failure + 1);
  }
  assert.deepEqual(pauses, [750, 1500, 3000, 6000, 12_000, 24_000, 45_000, 45_000]);
  assert.equal(served.length, 1);
  isAway = false;
  time.advance(time.nextInMs);
  await dealt(11);
  assert.equal(served.length, 2);
});

test("an expired certificate is no proof: the token is used again", async (t) => {
  let isAway = false;
  const { manager, time, proofs, dealt } = await setUp(t, {
    lifeMs: hour,
    fails: () => (isAway ? new Error("away") : undefined),
  });
  await manager.start();
  time.advance(0);
  await dealt(1);
  isAway = true;
  time.nowMs += 2 * hour;
  await manager.renew();
  assert.equal(proofs.at(-1)?.kind, "token");
});

test("renewals that are asked for at once are one, and say why they failed", async (t) => {
  const { manager, proofs } = await setUp(t, { fails: () => new Error("join token used") });
  await manager.start();
  const [first, second] = await Promise.all([manager.renew(), manager.renew()]);
  assert.deepEqual(first, { ok: false, reason: "join token used" });
  assert.equal(first, second);
  assert.equal(proofs.length, 1);
});

test("a certificate for somebody else is not served", async (t) => {
  const { manager, served } = await setUp(t, { uri: "spiffe://cluster.local/ns/shop/sa/admin" });
  await manager.start();
  const result = await manager.renew();
  assert.match(result.ok ? "" : result.reason, /for spiffe:\/\/cluster\.local\/ns\/shop\/sa\/admin instead of/);
  assert.deepEqual(served, []);
});

test("a certificate for another key is not served", async (t) => {
  const other = await setUp(t);
  const { manager, served } = await setUp(t, {
    substitute: async () => (await other.manager.renew(), other.manager.current!.chainPem),
  });
  await manager.start();
  const result = await manager.renew();
  assert.match(result.ok ? "" : result.reason, /the certificate is for another key/);
  assert.deepEqual(served, []);
});

test("a restarted proxy serves the stored certificate at once; the file is its owner's alone and whole", async (t) => {
  const stateDir = await mkdtemp(join(tmpdir(), "heddle-state-"));
  t.after(() => rm(stateDir, { recursive: true, force: true }));
  const first = await setUp(t, { stateDir });
  await first.manager.start();
  await first.manager.renew();
  const path = join(stateDir, "identity.state");
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  const second = await setUp(t, { stateDir, fails: () => new Error("away") });
  await second.manager.start();
  assert.equal(second.served[0]?.serialNumber, first.served[0]?.serialNumber);
  await writeFile(path, (await readFile(path, "utf8")).replace("PRIVATE", "PUBLIC"));
  const third = await setUp(t, { stateDir, fails: () => new Error("away") });
  await third.manager.start();
  assert.deepEqual(third.served, []);
});
