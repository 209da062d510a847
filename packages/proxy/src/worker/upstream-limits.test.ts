import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { defaultHttp1Limits } from "@heddle/http";
import { connectRaw, type RawServer, startRawServer } from "@heddle/testkit";
import { bootstrap, cluster, httpListener, route, tcpListener } from "../testing/bootstrap-json.ts";
import { TestProxy } from "../testing/test-proxy.ts";

let proxy: TestProxy;
let upstream: RawServer;

const originatesTls = {
  transport_socket: {
    name: "envoy.transport_sockets.tls",
    typed_config: { "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext" },
  },
};

before(async () => {
  upstream = await startRawServer();
  proxy = await TestProxy.start(
    bootstrap(
      [
        httpListener({ name: "web", routes: [route("/chunked", "chunked"), route("/mute", "mute"), route("/", "up")] }),
        tcpListener("relay", "mute"),
      ],
      [
        cluster("up", [upstream.port]),
        cluster("chunked", [upstream.port]),
        cluster("mute", [upstream.port], { ...originatesTls, connect_timeout: "0.05s" }),
      ],
    ),
  );
});

after(async () => {
  await proxy?.[Symbol.asyncDispose]();
  await upstream?.[Symbol.asyncDispose]();
});

test("a response head above the limit is answered with 502, and counted", async () => {
  const client = await connectRaw(proxy.port("web"));
  await client.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
  const peer = await upstream.next();
  await peer.until("\r\n\r\n");
  await peer.send(`HTTP/1.1 200 OK\r\nx-long: ${"x".repeat(defaultHttp1Limits.maxHeadBytes)}\r\n\r\n`);
  assert.match((await client.response()).head, /^HTTP\/1\.1 502 /);
  await peer.untilEnd();
  await proxy.untilStat("cluster.up.upstream_cx_protocol_error", 1);
  client.socket.destroy();
});

test("a response that becomes invalid in its body is broken off, and counted", async () => {
  const client = await connectRaw(proxy.port("web"));
  await client.send("GET /chunked HTTP/1.1\r\nhost: x\r\n\r\n");
  const peer = await upstream.next();
  await peer.until("\r\n\r\n");
  await peer.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nno size\r\n");
  await client.untilEnd();
  await proxy.untilStat("cluster.chunked.upstream_cx_protocol_error", 1);
  client.socket.destroy();
});

test("connections that are not made in time are counted, those of requests and those of relays", async () => {
  const client = await connectRaw(proxy.port("web"));
  await client.send("GET /mute HTTP/1.1\r\nhost: x\r\n\r\n");
  assert.match((await client.response()).head, /^HTTP\/1\.1 503 /);
  await proxy.untilStat("cluster.mute.upstream_cx_connect_timeout", 1);
  const relayed = await connectRaw(proxy.port("relay"));
  await relayed.untilEnd();
  await proxy.untilStat("cluster.mute.upstream_cx_connect_timeout", 2);
  client.socket.destroy();
  relayed.socket.destroy();
});
