import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { TimerWheel } from "@heddle/core";
import type { RawPeer } from "@heddle/testkit";
import { connectRaw } from "@heddle/testkit";
import type { ConnectionInspection, InspectionStat, Inspector } from "./connection-inspector.ts";
import { inspectConnection } from "./connection-inspector.ts";
import type { SocketHandler } from "./fast-socket.ts";
import type { StreamSocket } from "./stream-socket.ts";
import { inspectHttp } from "./http-preface.ts";
import type { Listener } from "./listener.ts";
import { openListener } from "./listener.ts";

let listener: Listener;
let wheel: TimerWheel;
let clients: RawPeer[];
let stats: InspectionStat[];
let onAccepted: (socket: StreamSocket) => void;

beforeEach(async () => {
  wheel = new TimerWheel(10, 0);
  clients = [];
  listener = await openListener({ host: "127.0.0.1", port: 0 }, { onConnection: (socket) => onAccepted(socket) });
});

afterEach(() => {
  listener.close();
  for (const client of clients) client.socket.destroy();
});

const tls: Inspector = { kind: "tls_inspector" };
const http: Inspector = { kind: "http_inspector" };
const proxy: Inspector = { kind: "proxy_protocol", allowsNone: false, disallowed: [], passesTlv: () => true };

interface Outcome {
  inspection?: ConnectionInspection;
  reason?: string;
  isClosed?: boolean;
  socket?: StreamSocket;
}

/** A connection under inspection: the client's end, and what the inspection comes to. */
async function inspected(inspectors: Inspector[], timeoutMs = 1000): Promise<[RawPeer, Promise<Outcome>]> {
  let settle: (outcome: Outcome) => void = () => {};
  const outcome = new Promise<Outcome>((resolve) => {
    settle = resolve;
  });
  const started = new Promise<void>((resolve) => {
    onAccepted = (socket) => {
      stats = [];
      inspectConnection(socket, inspectors, timeoutMs, wheel, {
        onInspected: (inspection) => settle({ inspection, socket }),
        onInspectionFailed(reason) {
          settle({ reason, socket });
          socket.destroy();
        },
        onInspectionClosed: () => settle({ isClosed: true }),
        onInspectionStat: (stat) => stats.push(stat),
      });
      resolve();
    };
  });
  const client = await connectRaw(listener.address.port);
  clients.push(client);
  await started;
  return [client, outcome];
}

/** Everything that a handler gets of a socket until its peer has finished. */
function readAll(socket: StreamSocket): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    const handler: SocketHandler = {
      onReady() {},
      onBytes(bytes, start, end) {
        text += bytes.toString("latin1", start, end);
        return end - start;
      },
      onEnd() {
        resolve(text);
        socket.end();
      },
      onDrain() {},
      onClose() {
        resolve(text);
      },
    };
    socket.start(handler);
  });
}

test("plaintext HTTP is recognised byte by byte and handed on whole", async () => {
  const [client, outcome] = await inspected([tls, http]);
  for (const byte of "GET /a HTTP/1.1\r\n") await client.send(byte);
  await client.send("Host: b\r\n\r\n");
  const { inspection, socket } = await outcome;
  assert.deepEqual(inspection, {
    transportProtocol: "raw_buffer",
    sni: "",
    applicationProtocols: ["http/1.1"],
    decision: "http/1.1",
    proxyTlvs: [],
  });
  assert.deepEqual(stats, ["tls_inspector.tls_not_found", "http_inspector.http11_found"]);
  assert.ok(socket);
  client.end();
  assert.equal(await readAll(socket), "GET /a HTTP/1.1\r\nHost: b\r\n\r\n");
  assert.equal(wheel.size, 0);
});

test("a protocol of neither kind is raw at its first telling byte", async () => {
  const [client, outcome] = await inspected([tls, http]);
  await client.send("\u0000\u0001redis or so");
  const { inspection, socket } = await outcome;
  assert.deepEqual(inspection?.applicationProtocols, []);
  assert.equal(inspection?.decision, "opaque");
  assert.ok(socket);
  client.end();
  assert.equal(await readAll(socket), "\u0000\u0001redis or so");
});

test("a silent client is given up when the time has passed, and nothing of it is lost", async () => {
  const [client, outcome] = await inspected([tls], 500);
  await client.send("\u0016");
  wheel.advance(400);
  wheel.advance(1000);
  const { inspection, socket } = await outcome;
  assert.equal(inspection?.decision, "timeout");
  assert.ok(socket);
  await client.send("rest");
  client.end();
  assert.equal(await readAll(socket), "\u0016rest");
});

test("a client that ends early is judged by what it sent", async () => {
  const [client, outcome] = await inspected([tls, http]);
  await client.send("GE");
  client.end();
  const { inspection, socket } = await outcome;
  assert.equal(inspection?.decision, "ended");
  assert.ok(socket);
  assert.equal(await readAll(socket), "GE");
});

test("a client that resets ends the inspection and its timer", async () => {
  const [client, outcome] = await inspected([tls]);
  client.reset();
  assert.deepEqual(await outcome, { isClosed: true });
  assert.equal(wheel.size, 0);
});

test("a header of the PROXY protocol is taken off byte by byte, and what follows is inspected", async () => {
  const [client, outcome] = await inspected([proxy, tls, http]);
  const text = "PROXY TCP4 192.0.2.1 198.51.100.2 1234 443\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  for (const byte of text) await client.send(byte);
  await client.send("rest");
  const { inspection, socket } = await outcome;
  assert.equal(inspection?.decision, "h2c");
  assert.ok(socket);
  assert.deepEqual(socket.remoteAddress, { host: "192.0.2.1", port: 1234 });
  assert.deepEqual(socket.localAddress, { host: "198.51.100.2", port: 443 });
  assert.equal(socket.directRemoteAddress.host, "127.0.0.1");
  client.end();
  assert.equal(await readAll(socket), "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nrest");
  assert.equal(socket.bytesRead, 28);
  assert.deepEqual(stats, [
    "proxy_proto.versions.v1.found",
    "tls_inspector.tls_not_found",
    "http_inspector.http2_found",
  ]);
});

const line = "PROXY TCP4 192.0.2.1 198.51.100.2 1234 443\r\n";
for (const [what, inspector, text, reason, stat] of [
  ["is missing", proxy, "GET / HTTP/1.1\r\n", /does not begin/, "proxy_proto.not_found_disallowed"],
  ["is malformed", proxy, "PROXY nonsense\r\n", /malformed/, "proxy_proto.versions.v1.error"],
  [
    "has a version that is not allowed",
    { ...proxy, disallowed: [1] },
    line,
    /version 1/,
    "proxy_proto.versions.v1.disallowed",
  ],
  ["ends early", proxy, "PROXY TCP4", /ended/, undefined],
] as [string, Inspector, string, RegExp, InspectionStat | undefined][]) {
  test(`a connection whose PROXY protocol header ${what} is turned away`, async () => {
    const [client, outcome] = await inspected([inspector]);
    await client.send(text);
    client.end();
    const { inspection, reason: told } = await outcome;
    assert.equal(inspection, undefined);
    assert.match(told ?? "", reason);
    assert.deepEqual(stats, stat === undefined ? [] : [stat]);
    assert.equal(wheel.size, 0);
  });
}

test("where a PROXY protocol header may be missing, a connection without one speaks for itself", async () => {
  for (const [inspector, text] of [
    [{ ...proxy, allowsNone: true }, "GET / HTTP/1.1\r\n"],
    [{ ...proxy, allowsNone: true, disallowed: [1] }, line],
  ] as [Inspector, string][]) {
    const [client, outcome] = await inspected([inspector]);
    await client.send(text);
    const { socket } = await outcome;
    assert.ok(socket);
    assert.equal(socket.remoteAddress.host, "127.0.0.1");
    client.end();
    assert.equal(await readAll(socket), text);
  }
});

test("a client that owes a PROXY protocol header and keeps silent is turned away, however the listener takes time-outs", async () => {
  const [client, outcome] = await inspected([proxy, tls], 500);
  await client.send("PROXY TCP4 192.0.2.1");
  wheel.advance(1000);
  assert.match((await outcome).reason ?? "", /in time/);
});

test("a ClientHello without end is turned away and not taken for plaintext", async () => {
  const [client, outcome] = await inspected([tls, http]);
  await client.send(Buffer.concat([Buffer.from([22, 3, 1, 0x40, 0, 1, 0, 0xff, 0xff]), Buffer.alloc(16_384)]));
  assert.match((await outcome).reason ?? "", /too long/);
  assert.deepEqual(stats, ["tls_inspector.client_hello_too_large"]);
});

test("an inspector that is disabled for the port of a connection does not look at it", async () => {
  const own = listener.address.port;
  const isDisabledOn = (port: number): boolean => port === own;
  const [client, outcome] = await inspected([{ ...tls, isDisabledOn }, http]);
  await client.send("\u0016\u0003\u0001");
  const { inspection } = await outcome;
  assert.equal(inspection?.decision, "opaque");
  assert.deepEqual(stats, ["http_inspector.http_not_found"]);
});

test("first lines are told apart", () => {
  const table: [string, string][] = [
    ["", "incomplete"],
    ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "h2c"],
    ["PRI * HTTP/2.0\r\n\r\nSM\r\n", "incomplete"],
    ["PRI", "incomplete"],
    ["GET", "incomplete"],
    ["GET / HTTP/1.1\r\n", "http/1.1"],
    ["GET / HTTP/1.0\n", "http/1.0"],
    ["M-SEARCH * HTTP/1.1\r\n", "http/1.1"],
    ["GET / HTTP/1.1", "incomplete"],
    ["GET /\r\n", "not-http"],
    ["GET / HTTP/3\r\n", "not-http"],
    ["GET  / HTTP/1.1\r\n", "not-http"],
    ["\u0000GET", "not-http"],
    ["ÄT / HTTP/1.1\r\n", "not-http"],
    ["A".repeat(33), "not-http"],
    [`GET /${"a".repeat(9000)}`, "not-http"],
  ];
  for (const [text, expected] of table) {
    const bytes = Buffer.from(text, "latin1");
    assert.equal(inspectHttp(bytes, 0, bytes.length), expected, JSON.stringify(text.slice(0, 40)));
  }
});
