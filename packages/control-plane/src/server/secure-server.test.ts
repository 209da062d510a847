import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import type { ClientHttp2Session, ClientHttp2Stream, OutgoingHttpHeaders } from "node:http2";
import { connect as connectHttp2 } from "node:http2";
import { connect as connectTcp } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { test } from "node:test";
import type { ConnectionOptions, TLSSocket } from "node:tls";
import { connect as connectTls } from "node:tls";
import { IstioCertificateService } from "@heddle/xds/api/istio-ca";
import { CertificateAuthority } from "../authority/certificate-authority.ts";
import { RecordingLogger } from "../testing/recording-logger.ts";
import { ShiftedClock } from "../testing/shifted-clock.ts";
import type { SecureServer, SecureServerOptions } from "./secure-server.ts";
import { startSecureServer } from "./secure-server.ts";

const identity = "spiffe://cluster.local/ns/istio-system/sa/heddle-control-plane";
const path = `/${IstioCertificateService.typeName}/CreateCertificate`;

interface Door {
  readonly server: SecureServer;
  readonly authority: CertificateAuthority;
  readonly logger: RecordingLogger;
  readonly port: number;
}

async function open(t: TestContext, options: Partial<SecureServerOptions> = {}): Promise<Door> {
  const folder = await mkdtemp(join(tmpdir(), "heddle-door-"));
  t.after(() => rm(folder, { recursive: true }));
  const authority = await CertificateAuthority.open(folder, "cluster.local", new ShiftedClock());
  const logger = new RecordingLogger();
  const server = await startSecureServer({
    host: "127.0.0.1",
    port: 0,
    credentials: await authority.issueServer(identity, ["localhost"], ["127.0.0.1"]),
    rootPem: authority.rootPem,
    routes: (router) => {
      router.service(IstioCertificateService, { createCertificate: () => ({ certChain: ["served"] }) });
    },
    interceptors: [],
    identify: () => {},
    logger,
    ...options,
  });
  t.after(() => server.close());
  return { server, authority, logger, port: server.port };
}

async function handshake(t: TestContext, door: Door, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const { port, authority } = door;
  const socket = connectTls({ port, host: "127.0.0.1", ca: authority.rootPem, ALPNProtocols: ["h2"], ...options });
  t.after(() => socket.destroy());
  await once(socket, "secureConnect");
  return socket;
}

async function dial(t: TestContext, { port, authority }: Door): Promise<ClientHttp2Session> {
  const session = connectHttp2(`https://127.0.0.1:${port}`, { ca: authority.rootPem });
  t.after(() => session.destroy());
  await once(session, "connect");
  return session;
}

/** An empty gRPC message, sent with these headers; gives status and body. */
async function call(
  session: ClientHttp2Session,
  headers: OutgoingHttpHeaders = {},
): Promise<{ status: number; body: string }> {
  const stream: ClientHttp2Stream = session.request({
    ":method": "POST",
    ":path": path,
    "content-type": "application/grpc",
    te: "trailers",
    ...headers,
  });
  stream.end(Buffer.alloc(5));
  const [answer] = (await once(stream, "response")) as [Record<string, unknown>];
  const chunks: Buffer[] = [];
  for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk);
  return { status: Number(answer[":status"]), body: Buffer.concat(chunks).toString("latin1") };
}

test("it speaks TLS 1.3 alone, also after its certificate was renewed", async (t) => {
  const door = await open(t);
  const first = await handshake(t, door);
  assert.equal(first.getProtocol(), "TLSv1.3");
  const renewed = await door.authority.issueServer(identity, ["localhost"], ["127.0.0.1"]);
  door.server.renew(renewed);
  const second = await handshake(t, door);
  assert.equal(second.getProtocol(), "TLSv1.3");
  const serial = new X509Certificate(renewed.certificate.chainPem[0] ?? "").serialNumber;
  assert.equal(second.getPeerX509Certificate()?.serialNumber, serial);
  await assert.rejects(handshake(t, door, { minVersion: "TLSv1.2", maxVersion: "TLSv1.2" }), /alert protocol version/);
});

test("no session is resumed, so that every connection shows its certificate", async (t) => {
  const door = await open(t);
  for (const isRenewed of [false, true]) {
    if (isRenewed) door.server.renew(await door.authority.issueServer(identity, [], ["127.0.0.1"]));
    const first = await handshake(t, door);
    const tickets: Buffer[] = [];
    first.on("session", (ticket: Buffer) => tickets.push(ticket));
    // A server's tickets come before its first data, the SETTINGS of HTTP/2.
    await once(first, "data");
    const session = tickets.at(-1) ?? first.getSession();
    const second = await handshake(t, door, session === undefined ? {} : { session });
    assert.equal(second.isSessionReused(), false);
  }
});

test("the control plane's certificate names it by SPIFFE id, name and address", async (t) => {
  const socket = await handshake(t, await open(t));
  assert.equal(socket.getPeerX509Certificate()?.subjectAltName, `URI:${identity}, DNS:localhost, IP Address:127.0.0.1`);
});

test("a client that speaks no HTTP/2 gets no answer that could be taken for one", async (t) => {
  const socket = await handshake(t, await open(t), { ALPNProtocols: ["http/1.1"] }).catch((error: Error) => error);
  assert.ok(socket instanceof Error);
  assert.match(socket.message, /no application protocol/);
});

test("an :authority that is no URL is answered 400, and the next request is served", async (t) => {
  const session = await dial(t, await open(t));
  assert.equal((await call(session, { ":authority": "[" })).status, 400);
  assert.equal((await call(session, { ":authority": "localhost:99999" })).status, 400);
  assert.match((await call(session)).body, /served/);
});

test("an unknown path is 404, and other protocols than gRPC are refused", async (t) => {
  const session = await dial(t, await open(t));
  assert.equal((await call(session, { ":path": "/nothing" })).status, 404);
  assert.equal((await call(session, { "content-type": "application/json" })).status, 415);
  assert.equal((await call(session, { "content-type": "application/grpc-web" })).status, 415);
});

test("a check of the caller that fails is one failed call", async (t) => {
  let isBroken = true;
  const door = await open(t, {
    identify: () => {
      if (isBroken) throw new Error("the certificate is odd");
    },
  });
  const session = await dial(t, door);
  assert.equal((await call(session)).status, 500);
  await door.logger.until(/the certificate is odd/);
  isBroken = false;
  assert.match((await call(session)).body, /served/);
});

test("a client that goes away in the middle of a call leaves no trace but a line for debugging", async (t) => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const door = await open(t, {
    routes: (router) => {
      router.service(IstioCertificateService, {
        createCertificate: async () => {
          await promise;
          return { certChain: ["late"] };
        },
      });
    },
  });
  const session = await dial(t, door);
  const stream = session.request({
    ":method": "POST",
    ":path": path,
    "content-type": "application/grpc",
    te: "trailers",
  });
  stream.on("error", () => {
    // The reset is what the test is about.
  });
  stream.end(Buffer.alloc(5));
  session.destroy();
  resolve();
  assert.match((await call(await dial(t, door))).body, /late/);
  assert.deepEqual(
    door.logger.lines.filter(({ level }) => level !== "debug"),
    [],
  );
});

test("bytes that are no TLS end their connection alone", async (t) => {
  const door = await open(t);
  const socket = connectTcp(door.port, "127.0.0.1");
  socket.on("error", () => {
    // A reset is as good an end.
  });
  socket.end("GET / HTTP/1.1\r\n\r\n");
  socket.resume();
  await once(socket, "close");
  await door.logger.until(/a TLS handshake failed/);
  assert.match((await call(await dial(t, door))).body, /served/);
});
