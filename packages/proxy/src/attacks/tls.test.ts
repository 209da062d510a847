import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { type AddressInfo, createServer } from "node:net";
import { after, before, test } from "node:test";
import { connect, type TLSSocket } from "node:tls";
import { connectRaw, ThrowawayCa } from "@heddle/testkit";
import { AttackArena } from "../testing/attack-arena.ts";
import type { TlsMaterial } from "../testing/bootstrap-json.ts";

// What can be done to a proxy before and around TLS: handshakes that never end, hellos that are too large, renegotiation for work's sake.

const inspector = {
  name: "tls",
  typed_config: {
    "@type": "type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector",
  },
};

let arena: AttackArena;

function transportSocket({ chainPem, privateKeyPem }: Omit<TlsMaterial, "anchorsPem">): Record<string, unknown> {
  return {
    name: "tls",
    typed_config: {
      "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
      common_tls_context: {
        tls_params: { tls_minimum_protocol_version: "TLSv1_2", tls_maximum_protocol_version: "TLSv1_3" },
        tls_certificates: [
          { certificate_chain: { inline_string: chainPem }, private_key: { inline_string: privateKeyPem } },
        ],
      },
    },
  };
}

before(async () => {
  const ca = await ThrowawayCa.create();
  arena = await AttackArena.start({
    transportSocket: transportSocket(await ca.issue("spiffe://cluster.local/ns/shop/sa/web")),
    chain: { transport_socket_connect_timeout: "1s" },
    listener: { listener_filters_timeout: "1s", listener_filters: [inspector] },
  });
});
after(() => arena[Symbol.asyncDispose]());

const crowd = 100;

function tlsClient(port: number, maxVersion: "TLSv1.2" | "TLSv1.3"): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false, maxVersion });
    socket.once("error", reject);
    socket.once("secureConnect", () => {
      socket.off("error", reject);
      resolve(socket);
    });
  });
}

test("a client cannot have the handshake done again and again (renegotiation)", async () => {
  await arena.endures(async (port) => {
    const socket = await tlsClient(port, "TLSv1.2");
    try {
      const refusal = await new Promise<Error | null>((resolve) => {
        socket.once("error", resolve);
        socket.once("close", () => resolve(new Error("closed")));
        socket.renegotiate({}, resolve);
      });
      assert.ok(refusal !== null, "one renegotiation is one too many");
    } finally {
      socket.destroy();
    }
  });
});

/** Records of one handshake message of 16 MB, as far as a peer takes them (RFC 8446 §4, §5.1). */
function hugeHello(records: number): Buffer {
  const first = Buffer.from([22, 3, 1, 0x40, 0x00, 1, 0xff, 0xff, 0xff, 3, 3]);
  const body = Buffer.concat([first, randomBytes(16_384 - 6)]);
  const more = Buffer.concat([Buffer.from([22, 3, 1, 0x40, 0x00]), randomBytes(16_384)]);
  return Buffer.concat([body, ...Array.from({ length: records }, () => more)]);
}

test("a ClientHello that is larger than any real one ends its connection early", async () => {
  const outcome = await arena.endures(async (port) => {
    const clients = await Promise.all(Array.from({ length: crowd }, () => connectRaw(port)));
    const hello = hugeHello(64);
    // The kernel takes what fits; the rest is never taken.
    for (const client of clients) void client.send(hello);
    await Promise.all(clients.map((client) => client.untilEnd()));
    for (const client of clients) await client[Symbol.asyncDispose]();
  });
  assert.equal(outcome.handled, 0);
});

test("handshakes that come byte by byte, or stop, end in time", async () => {
  const outcome = await arena.endures(async (port) => {
    const hello = hugeHello(0);
    const clients = await Promise.all(Array.from({ length: crowd }, () => connectRaw(port)));
    // Each stops at another place: within the header of the record, of the message, or far behind.
    await Promise.all(clients.map((client, index) => client.send(hello.subarray(0, 1 + index))));
    await Promise.all(clients.map((client) => client.untilEnd()));
    for (const client of clients) await client[Symbol.asyncDispose]();
  });
  assert.equal(outcome.handled, 0);
});

/** What OpenSSL says first. */
function captureHello(): Promise<Buffer> {
  return new Promise((resolve) => {
    const server = createServer((socket) => {
      socket.on("error", () => socket.destroy());
      socket.once("data", (hello: Buffer) => {
        resolve(hello);
        socket.destroy();
        server.close();
      });
    });
    server.listen(0, "127.0.0.1", () => {
      const socket = connect({ port: (server.address() as AddressInfo).port, host: "127.0.0.1" });
      socket.on("error", () => socket.destroy());
    });
  });
}

test("connections that are reset within the handshake leave nothing behind", async () => {
  const hello = await captureHello();
  await arena.endures(async (port) => {
    for (let round = 0; round < 3; round += 1) {
      const clients = await Promise.all(Array.from({ length: crowd }, () => connectRaw(port)));
      await Promise.all(clients.map((client) => client.send(hello)));
      // The proxy has signed, which is what costs it most.
      await Promise.all(clients.map((client) => client.bytes(1)));
      for (const client of clients) client.reset();
    }
    await arena.untilStat("listener.attacked.downstream_cx_active", 0);
  });
});

test("plaintext where TLS is demanded is not looked at", async () => {
  const outcome = await arena.endures(async (port) => {
    const client = await connectRaw(port);
    await client.send("GET /app HTTP/1.1\r\nhost: a\r\n\r\n");
    const text = await client.untilEnd();
    await client[Symbol.asyncDispose]();
    return text;
  });
  assert.doesNotMatch(outcome.result, /^HTTP/);
  assert.equal(outcome.handled, 0);
});
