import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { Secret } from "@heddle/core";
import { type IssuedIdentity, ThrowawayCa } from "@heddle/testkit";
import { FastSocket, type SocketHandler } from "./fast-socket.ts";
import { openListener } from "./listener.ts";
import { parseRevocationListsPem } from "./revocation-list.ts";
import type { SocketFailure } from "./socket-failure.ts";
import type { PeerPolicy } from "./peer-verification.ts";
import { buildClientContext, buildServerContext, type ClientTlsContext, type ServerTlsContext } from "./tls-context.ts";
import type { TlsSession } from "./tls-session.ts";
import { KnownIntermediates, TrustAnchors } from "./trust-anchors.ts";

const reviews = "spiffe://cluster.local/ns/default/sa/reviews";
const web = "spiffe://cluster.local/ns/default/sa/web";

function materialOf({ chainPem, privateKeyPem }: IssuedIdentity) {
  return { chainPem, privateKeyPem: new Secret(privateKeyPem) };
}

function policy(usage: "client" | "server", anchorsPem: string, more: Partial<PeerPolicy> = {}): PeerPolicy {
  const anchors = TrustAnchors.fromPem(anchorsPem);
  assert.ok(anchors);
  const knownIntermediates = new KnownIntermediates();
  return { anchors, usage, sanMatchers: [], requireSpiffeId: true, knownIntermediates, ...more };
}

type Version = "1.2" | "1.3";

class World {
  readonly ca: ThrowawayCa;
  readonly #intermediate: ThrowawayCa;
  #server: ServerTlsContext | undefined;
  readonly #port: number;
  readonly identity: IssuedIdentity;
  readonly #me: IssuedIdentity;

  private constructor(
    parts: { ca: ThrowawayCa; intermediate: ThrowawayCa; identity: IssuedIdentity; me: IssuedIdentity },
    port: number,
  ) {
    this.ca = parts.ca;
    this.#intermediate = parts.intermediate;
    this.identity = parts.identity;
    this.#me = parts.me;
    this.#port = port;
  }

  /** A server whose certificate comes from an intermediate, which resumed sessions do not carry. */
  static async start(t: TestContext): Promise<World> {
    const ca = await ThrowawayCa.create();
    const intermediate = await ca.createIntermediate();
    const [identity, me] = [await intermediate.issue(reviews), await ca.issue(web)];
    const listener = await openListener(
      { host: "127.0.0.1", port: 0 },
      {
        onConnection(socket) {
          const handler: SocketHandler = {
            onReady() {
              socket.write(Buffer.from("hello"), 0, 5);
            },
            onBytes: (_bytes, start, end) => end - start,
            onEnd: () => socket.end(),
            onDrain() {},
            onClose() {},
          };
          socket.upgrade(world.serverContext, Date.now, handler);
        },
      },
    );
    t.after(() => listener.close());
    const world = new World({ ca, intermediate, identity, me }, listener.address.port);
    return world;
  }

  get serverContext(): ServerTlsContext {
    assert.ok(this.#server);
    return this.#server;
  }

  serve(version: Version): void {
    const built = buildServerContext({
      epoch: 1,
      certificate: materialOf(this.identity),
      minVersion: version,
      maxVersion: version,
      alpn: [],
      policy: policy("client", this.ca.certificatePem),
      requirePeerCertificate: true,
      requireSni: false,
      sessionTickets: true,
    });
    assert.ok(built.ok);
    this.#server = built.context;
  }

  client(own: { policy?: PeerPolicy; maxSessionKeys?: number } = {}): ClientTlsContext {
    const built = buildClientContext({
      epoch: 1,
      certificate: materialOf(this.#me),
      minVersion: "1.2",
      maxVersion: "1.3",
      alpn: [],
      policy: policy("server", this.ca.certificatePem),
      sni: "",
      ...own,
    });
    assert.ok(built.ok);
    return built.context;
  }

  async revocations(leaf: IssuedIdentity): Promise<PeerPolicy["revocations"]> {
    const lists = [await this.#intermediate.revoke([leaf.serialNumber]), await this.ca.revoke([])];
    return parseRevocationListsPem(lists.join(""));
  }

  /** A connection that reads the greeting, so that the tickets before it have come. */
  visit(context: ClientTlsContext): Promise<TlsSession | SocketFailure> {
    return new Promise((resolve) => {
      let session: TlsSession | undefined;
      const handler: SocketHandler = {
        onReady() {
          session = socket.tls;
          socket.start(handler);
        },
        onBytes(_bytes, start, end) {
          socket.end();
          return end - start;
        },
        onEnd: () => socket.destroy(),
        onDrain() {},
        onClose(failure) {
          resolve(session ?? failure ?? { kind: "reset", code: "internal_error", text: "closed", cause: "" });
        },
      };
      const dialer: SocketHandler = { ...handler, onReady: () => socket.upgrade(context, Date.now, handler) };
      const socket = FastSocket.connect({ host: "127.0.0.1", port: this.#port }, dialer);
    });
  }
}

function resumed(outcome: TlsSession | SocketFailure): boolean | string {
  return "isResumed" in outcome ? outcome.isResumed : outcome.text;
}

for (const version of ["1.3", "1.2"] as const) {
  test(`a client resumes its sessions over TLS ${version}, and knows the server's identity again`, async (t) => {
    const world = await World.start(t);
    world.serve(version);
    const context = world.client();
    assert.equal(resumed(await world.visit(context)), false);
    for (const _ of [1, 2]) {
      const again = await world.visit(context);
      assert.equal(resumed(again), true);
      assert.equal("peer" in again ? again.peer?.principal : "", reviews);
    }
  });

  test(`a client's context of a new epoch resumes nothing of the one before over TLS ${version}`, async (t) => {
    const world = await World.start(t);
    world.serve(version);
    await world.visit(world.client());
    assert.equal(resumed(await world.visit(world.client())), false);
  });

  test(`a client that kept a session by mistake refuses a server whose authority is dropped, or that is revoked, over TLS ${version}`, async (t) => {
    const world = await World.start(t);
    world.serve(version);
    const stranger = (await ThrowawayCa.create()).certificatePem;
    const revocations = await world.revocations(world.identity);
    assert.ok(revocations);
    for (const [later, expected] of [
      [policy("server", stranger), /signed by no trusted authority/],
      [policy("server", world.ca.certificatePem, { revocations }), /revoked/],
    ] as const) {
      const context = world.client();
      await world.visit(context);
      const mistaken = { ...world.client({ policy: later }), sessions: context.sessions };
      assert.match(String(resumed(await world.visit(mistaken))), expected);
    }
  });
}

test("without max_session_keys nothing is resumed", async (t) => {
  const world = await World.start(t);
  world.serve("1.3");
  const without = world.client({ maxSessionKeys: 0 });
  assert.equal(resumed(await world.visit(without)), false);
  assert.equal(resumed(await world.visit(without)), false);
  const one = world.client({ maxSessionKeys: 1 });
  assert.equal(resumed(await world.visit(one)), false);
  assert.equal(resumed(await world.visit(one)), true);
});
