import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { createServer, type Server } from "node:tls";
import { once } from "node:events";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { connectRaw, type RawServer, startRawServer, ThrowawayCa } from "@heddle/testkit";
import {
  bootstrap,
  clientTls,
  cluster,
  httpListener,
  listenerFilter,
  proxyProtocol,
  route,
  tcpListener,
} from "../testing/bootstrap-json.ts";
import { TestProxy } from "../testing/test-proxy.ts";

type Json = Record<string, unknown>;

const identity = "spiffe://cluster.local/ns/default/sa/up";
const rawBuffer = {
  name: "raw",
  typed_config: { "@type": "type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer" },
};

/** Fields of a cluster whose endpoints are told who connects. */
function telling(config: Json, below: Json = rawBuffer): Json {
  const type =
    "type.googleapis.com/envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport";
  return {
    transport_socket: { name: "proxy", typed_config: { "@type": type, config, transport_socket: below } },
  };
}

let proxy: TestProxy;
let upstream: RawServer;
let folder: AsyncDisposableStack;

before(async () => {
  folder = new AsyncDisposableStack();
  upstream = folder.use(await startRawServer());
  const include = (...types: number[]): Json => ({ match_type: "INCLUDE", tlv_type: types });
  const taking = (listener: Json, tlvs: Json): Json => ({
    ...listener,
    listener_filters: [listenerFilter(proxyProtocol, { pass_through_tlvs: tlvs })],
  });
  proxy = folder.use(
    await TestProxy.start(
      bootstrap(
        [
          tcpListener("v1", "v1"),
          tcpListener("v2", "v2"),
          httpListener({ name: "web", routes: [route("/", "v1")] }),
          taking(tcpListener("all", "all"), { match_type: "INCLUDE_ALL" }),
          taking(tcpListener("some", "all"), include(1, 2)),
          taking(tcpListener("fewer", "fewer"), include(1, 2)),
          taking(tcpListener("none", "v2"), { match_type: "INCLUDE_ALL" }),
        ],
        [
          cluster("v1", [upstream.port], telling({ version: "V1" })),
          cluster("v2", [upstream.port], telling({ version: "V2" })),
          cluster("all", [upstream.port], telling({ version: "V2", pass_through_tlvs: {} })),
          cluster("fewer", [upstream.port], telling({ version: "V2", pass_through_tlvs: include(2, 3) })),
        ],
      ),
    ),
  );
});

after(() => folder.disposeAsync());

test("version 1 tells the endpoint whose connection is relayed", async () => {
  const client = await connectRaw(proxy.port("v1"));
  await client.send("hello");
  const peer = await upstream.next();
  const { localPort } = client.socket;
  const header = `PROXY TCP4 127.0.0.1 127.0.0.1 ${localPort} ${proxy.port("v1")}\r\n`;
  assert.equal(await peer.until("hello"), `${header}hello`);
  client.socket.destroy();
  await peer.untilEnd();
});

test("version 2 goes out before the client has said anything", async () => {
  const client = await connectRaw(proxy.port("v2"));
  const peer = await upstream.next();
  const bytes = Buffer.from(await peer.bytes(28), "latin1");
  assert.equal(bytes.toString("latin1", 0, 12), "\r\n\r\n\0\r\nQUIT\n");
  assert.equal(bytes.toString("hex", 12, 24), "2111000c7f0000017f000001");
  assert.deepEqual([bytes.readUInt16BE(24), bytes.readUInt16BE(26)], [client.socket.localPort, proxy.port("v2")]);
  client.socket.destroy();
  await peer.untilEnd();
});

test("requests of two clients never share a connection whose header names one of them", async () => {
  const request = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
  const answer = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
  const first = await connectRaw(proxy.port("web"));
  await first.send(request);
  const one = await upstream.next();
  assert.match(
    await one.until("\r\n\r\n"),
    new RegExp(`^PROXY TCP4 127\\.0\\.0\\.1 127\\.0\\.0\\.1 ${first.socket.localPort} `),
  );
  await one.send(answer);
  await first.response();
  const second = await connectRaw(proxy.port("web"));
  await second.send(request);
  const other = await upstream.next();
  assert.match(
    await other.until("\r\n\r\n"),
    new RegExp(`^PROXY TCP4 127\\.0\\.0\\.1 127\\.0\\.0\\.1 ${second.socket.localPort} `),
  );
  await other.send(answer);
  await second.response();
  // The first client's next request has its own connection again, without another header.
  await first.send(request);
  assert.match(await one.until("\r\n\r\n"), /^GET \//);
  await one.send(answer);
  await first.response();
  first.socket.destroy();
  second.socket.destroy();
});

test("TLVs are passed on as far as both sides allow", async () => {
  const tlvs = ["01000161", "02000162", "03000163"];
  const header = Buffer.from(`0d0a0d0a000d0a515549540a21110018c0000207c000020804d20050${tlvs.join("")}`, "hex");
  for (const [listener, expected] of [
    ["all", tlvs],
    ["some", tlvs.slice(0, 2)],
    ["fewer", tlvs.slice(1, 2)],
    ["none", []],
  ] as const) {
    const client = await connectRaw(proxy.port(listener));
    await client.send(Buffer.concat([header, Buffer.from("done")]));
    const peer = await upstream.next();
    const got = Buffer.from(await peer.until("done"), "latin1").toString("hex");
    assert.equal(got.slice(32), `c0000207c000020804d20050${expected.join("")}646f6e65`, listener);
    client.socket.destroy();
    await peer.untilEnd();
  }
});

test("TLS to the endpoint begins behind the header", async (context) => {
  const ca = await ThrowawayCa.create();
  const own = await ca.issue(identity);
  const material = { ...own, anchorsPem: ca.certificatePem };
  const tls = await serveBehindHeader(own);
  context.after(() => tls.server.close());
  const other = await TestProxy.start(
    bootstrap(
      [tcpListener("secure", "secure")],
      [cluster("secure", [tls.port], telling({ version: "V1" }, clientTls(material, identity)))],
    ),
  );
  context.after(() => other[Symbol.asyncDispose]());
  const client = await connectRaw(other.port("secure"));
  await client.send("through TLS");
  assert.equal(await client.until("through TLS"), "through TLS");
  assert.match(tls.header(), /^PROXY TCP4 127\.0\.0\.1 /);
  client.socket.destroy();
});

/** A TLS server that echoes, behind a header that ends with its first line. */
async function serveBehindHeader(own: { chainPem: string; privateKeyPem: string }) {
  let header = "";
  const secure: Server = createServer({ cert: own.chainPem, key: own.privateKeyPem }, (socket) => {
    socket.on("error", () => socket.destroy());
    socket.pipe(socket);
  });
  const server = createTcpServer((socket) => {
    socket.on("error", () => socket.destroy());
    const onReadable = (): void => {
      for (let byte = socket.read(1) as Buffer | null; byte !== null; byte = socket.read(1) as Buffer | null) {
        header += byte.toString("latin1");
        if (!header.endsWith("\n")) continue;
        socket.off("readable", onReadable);
        secure.emit("connection", socket);
        return;
      }
    };
    socket.on("readable", onReadable);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { server, port: (server.address() as AddressInfo).port, header: () => header };
}
