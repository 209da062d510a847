import assert from "node:assert/strict";
import { connect as connectTcp, createServer } from "node:net";
import { before, describe, test } from "node:test";
import { connect } from "node:tls";
import { inspectClientHello } from "./client-hello.ts";

/** What OpenSSL really sends. */
function capture(options: { servername?: string; ALPNProtocols?: string[] }): Promise<Buffer> {
  return new Promise((resolve) => {
    const server = createServer((socket) => {
      socket.on("error", () => socket.destroy());
      socket.once("data", (chunk: Buffer) => {
        resolve(chunk);
        socket.destroy();
        server.close();
      });
    });
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      assert.ok(address !== null && typeof address === "object");
      const raw = connectTcp(address.port, "127.0.0.1");
      const socket = connect({ socket: raw, rejectUnauthorized: false, ...options });
      socket.on("error", () => raw.destroy());
      raw.on("error", () => raw.destroy());
    });
  });
}

/** The same message in records of `size` bytes. */
function fragment(hello: Buffer, size: number): Buffer {
  const message = hello.subarray(5);
  const records: Buffer[] = [];
  for (let i = 0; i < message.length; i += size) {
    const piece = message.subarray(i, i + size);
    records.push(Buffer.from([22, 3, 1, piece.length >> 8, piece.length & 0xff]), piece);
  }
  return Buffer.concat(records);
}

let full: Buffer;
let bare: Buffer;
const names = { kind: "tls", sni: "outbound_.9080_._.reviews", alpn: ["istio-peer-exchange", "istio"] };

before(async () => {
  full = await capture({ servername: "Outbound_.9080_._.Reviews", ALPNProtocols: ["istio-peer-exchange", "istio"] });
  bare = await capture({});
});

describe("a ClientHello", () => {
  test("gives server name and protocols", () => {
    assert.deepEqual(inspectClientHello(full, 0, full.length), names);
    assert.deepEqual(inspectClientHello(bare, 0, bare.length), { kind: "tls", sni: "", alpn: [] });
  });

  test("is incomplete at every shorter length, wherever it stands in the buffer", () => {
    const shifted = Buffer.concat([Buffer.from("xyz"), full]);
    for (let length = 0; length < full.length; length += 1) {
      assert.deepEqual(inspectClientHello(full, 0, length), { kind: "incomplete" }, String(length));
      assert.deepEqual(inspectClientHello(shifted, 3, 3 + length), { kind: "incomplete" }, String(length));
    }
    assert.deepEqual(inspectClientHello(shifted, 3, shifted.length), names);
  });

  test("may be split over any number of records, and be followed by more", () => {
    for (const size of [1, 2, 3, 7, 100, 511]) {
      const split = fragment(full, size);
      assert.deepEqual(inspectClientHello(split, 0, split.length), names, String(size));
      const followed = Buffer.concat([split, Buffer.from([23, 3, 3, 0, 1, 0])]);
      assert.deepEqual(inspectClientHello(followed, 0, followed.length), names, String(size));
    }
  });

  test("that is damaged anywhere never throws", () => {
    for (let i = 0; i < full.length; i += 1) {
      for (const value of [0, 1, 0x7f, 0xff]) {
        const damaged = Buffer.from(full);
        damaged[i] = value;
        assert.ok(
          ["tls", "not-tls", "incomplete", "too-long"].includes(inspectClientHello(damaged, 0, damaged.length).kind),
        );
      }
    }
  });
});

describe("not TLS", () => {
  const table: [string, Buffer][] = [
    ["HTTP", Buffer.from("GET / HTTP/1.1\r\n")],
    ["an alert", Buffer.from([21, 3, 1, 0, 2, 1, 0])],
    ["another handshake message", Buffer.from([22, 3, 1, 0, 4, 2, 0, 0, 0])],
    ["an empty record", Buffer.from([22, 3, 1, 0, 0])],
    ["a record that is too large", Buffer.from([22, 3, 1, 0x40, 1, 1])],
    ["version 2", Buffer.from([22, 2, 0])],
    ["lengths that overrun their message", Buffer.from([22, 3, 1, 0, 8, 1, 0, 0, 4, 3, 3, 0, 0])],
  ];
  for (const [title, bytes] of table) {
    test(`is ${title}`, () => {
      assert.deepEqual(inspectClientHello(bytes, 0, bytes.length), { kind: "not-tls" });
    });
  }

  test("is a hello that never ends", () => {
    const endless = fragment(
      Buffer.concat([full.subarray(0, 5), Buffer.from([1, 0, 0x3f, 0xff]), Buffer.alloc(16_000)]),
      200,
    );
    assert.equal(inspectClientHello(endless, 0, 10_000).kind, "incomplete");
    assert.equal(inspectClientHello(endless, 0, 16_384).kind, "too-long");
    const announced = Buffer.from([22, 3, 1, 0x40, 0, 1, 0xff, 0xff, 0xff]);
    assert.equal(inspectClientHello(announced, 0, announced.length).kind, "too-long");
  });
});
