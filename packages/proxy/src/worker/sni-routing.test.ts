// TLS that the proxy does not end: chosen by its server name, relayed as it is.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { mkdtemp, rm } from "node:fs/promises";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { once } from "node:events";
import { Duplex } from "node:stream";
import { createServer, connect as connectTls, type Server } from "node:tls";
import { connectRaw, RawPeer, type RawServer, startRawServer, ThrowawayCa } from "@heddle/testkit";
import {
  bootstrap,
  chainOf,
  cluster,
  fileLog,
  listenerFilter,
  tcpListener,
  tlsInspector,
} from "../testing/bootstrap-json.ts";
import { untilLogged } from "../testing/log-file.ts";
import { TestProxy } from "../testing/test-proxy.ts";

const names = ["exact", "wildcard", "deep", "tls", "plain"] as const;

let proxy: TestProxy;
let ca: ThrowawayCa;
let raw: RawServer;
let folder: string;
const servers: Server[] = [];

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "heddle-sni-"));
  ca = await ThrowawayCa.create();
  const own = await ca.issue("spiffe://cluster.local/ns/default/sa/up");
  raw = await startRawServer();
  const ports = new Map<string, number>([["plain", raw.port]]);
  for (const name of names.slice(0, 4)) {
    const server = createServer(
      { cert: own.chainPem, key: own.privateKeyPem, ALPNProtocols: ["h2", "x"] },
      (socket) => {
        socket.on("error", () => socket.destroy());
        socket.end(`${name} ${String(socket.servername)} ${String(socket.alpnProtocol)}`);
      },
    );
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    servers.push(server);
    ports.set(name, (server.address() as AddressInfo).port);
  }
  const chain = (name: string, match: Record<string, unknown>) => {
    const log = fileLog(join(folder, `${name}.log`), "%REQUESTED_SERVER_NAME% %UPSTREAM_CLUSTER%");
    return chainOf(tcpListener("sni", name, [], log), name, match);
  };
  proxy = await TestProxy.start(
    bootstrap(
      [
        {
          ...tcpListener("sni", "tls"),
          listener_filters: [listenerFilter(tlsInspector)],
          filter_chains: [
            chain("exact", { server_names: ["a.example.com"] }),
            chain("wildcard", { server_names: ["*.example.com"] }),
            chain("deep", { server_names: ["*.b.example.com"] }),
            chain("tls", { transport_protocol: "tls" }),
          ],
          default_filter_chain: chain("plain", {}),
        },
      ],
      [...ports].map(([name, port]) => cluster(name, [port])),
    ),
  );
});

after(async () => {
  await proxy?.[Symbol.asyncDispose]();
  for (const server of servers) server.close();
  await raw?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

async function ask(servername: string | undefined, ALPNProtocols?: string[]): Promise<string> {
  const socket = connectTls({
    host: "127.0.0.1",
    port: proxy.port("sni"),
    ca: ca.certificatePem,
    checkServerIdentity: () => undefined,
    ...(servername === undefined ? {} : { servername }),
    ...(ALPNProtocols === undefined ? {} : { ALPNProtocols }),
  });
  return new RawPeer(socket).untilEnd();
}

for (const [servername, expected] of [
  ["a.example.com", "exact"],
  ["A.Example.COM", "exact"],
  ["x.example.com", "wildcard"],
  ["x.y.example.com", "wildcard"],
  ["x.b.example.com", "deep"],
  ["b.example.com", "wildcard"],
  ["example.com", "tls"],
  ["other.example", "tls"],
] as const) {
  test(`TLS for ${servername} goes to ${expected}, end to end`, async () => {
    assert.equal(await ask(servername, ["x"]), `${expected} ${servername} x`);
  });
}

test("TLS without a server name takes the chain for TLS", async () => {
  assert.equal(await ask(undefined), "tls false false");
});

test("the log has the server name", async () => {
  await ask("x.example.com");
  await untilLogged(join(folder, "wildcard.log"), "x.example.com wildcard\n");
  await untilLogged(join(folder, "tls.log"), "- tls\n");
});

test("a ClientHello may come byte by byte", async () => {
  const socket = connect(proxy.port("sni"), "127.0.0.1");
  socket.setNoDelay(true);
  await once(socket, "connect");
  const dribble = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      // One segment a byte, as far as the kernel allows: each is written by itself.
      const next = (index: number): void => {
        if (index === chunk.length) done();
        else socket.write(chunk.subarray(index, index + 1), () => next(index + 1));
      };
      next(0);
    },
    final(done) {
      socket.end(done);
    },
  });
  socket.on("data", (chunk: Buffer) => dribble.push(chunk));
  socket.on("end", () => dribble.push(null));
  socket.on("error", (error) => dribble.destroy(error));
  const secure = connectTls({
    socket: dribble,
    ca: ca.certificatePem,
    servername: "a.example.com",
    checkServerIdentity: () => undefined,
  });
  const text = await new Promise<string>((resolve, reject) => {
    secure.once("data", (chunk: Buffer) => resolve(chunk.toString()));
    secure.once("error", reject);
  });
  assert.equal(text, "exact a.example.com false");
  secure.destroy();
  socket.destroy();
});

test("what is not TLS takes the chain for the rest", async () => {
  const client = await connectRaw(proxy.port("sni"));
  await client.send("plain words");
  const peer = await raw.next();
  assert.equal(await peer.until("words"), "plain words");
  client.socket.destroy();
  await peer.untilEnd();
});

test("a ClientHello of 64 KiB is refused", async () => {
  const accepted = raw.connectionsAccepted;
  const record = Buffer.concat([Buffer.from([22, 3, 1, 0x40, 0]), Buffer.alloc(16_384, 1)]);
  // The message says that it is 65,535 bytes long.
  record.set([1, 0, 0xff, 0xff], 5);
  const client = await connectRaw(proxy.port("sni"));
  client.socket.write(Buffer.concat([record, record, record, record]));
  assert.equal(await client.untilEnd(), "");
  client.socket.destroy();
  await proxy.untilStat("tls_inspector.client_hello_too_large", 1);
  assert.equal(raw.connectionsAccepted, accepted);
});

test("what was found in the first bytes is counted", async () => {
  const before = proxy.generation.metrics.total("envoy_tls_inspector_sni_not_found");
  await ask(undefined);
  await proxy.untilStat("tls_inspector.sni_not_found", before + 1);
});
