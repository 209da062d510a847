import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { connect as connectTcp } from "node:net";
import { after, before, beforeEach, test } from "node:test";
import { connect } from "node:tls";
import { Secret } from "@heddle/core";
import type { IssuedIdentity } from "@heddle/testkit";
import { ThrowawayCa } from "@heddle/testkit";
import type { SocketHandler } from "./fast-socket.ts";
import type { Listener } from "./listener.ts";
import { openListener } from "./listener.ts";
import type { SocketFailure } from "./socket-failure.ts";
import type { ServerTlsContext, ServerTlsOptions } from "./tls-context.ts";
import { buildServerContext } from "./tls-context.ts";
import type { TlsSession } from "./tls-session.ts";
import { KnownIntermediates, TrustAnchors } from "./trust-anchors.ts";

let root: ThrowawayCa;
let server: IssuedIdentity;
let client: IssuedIdentity;
let listener: Listener;
let context: ServerTlsContext;
let onOutcome: (outcome: { session: TlsSession } | { failure: SocketFailure | undefined }) => void;

before(async () => {
  root = await ThrowawayCa.create();
  const intermediate = await root.createIntermediate();
  server = await root.issue("spiffe://cluster.local/ns/default/sa/reviews");
  client = await intermediate.issue("spiffe://cluster.local/ns/default/sa/web");
  listener = await openListener(
    { host: "127.0.0.1", port: 0 },
    {
      onConnection(socket) {
        const tell = onOutcome;
        const handler: SocketHandler = {
          onReady() {
            assert.ok(socket.tls);
            tell({ session: socket.tls });
            socket.write(Buffer.from("hello"), 0, 5);
            socket.end();
          },
          onBytes: (_bytes, start, end) => end - start,
          onEnd() {},
          onDrain() {},
          onClose(failure) {
            tell({ failure });
          },
        };
        socket.upgrade(context, Date.now, handler);
      },
    },
  );
});

after(() => listener.close());

beforeEach(() => {
  context = contextOf({});
});

function contextOf(
  overrides: Partial<ServerTlsOptions>,
  anchors = TrustAnchors.fromPem(root.certificatePem),
): ServerTlsContext {
  assert.ok(anchors);
  const built = buildServerContext({
    epoch: 1,
    certificate: { chainPem: server.chainPem, privateKeyPem: new Secret(server.privateKeyPem) },
    minVersion: "1.3",
    maxVersion: "1.3",
    alpn: [],
    policy: {
      anchors,
      usage: "client",
      sanMatchers: [],
      requireSpiffeId: true,
      knownIntermediates: new KnownIntermediates(),
    },
    requirePeerCertificate: true,
    requireSni: false,
    sessionTickets: true,
    ...overrides,
  });
  assert.ok(built.ok);
  return built.context;
}

/** One connection of an ordinary TLS client; what the server made of it, and the ticket that the client got. */
async function visit(
  session?: Buffer,
): Promise<{ outcome: Awaited<ReturnType<typeof nextOutcome>>; ticket: Buffer | undefined }> {
  const outcome = nextOutcome();
  const ticket = await new Promise<Buffer | undefined>((resolve) => {
    let latest: Buffer | undefined;
    const raw = connectTcp({ host: "127.0.0.1", port: listener.address.port });
    raw.on("error", () => raw.destroy());
    const socket = connect({
      socket: raw,
      cert: client.chainPem,
      key: client.privateKeyPem,
      rejectUnauthorized: false,
      ...(session === undefined ? {} : { session }),
    });
    socket.on("session", (ticketBytes: Buffer) => {
      latest = ticketBytes;
    });
    socket.on("error", () => socket.destroy());
    socket.on("close", () => resolve(latest));
    socket.resume();
  });
  return { outcome: await outcome, ticket };
}

function nextOutcome(): Promise<{ session?: TlsSession; failure?: SocketFailure | undefined }> {
  return new Promise((resolve) => {
    onOutcome = resolve;
  });
}

test("a resumed session is verified like a new one, although it carries the leaf alone", async () => {
  const first = await visit();
  assert.equal(first.outcome.session?.isResumed, false);
  assert.ok(first.ticket);
  const second = await visit(first.ticket);
  assert.equal(second.outcome.session?.isResumed, true);
  assert.equal(second.outcome.session.peer?.principal, "spiffe://cluster.local/ns/default/sa/web");
});

test("a new epoch has new ticket keys, so that old sessions start over", async () => {
  const { ticket } = await visit();
  context = contextOf({ epoch: 2 });
  const { outcome } = await visit(ticket);
  assert.equal(outcome.session?.isResumed, false);
});

test("a session whose root is trusted no more is refused, even where ticket keys were kept by mistake", async () => {
  const ticketKeys = randomBytes(48);
  context = contextOf({ ticketKeys });
  const { ticket } = await visit();
  const { outcome: control } = await visit(ticket);
  assert.equal(control.session?.isResumed, true);
  context = contextOf({ ticketKeys }, TrustAnchors.fromPem((await ThrowawayCa.create()).certificatePem));
  const { outcome } = await visit(ticket);
  assert.equal(outcome.failure?.code, "peer_untrusted");
});

test("without session tickets nothing is resumed", async () => {
  context = contextOf({ sessionTickets: false });
  const { ticket } = await visit();
  const { outcome } = await visit(ticket);
  assert.equal(outcome.session?.isResumed, false);
});
