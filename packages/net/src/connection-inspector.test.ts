import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { TimerWheel } from "@heddle/core";
import type { RawPeer } from "@heddle/testkit";
import { connectRaw } from "@heddle/testkit";
import type { ConnectionInspection, Inspector } from "./connection-inspector.ts";
import { inspectConnection } from "./connection-inspector.ts";
import type { FastSocket, SocketHandler } from "./fast-socket.ts";
import { inspectHttp } from "./http-preface.ts";
import type { Listener } from "./listener.ts";
import { openListener } from "./listener.ts";

let listener: Listener;
let wheel: TimerWheel;
let clients: RawPeer[];
let onAccepted: (socket: FastSocket) => void;

beforeEach(async () => {
  wheel = new TimerWheel(10, 0);
  clients = [];
  listener = await openListener({ host: "127.0.0.1", port: 0 }, { onConnection: (socket) => onAccepted(socket) });
});

afterEach(() => {
  listener.close();
  for (const client of clients) client.socket.destroy();
});

interface Outcome {
  inspection?: ConnectionInspection;
  isClosed?: boolean;
  socket?: FastSocket;
}

/** A connection under inspection: the client's end, and what the inspection comes to. */
async function inspected(inspectors: Inspector[], timeoutMs = 1000): Promise<[RawPeer, Promise<Outcome>]> {
  let settle: (outcome: Outcome) => void = () => {};
  const outcome = new Promise<Outcome>((resolve) => {
    settle = resolve;
  });
  const started = new Promise<void>((resolve) => {
    onAccepted = (socket) => {
      inspectConnection(socket, inspectors, timeoutMs, wheel, {
        onInspected: (inspectedSocket, inspection) => settle({ inspection, socket: inspectedSocket }),
        onInspectionClosed: () => settle({ isClosed: true }),
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
function readAll(socket: FastSocket): Promise<string> {
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
  const [client, outcome] = await inspected(["tls_inspector", "http_inspector"]);
  for (const byte of "GET /a HTTP/1.1\r\n") await client.send(byte);
  await client.send("Host: b\r\n\r\n");
  const { inspection, socket } = await outcome;
  assert.deepEqual(inspection, {
    transportProtocol: "raw_buffer",
    sni: "",
    applicationProtocols: ["http/1.1"],
    hasTimedOut: false,
  });
  assert.ok(socket);
  client.end();
  assert.equal(await readAll(socket), "GET /a HTTP/1.1\r\nHost: b\r\n\r\n");
  assert.equal(wheel.size, 0);
});

test("a protocol of neither kind is raw at its first telling byte", async () => {
  const [client, outcome] = await inspected(["tls_inspector", "http_inspector"]);
  await client.send("\u0000\u0001redis or so");
  const { inspection, socket } = await outcome;
  assert.deepEqual(inspection?.applicationProtocols, []);
  assert.ok(socket);
  client.end();
  assert.equal(await readAll(socket), "\u0000\u0001redis or so");
});

test("a silent client is given up when the time has passed, and nothing of it is lost", async () => {
  const [client, outcome] = await inspected(["tls_inspector"], 500);
  await client.send("\u0016");
  wheel.advance(400);
  wheel.advance(1000);
  const { inspection, socket } = await outcome;
  assert.equal(inspection?.hasTimedOut, true);
  assert.ok(socket);
  await client.send("rest");
  client.end();
  assert.equal(await readAll(socket), "\u0016rest");
});

test("a client that ends early is judged by what it sent", async () => {
  const [client, outcome] = await inspected(["tls_inspector", "http_inspector"]);
  await client.send("GE");
  client.end();
  const { inspection, socket } = await outcome;
  assert.equal(inspection?.hasTimedOut, false);
  assert.ok(socket);
  assert.equal(await readAll(socket), "GE");
});

test("a client that resets ends the inspection and its timer", async () => {
  const [client, outcome] = await inspected(["tls_inspector"]);
  client.reset();
  assert.deepEqual(await outcome, { isClosed: true });
  assert.equal(wheel.size, 0);
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
