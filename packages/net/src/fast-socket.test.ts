import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { connect as connectTls } from "node:tls";
import { releaseOutputBuffer, Secret, takeOutputBuffer } from "@heddle/core";
import type { IssuedIdentity, RawPeer } from "@heddle/testkit";
import { connectRaw, startRawServer, ThrowawayCa } from "@heddle/testkit";
import type { SocketHandler } from "./fast-socket.ts";
import { FastSocket } from "./fast-socket.ts";
import type { Listener } from "./listener.ts";
import { openListener } from "./listener.ts";
import type { PeerPolicy } from "./peer-verification.ts";
import type { RuntimeEdge } from "./runtime-edges.ts";
import { runtimeEdges } from "./runtime-edges.ts";
import { exactUri } from "./san-matcher.ts";
import type { SocketFailure } from "./socket-failure.ts";
import type { ClientTlsContext, ClientTlsOptions, ServerTlsContext, ServerTlsOptions } from "./tls-context.ts";
import { buildClientContext, buildServerContext } from "./tls-context.ts";
import { TrustAnchors } from "./trust-anchors.ts";

/** Records everything that happens to a connection and lets a test wait for it. */
class Recorder implements SocketHandler {
  received = "";
  events: string[] = [];
  failure: SocketFailure | undefined;
  /** How much of each offer is consumed; default all. */
  consume: (offered: number) => number = (offered) => offered;
  onReadyHook: () => void = () => {};
  #wakers: (() => void)[] = [];

  onReady(): void {
    this.#note("ready");
    this.onReadyHook();
  }
  onBytes(bytes: Buffer, start: number, end: number): number {
    const used = this.consume(end - start);
    this.received += bytes.toString("latin1", start, start + used);
    this.#note("bytes");
    return used;
  }
  onEnd(): void {
    this.#note("end");
  }
  onDrain(): void {
    this.#note("drain");
  }
  onClose(failure: SocketFailure | undefined): void {
    this.failure = failure;
    this.#note("close");
  }

  count(event: string): number {
    return this.events.filter((other) => other === event).length;
  }

  async until(isDone: () => boolean): Promise<void> {
    while (!isDone()) await new Promise<void>((resolve) => this.#wakers.push(resolve));
  }

  seen(event: string): Promise<void> {
    return this.until(() => this.events.includes(event));
  }

  #note(event: string): void {
    this.events.push(event);
    const wakers = this.#wakers;
    this.#wakers = [];
    for (const wake of wakers) wake();
  }
}

const web = "spiffe://cluster.local/ns/default/sa/web";
const reviews = "spiffe://cluster.local/ns/default/sa/reviews";

const modes: [name: string, edges: Partial<Record<RuntimeEdge, boolean>>][] = [
  ["with the runtime's private edges", { sharedReadBuffer: true, directWrite: true, rawAccept: true }],
  ["with the public API alone", { sharedReadBuffer: false, directWrite: false, rawAccept: false }],
  ["with shared reads and public writes", { sharedReadBuffer: true, directWrite: false, rawAccept: true }],
];

for (const [mode, edges] of modes) {
  describe(mode, () => {
    let before: Record<RuntimeEdge, boolean>;
    let listener: Listener;
    let accepted: FastSocket[];
    let sockets: FastSocket[];
    let takers: ((socket: FastSocket) => void)[];

    beforeEach(async () => {
      before = { ...runtimeEdges };
      Object.assign(runtimeEdges, edges);
      accepted = [];
      sockets = [];
      takers = [];
      listener = await openListener(
        { host: "127.0.0.1", port: 0 },
        {
          onConnection(socket) {
            sockets.push(socket);
            const taker = takers.shift();
            if (taker === undefined) accepted.push(socket);
            else taker(socket);
          },
        },
      );
    });

    afterEach(() => {
      listener.close();
      for (const socket of sockets) socket.destroy();
      Object.assign(runtimeEdges, before);
    });

    function nextAccepted(): Promise<FastSocket> {
      const socket = accepted.shift();
      return socket === undefined ? new Promise((resolve) => takers.push(resolve)) : Promise.resolve(socket);
    }

    async function serve(): Promise<[socket: FastSocket, handler: Recorder, client: RawPeer]> {
      const client = await connectRaw(listener.address.port);
      const socket = await nextAccepted();
      const handler = new Recorder();
      socket.start(handler);
      return [socket, handler, client];
    }

    function connectTo(port: number): [socket: FastSocket, handler: Recorder] {
      const handler = new Recorder();
      const socket = FastSocket.connect({ host: "127.0.0.1", port }, handler);
      sockets.push(socket);
      return [socket, handler];
    }

    test("bytes travel both ways and both ends close in order", async () => {
      const [socket, handler, client] = await serve();
      await client.send("hello");
      await handler.until(() => handler.received === "hello");
      const answer = Buffer.from("..world..");
      assert.equal(socket.write(answer, 2, 7), true);
      assert.equal(await client.until("world"), "world");
      assert.equal(socket.bytesRead, 5);
      assert.equal(socket.bytesWritten, 5);
      assert.equal(socket.remoteAddress.port, client.socket.localPort);
      client.end();
      await handler.seen("end");
      socket.end();
      await handler.seen("close");
      assert.equal(handler.failure, undefined);
      assert.equal(await client.untilEnd(), "");
    });

    test("many small writes of one callback leave as one", async () => {
      const [socket, , client] = await serve();
      const chunks: number[] = [];
      client.socket.on("data", (chunk: Buffer) => chunks.push(chunk.length));
      const piece = Buffer.from("abc");
      for (let i = 0; i < 1000; i += 1) socket.write(piece, 0, 3);
      await client.bytes(3000);
      assert.deepEqual(chunks, [3000]);
    });

    test("unconsumed bytes are kept and offered again, in order", async () => {
      const [socket, handler, client] = await serve();
      handler.consume = (offered) => Math.min(offered, 2);
      await client.send("abcdef");
      await handler.until(() => handler.received === "ab");
      await client.send("ghij");
      client.end();
      socket.resume();
      assert.equal(handler.received, "abcd");
      handler.consume = (offered) => {
        socket.resume();
        return Math.min(offered, 1);
      };
      socket.resume();
      await handler.seen("end");
      assert.equal(handler.received, "abcdefghij");
      assert.equal(handler.count("end"), 1);
    });

    test("a handler that pauses and goes on within one call is not left waiting", async () => {
      const [socket, handler, client] = await serve();
      handler.consume = (offered) => {
        socket.pause();
        socket.resume();
        return offered;
      };
      await client.send("one ");
      await handler.until(() => handler.received === "one ");
      await client.send("two");
      client.socket.end();
      await handler.seen("end");
      assert.equal(handler.received, "one two");
    });

    test("a paused socket keeps what comes and delivers it before the end", async () => {
      const [socket, handler, client] = await serve();
      socket.pause();
      await client.send("x".repeat(100_000));
      client.end();
      assert.equal(handler.received, "");
      socket.resume();
      await handler.seen("end");
      assert.equal(handler.received.length, 100_000);
      assert.deepEqual([...new Set(handler.events)], ["bytes", "end"]);
    });

    test("a slow reader stops the writer, and nothing is lost or repeated", async () => {
      const [socket, handler, client] = await serve();
      client.socket.pause();
      const chunk = Buffer.alloc(40_000);
      let sent = 0;
      let stamp = 0;
      const write = (): boolean => {
        for (let i = 0; i < chunk.length; i += 1) chunk[i] = 97 + ((stamp += 1) % 26);
        sent += chunk.length;
        // In turns copied and taken over: both keep their order.
        if (sent % 80_000 !== 0) return socket.write(chunk, 0, chunk.length);
        const own = takeOutputBuffer(chunk.length);
        chunk.copy(own.bytes);
        own.used = chunk.length;
        return socket.writeOwn(own);
      };
      // Until the kernel's buffers are full and ours above its mark.
      for (;;) {
        while (write());
        if (socket.queuedBytes > socket.highWaterBytes) {
          socket.flush();
          if (socket.queuedBytes > socket.highWaterBytes) break;
        }
      }
      const drained = handler.count("drain");
      client.socket.resume();
      await handler.until(() => handler.count("drain") > drained);
      assert.equal(socket.queuedBytes, 0);
      socket.end();
      const got = await client.untilEnd();
      assert.equal(got.length, sent);
      // One comparison of megabytes, without printing them when it fails.
      assert.ok(got === Buffer.alloc(sent, "bcdefghijklmnopqrstuvwxyza").toString("latin1"));
    });

    test("text of any length goes out one byte a character, in its place among bytes", async () => {
      const [socket, , client] = await serve();
      // The last is longer than any buffer that output is gathered in.
      const texts = ["head\r\n", "\xe9\xff\0", "x".repeat(20_000), "y".repeat(400_000)];
      for (const [index, text] of texts.entries()) {
        socket.writeText(text);
        socket.write(Buffer.from(`.${index}.`), 1, 2);
      }
      socket.end();
      assert.ok((await client.untilEnd()) === texts.map((text, index) => `${text}${index}`).join(""));
    });

    test("buffers that wait for a slow reader are gathered in one", async () => {
      const [socket, , client] = await serve();
      client.socket.pause();
      const chunk = Buffer.alloc(60_000);
      do socket.write(chunk, 0, chunk.length);
      while (!(socket.queuedBytes > socket.highWaterBytes));
      for (const text of ["one", "two"]) {
        const own = takeOutputBuffer(text.length);
        own.used = own.bytes.write(text);
        socket.writeOwn(own);
        const again = takeOutputBuffer(text.length);
        assert.equal(again === own, text === "two", "the second has been given back");
        releaseOutputBuffer(again);
      }
      client.socket.resume();
      socket.end();
      assert.ok((await client.untilEnd()).endsWith("onetwo"));
    });

    test("a reset is told as one, once", async () => {
      const [, handler, client] = await serve();
      client.reset();
      await handler.seen("close");
      assert.equal(handler.failure?.kind, "reset");
      assert.equal(handler.failure?.code, "downstream_closed");
      assert.equal(handler.count("close"), 1);
    });

    test("writing to a peer that is gone ends in one close and never throws", async () => {
      const [socket, handler, client] = await serve();
      client.reset();
      const chunk = Buffer.alloc(10_000);
      while (socket.isOpen) {
        socket.write(chunk, 0, chunk.length);
        socket.flush();
        await new Promise((resolve) => setImmediate(resolve));
      }
      await handler.seen("close");
      socket.write(chunk, 0, chunk.length);
      socket.end();
      socket.destroy();
      assert.equal(handler.count("close"), 1);
    });

    // The public write destroys the socket with its error, so the answer is lost with it there.
    if (edges.directWrite) {
      test("an answer that came before the peer refused the rest is read", async (t) => {
        const server = await startRawServer();
        t.after(() => server[Symbol.asyncDispose]());
        const [socket, handler] = connectTo(server.port);
        const chunk = Buffer.alloc(60_000);
        const peer = await server.next();
        peer.socket.pause();
        await handler.seen("ready");
        socket.write(chunk, 0, chunk.length);
        socket.flush();
        await peer.send("too large");
        // Closing with bytes unread makes the kernel answer with a reset.
        peer.socket.destroy();
        // No turn of the loop passes between the reset and the writes that meet it, so nothing has been read by then.
        for (let written = -1; written < socket.bytesWritten; ) {
          written = socket.bytesWritten;
          socket.write(chunk, 0, chunk.length);
          socket.flush();
        }
        await handler.seen("close");
        assert.equal(handler.received, "too large");
        assert.equal(handler.failure?.kind, "reset");
      });
    }

    test("reset() makes the peer see an error, destroy() an end", async () => {
      const [first, , firstClient] = await serve();
      first.reset();
      await firstClient.untilEnd();
      assert.match(String(firstClient.error), /ECONNRESET/);
      const [second, handler, secondClient] = await serve();
      second.destroy();
      assert.equal(await secondClient.untilEnd(), "");
      await handler.seen("close");
      assert.equal(handler.failure, undefined);
    });

    test("connecting tells when it is ready, and sends what was written before", async (t) => {
      const server = await startRawServer();
      t.after(() => server[Symbol.asyncDispose]());
      const [socket, handler] = connectTo(server.port);
      socket.write(Buffer.from("early"), 0, 5);
      const peer = await server.next();
      await handler.seen("ready");
      assert.equal(await peer.until("early"), "early");
      assert.equal(socket.localAddress.port, peer.socket.remotePort);
      await peer.send("answer");
      await handler.until(() => handler.received === "answer");
    });

    test("a refused connection is told with its likely cause", async () => {
      const server = await startRawServer();
      await server[Symbol.asyncDispose]();
      const [, handler] = connectTo(server.port);
      await handler.seen("close");
      assert.equal(handler.failure?.kind, "refused");
      assert.equal(handler.failure?.code, "upstream_connect_failed");
      assert.match(handler.failure?.text ?? "", /nothing listens there/);
    });

    describe("under TLS", () => {
      let ca: ThrowawayCa;
      let intermediate: ThrowawayCa;
      let webId: IssuedIdentity;
      let reviewsId: IssuedIdentity;

      beforeEach(async () => {
        ca = await ThrowawayCa.create();
        intermediate = await ca.createIntermediate();
        webId = await intermediate.issue(web);
        reviewsId = await intermediate.issue(reviews);
      });

      function policy(usage: "client" | "server", overrides: Partial<PeerPolicy> = {}): PeerPolicy {
        const anchors = TrustAnchors.fromPem(ca.certificatePem);
        assert.ok(anchors);
        return {
          anchors,
          usage,
          sanMatchers: [],
          requireSpiffeId: true,
          trustDomains: ["cluster.local"],
          ...overrides,
        };
      }

      function serverContext(overrides: Partial<ServerTlsOptions> = {}): ServerTlsContext {
        const built = buildServerContext({
          epoch: 1,
          certificate: { chainPem: reviewsId.chainPem, privateKeyPem: new Secret(reviewsId.privateKeyPem) },
          minVersion: "1.3",
          maxVersion: "1.3",
          alpn: ["istio"],
          policy: policy("client"),
          requirePeerCertificate: true,
          requireSni: false,
          sessionTickets: true,
          ...overrides,
        });
        assert.ok(built.ok);
        return built.context;
      }

      function clientContext(overrides: Partial<ClientTlsOptions> = {}): ClientTlsContext {
        const built = buildClientContext({
          epoch: 1,
          certificate: { chainPem: webId.chainPem, privateKeyPem: new Secret(webId.privateKeyPem) },
          minVersion: "1.3",
          maxVersion: "1.3",
          alpn: ["istio"],
          policy: policy("server"),
          sni: "outbound_.9080_._.reviews.default.svc.cluster.local",
          ...overrides,
        });
        assert.ok(built.ok);
        return built.context;
      }

      interface Pair {
        server: FastSocket;
        serverHandler: Recorder;
        client: FastSocket;
        clientHandler: Recorder;
      }

      /** Both sides begin TLS; nobody waits for the outcome. */
      async function handshake(
        server: Partial<ServerTlsOptions> = {},
        client: Partial<ClientTlsOptions> = {},
        wallMs: () => number = Date.now,
      ): Promise<Pair> {
        const clientSide = clientContext(client);
        const clientHandler = new Recorder();
        const dialer = new Recorder();
        const clientSocket = FastSocket.connect({ host: "127.0.0.1", port: listener.address.port }, dialer);
        sockets.push(clientSocket);
        dialer.onReadyHook = () => clientSocket.upgrade(clientSide, Date.now, clientHandler);
        const serverSocket = await nextAccepted();
        const serverHandler = new Recorder();
        serverSocket.upgrade(serverContext(server), wallMs, serverHandler);
        return { server: serverSocket, serverHandler, client: clientSocket, clientHandler };
      }

      test("both sides know who the other is, and bytes travel", async () => {
        const pair = await handshake();
        await Promise.all([pair.serverHandler.seen("ready"), pair.clientHandler.seen("ready")]);
        assert.equal(pair.server.tls?.peer?.principal, web);
        assert.equal(pair.client.tls?.peer?.principal, reviews);
        assert.equal(pair.server.tls?.localPrincipal, reviews);
        assert.equal(pair.server.tls?.version, "TLSv1.3");
        assert.equal(pair.server.tls?.alpn, "istio");
        assert.equal(pair.server.tls?.sni, "outbound_.9080_._.reviews.default.svc.cluster.local");
        pair.client.write(Buffer.from("ping"), 0, 4);
        await pair.serverHandler.until(() => pair.serverHandler.received === "ping");
        pair.server.write(Buffer.from("pong"), 0, 4);
        pair.server.end();
        await pair.clientHandler.seen("end");
        assert.equal(pair.clientHandler.received, "pong");
        pair.client.end();
        await Promise.all([pair.serverHandler.seen("close"), pair.clientHandler.seen("close")]);
        assert.equal(pair.serverHandler.failure, undefined);
        assert.equal(pair.clientHandler.failure, undefined);
      });

      test("a megabyte passes in both directions at once, through pauses", async () => {
        const pair = await handshake();
        await Promise.all([pair.serverHandler.seen("ready"), pair.clientHandler.seen("ready")]);
        const block = Buffer.alloc(1 << 20, "heddle ");
        pair.client.write(block, 0, block.length);
        pair.client.end();
        pair.server.write(block, 0, block.length);
        pair.server.end();
        for (const [socket, handler] of [
          [pair.server, pair.serverHandler],
          [pair.client, pair.clientHandler],
        ] as const) {
          handler.consume = (offered) => {
            socket.pause();
            setImmediate(() => socket.resume());
            return Math.ceil(offered / 2);
          };
        }
        await Promise.all([pair.serverHandler.seen("end"), pair.clientHandler.seen("end")]);
        assert.equal(pair.serverHandler.received, block.toString("latin1"));
        assert.equal(pair.clientHandler.received, block.toString("latin1"));
      });

      test("what was written is the writer's again, whether or not it has left", async () => {
        const pair = await handshake();
        await Promise.all([pair.serverHandler.seen("ready"), pair.clientHandler.seen("ready")]);
        pair.server.pause();
        const block = Buffer.alloc(1 << 18);
        let sent = "";
        for (const letter of "abcdefgh") {
          block.fill(letter);
          pair.client.write(block, 0, block.length);
          sent += letter.repeat(block.length);
        }
        block.fill("z");
        pair.client.end();
        pair.server.resume();
        await pair.serverHandler.seen("end");
        assert.equal(pair.serverHandler.received, sent);
      });

      test("what full records bring in one turn of the loop leaves as one", async () => {
        const pair = await handshake();
        await Promise.all([pair.serverHandler.seen("ready"), pair.clientHandler.seen("ready")]);
        const [socket, , client] = await serve();
        const sentBefore: number[] = [];
        pair.serverHandler.consume = (offered) => {
          sentBefore.push(socket.bytesWritten);
          socket.write(Buffer.alloc(offered), 0, offered);
          return offered;
        };
        const block = Buffer.alloc(3 * 16_384);
        pair.client.write(block, 0, block.length);
        await client.bytes(block.length);
        assert.deepEqual(sentBefore, [0, 0, 0]);
      });

      test("bytes read before the upgrade belong to the handshake", async () => {
        const clientSide = clientContext();
        const dialer = new Recorder();
        const clientHandler = new Recorder();
        const clientSocket = FastSocket.connect({ host: "127.0.0.1", port: listener.address.port }, dialer);
        sockets.push(clientSocket);
        dialer.onReadyHook = () => clientSocket.upgrade(clientSide, Date.now, clientHandler);
        const serverSocket = await nextAccepted();
        const peeker = new Recorder();
        peeker.consume = () => 0;
        serverSocket.start(peeker);
        await peeker.seen("bytes");
        const serverHandler = new Recorder();
        serverSocket.upgrade(serverContext(), Date.now, serverHandler);
        await Promise.all([serverHandler.seen("ready"), clientHandler.seen("ready")]);
        clientSocket.write(Buffer.from("after"), 0, 5);
        await serverHandler.until(() => serverHandler.received === "after");
      });

      test("a client that policy does not accept is closed before one byte of it is read", async () => {
        const stranger = await ThrowawayCa.create();
        const strange = await stranger.issue(web);
        const cases: [Partial<ServerTlsOptions>, Partial<ClientTlsOptions>, () => number, string][] = [
          [{}, certificateOf(strange), Date.now, "peer_untrusted"],
          [{}, certificateOf(await ca.issue("spiffe://other/ns/a/sa/b")), Date.now, "peer_wrong_trust_domain"],
          [{ policy: policy("client", { sanMatchers: [exactUri(reviews)] }) }, {}, Date.now, "peer_wrong_identity"],
          [{}, {}, () => Date.now() + 7_200_000, "peer_expired"],
        ];
        for (const [server, client, wallMs, code] of cases) {
          const pair = await handshake(server, client, wallMs);
          pair.clientHandler.onReadyHook = () => pair.client.write(Buffer.from("GET / HTTP/1.1\r\n"), 0, 16);
          await pair.serverHandler.seen("close");
          assert.equal(pair.serverHandler.failure?.code, code);
          assert.equal(pair.serverHandler.failure?.kind, "peer");
          assert.deepEqual(pair.serverHandler.events, ["close"]);
        }
      });

      test("a client without certificate learns why", async () => {
        const pair = await handshake({}, { certificate: undefined });
        await Promise.all([pair.serverHandler.seen("close"), pair.clientHandler.seen("close")]);
        assert.equal(pair.serverHandler.failure?.code, "peer_missing");
        assert.equal(pair.clientHandler.failure?.code, "upstream_tls_failed");
        assert.match(pair.clientHandler.failure?.text ?? "", /wants a certificate/);
        assert.ok(!pair.serverHandler.events.includes("ready"));
      });

      test("a client may do without a certificate where none is required, but not with a bad one", async () => {
        const optional: Partial<ServerTlsOptions> = { requirePeerCertificate: false };
        const without = await handshake(optional, { certificate: undefined });
        await without.serverHandler.seen("ready");
        assert.equal(without.server.tls?.peer, undefined);
        const bad = await handshake(optional, certificateOf(await (await ThrowawayCa.create()).issue(web)));
        await bad.serverHandler.seen("close");
        assert.equal(bad.serverHandler.failure?.code, "peer_untrusted");
      });

      test("a server that is somebody else is refused as a failed connection", async () => {
        const pair = await handshake({}, { policy: policy("server", { sanMatchers: [exactUri(web)] }) });
        await pair.clientHandler.seen("close");
        assert.equal(pair.clientHandler.failure?.code, "upstream_peer_rejected");
        assert.equal(pair.clientHandler.failure?.cause, "peer_wrong_identity");
        assert.deepEqual(pair.clientHandler.events, ["close"]);
      });

      test("plaintext where TLS belongs is closed and named", async () => {
        for (const bytes of ["GET / HTTP/1.1\r\nHost: a\r\n\r\n", "\u0000\u0001\u0002 some other protocol"]) {
          const raw = await connectRaw(listener.address.port);
          const socket = await nextAccepted();
          const handler = new Recorder();
          socket.upgrade(serverContext(), Date.now, handler);
          await raw.send(bytes);
          await handler.seen("close");
          assert.equal(handler.failure?.kind, "plaintext");
          assert.equal(handler.failure?.code, "no_filter_chain");
          await raw.untilEnd();
        }
      });

      test("a peer that leaves within the handshake is told as such", async () => {
        const raw = await connectRaw(listener.address.port);
        const socket = await nextAccepted();
        const handler = new Recorder();
        socket.upgrade(serverContext(), Date.now, handler);
        raw.end();
        await handler.seen("close");
        assert.equal(handler.failure?.code, "downstream_closed");
      });

      test("a server that does not speak TLS is named", async (t) => {
        const server = await startRawServer();
        t.after(() => server[Symbol.asyncDispose]());
        const [socket, dialer] = connectTo(server.port);
        const handler = new Recorder();
        dialer.onReadyHook = () => socket.upgrade(clientContext(), Date.now, handler);
        const peer = await server.next();
        await peer.send("HTTP/1.1 400 Bad Request\r\n\r\n");
        await handler.seen("close");
        assert.equal(handler.failure?.code, "upstream_tls_failed");
        assert.match(handler.failure?.text ?? "", /does not speak TLS/);
      });

      test("TLS 1.2 and a foreign ALPN are refused with their reason", async () => {
        const old = await handshake({}, { minVersion: "1.2", maxVersion: "1.2" });
        await Promise.all([old.serverHandler.seen("close"), old.clientHandler.seen("close")]);
        assert.match(old.serverHandler.failure?.text ?? "", /no TLS version in common/);
        assert.match(old.clientHandler.failure?.text ?? "", /no TLS version in common/);
        const alpn = await handshake({}, { alpn: ["h2"] });
        await Promise.all([alpn.serverHandler.seen("close"), alpn.clientHandler.seen("close")]);
        assert.match(alpn.serverHandler.failure?.text ?? "", /ALPN/);
        assert.match(alpn.clientHandler.failure?.text ?? "", /ALPN/);
      });

      test("TLS 1.2 is spoken with authenticated encryption alone, and by both sides only with the suites that they are given", async () => {
        const old = { minVersion: "1.2", maxVersion: "1.2" } as const;
        const [gcm, chacha] = ["ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305"];
        for (const [server, client, expected] of [
          [{}, {}, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"],
          [{ cipherSuites: [gcm] }, {}, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"],
          [{}, { cipherSuites: [chacha] }, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"],
        ] as const) {
          const pair = await handshake({ ...old, ...server }, { ...old, ...client });
          await Promise.all([pair.serverHandler.seen("ready"), pair.clientHandler.seen("ready")]);
          assert.equal(pair.client.tls?.version, "TLSv1.2");
          assert.equal(pair.client.tls?.cipher, expected);
        }
        const apart = await handshake({ ...old, cipherSuites: [gcm] }, { ...old, cipherSuites: [chacha] });
        await apart.serverHandler.seen("close");
        assert.match(apart.serverHandler.failure?.text ?? "", /no cipher suite or key exchange in common/);
        // A foreign client that knows nothing but CBC and HMAC.
        const foreign = connectTls({
          port: listener.address.port,
          host: "127.0.0.1",
          maxVersion: "TLSv1.2",
          ciphers: "ECDHE-ECDSA-AES128-SHA256:ECDHE-RSA-AES128-SHA",
          rejectUnauthorized: false,
        });
        const refused = new Promise<string>((resolve) =>
          foreign.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? "")),
        );
        const accepted = await nextAccepted();
        const handler = new Recorder();
        accepted.upgrade(serverContext(old), Date.now, handler);
        await handler.seen("close");
        assert.match(handler.failure?.text ?? "", /no cipher suite or key exchange in common/);
        assert.match(await refused, /HANDSHAKE_FAILURE/);
      });

      test("the key exchange uses the groups that are given", async () => {
        const pair = await handshake({ groups: ["P-384"] }, { groups: ["P-384", "X25519"] });
        await Promise.all([pair.serverHandler.seen("ready"), pair.clientHandler.seen("ready")]);
        const apart = await handshake({ groups: ["P-384"] }, { groups: ["X25519"] });
        await apart.serverHandler.seen("close");
        assert.match(apart.serverHandler.failure?.text ?? "", /no cipher suite or key exchange in common/);
      });

      test("a required server name is required", async () => {
        const pair = await handshake({ requireSni: true }, { sni: "" });
        await pair.serverHandler.seen("close");
        assert.match(pair.serverHandler.failure?.text ?? "", /server name/);
      });
    });

    function certificateOf(identity: IssuedIdentity): Partial<ClientTlsOptions> {
      return { certificate: { chainPem: identity.chainPem, privateKeyPem: new Secret(identity.privateKeyPem) } };
    }
  });
}
