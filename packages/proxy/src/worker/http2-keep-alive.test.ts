import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectHttp2, createServer, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { connectRaw, type RawServer, startRawServer } from "@heddle/testkit";
import { bootstrap, cluster, httpListener, protocolOptions, route } from "../testing/bootstrap-json.ts";
import { TestProxy } from "../testing/test-proxy.ts";

// A peer that vanished without a word is found by the PING that it does not answer; one that answers is left alone.

const keepAlive = { connection_keepalive: { interval: "0.05s", timeout: "0.2s", interval_jitter: { value: 10 } } };
const http2 = protocolOptions({ explicit_http_config: { http2_protocol_options: keepAlive } });
/** An empty SETTINGS frame. */
const settings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);

/** Answers a request when it has been asked three times whether it is there. */
const app = createServer();
let silent: RawServer;
let proxy: TestProxy;

before(async () => {
  app.on("stream", (accepted) => {
    const stream = accepted as ServerHttp2Stream;
    let pings = 0;
    (stream.session as ServerHttp2Session).on("ping", () => {
      pings += 1;
      if (pings === 3) stream.respond({ ":status": 200 }, { endStream: true });
    });
  });
  app.listen(0, "127.0.0.1");
  await once(app, "listening");
  silent = await startRawServer();
  const routes = [route("/silent", "silent"), route("/", "app")];
  proxy = await TestProxy.start(
    bootstrap(
      [
        httpListener({ name: "web", routes }),
        httpListener({ name: "asking", routes, manager: { codec_type: "HTTP2", http2_protocol_options: keepAlive } }),
      ],
      [cluster("app", [(app.address() as AddressInfo).port], http2), cluster("silent", [silent.port], http2)],
    ),
  );
});

after(async () => {
  await proxy?.[Symbol.asyncDispose]();
  await silent?.[Symbol.asyncDispose]();
  app.close();
});

test("an upstream that answers PINGs keeps its connection and its requests", { timeout: 20_000 }, async () => {
  assert.equal((await fetch(`http://127.0.0.1:${proxy.port("web")}/x`)).status, 200);
});

test("the requests of an upstream that does not answer a PING fail", { timeout: 20_000 }, async () => {
  const asked = fetch(`http://127.0.0.1:${proxy.port("web")}/silent`);
  const peer = await silent.next();
  await peer.send(settings);
  const response = await asked;
  assert.equal(response.status, 503);
  assert.match(await response.text(), /no answer to a PING within 200 ms/);
  await peer.untilEnd();
  await proxy.whenBalanced();
});

test("a client that answers PINGs is left alone; one that does not is cut off", { timeout: 20_000 }, async () => {
  const session = connectHttp2(`http://127.0.0.1:${proxy.port("asking")}`);
  for (let pings = 0; pings < 3; pings += 1) await once(session, "ping");
  const stream = session.request({ ":path": "/x" });
  const [headers] = (await once(stream, "response")) as [Record<string, unknown>];
  assert.equal(headers[":status"], 200);
  session.destroy();

  const client = await connectRaw(proxy.port("asking"));
  await client.send(Buffer.concat([Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), settings]));
  await client.untilEnd();
  client.socket.destroy();
});
