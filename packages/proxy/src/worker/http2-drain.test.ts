import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { test, type TestContext } from "node:test";
import { connectRaw, type EchoServer, type RawPeer, startEchoServer } from "@heddle/testkit";
import { bootstrap, cluster, httpListener, route } from "../testing/bootstrap-json.ts";
import { TestProxy } from "../testing/test-proxy.ts";

interface Setup {
  readonly proxy: TestProxy;
  /** The application holds the answer to each request until this is called. */
  readonly answer: () => void;
  readonly arrived: Promise<void>;
}

async function setUp(t: TestContext, manager: object = {}): Promise<Setup> {
  let answer: () => void = () => {};
  let arrive: () => void = () => {};
  const arrived = new Promise<void>((resolve) => (arrive = resolve));
  const app: EchoServer = await startEchoServer({
    respond: (_request, response) => {
      answer = () => response.end("late");
      arrive();
    },
  });
  const routes = [
    { match: { path: "/direct" }, direct_response: { status: 200, body: { inline_string: "direct" } } },
    route("/", "app"),
  ];
  const proxy = await TestProxy.start(
    bootstrap([httpListener({ name: "web", routes, manager: { ...manager } })], [cluster("app", [app.port])]),
  );
  t.after(async () => {
    await proxy[Symbol.asyncDispose]();
    await app.close();
  });
  return { proxy, answer: () => answer(), arrived };
}

const emptySettings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);

/** A client that speaks frames by hand: nothing answers a PING for it. */
async function connectMute(port: number): Promise<RawPeer> {
  const client = await connectRaw(port);
  await client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  await client.send(emptySettings);
  return client;
}

/** Reads frames until one of this type; @returns its payload as latin1 */
async function frame(client: RawPeer, type: number): Promise<string> {
  for (;;) {
    const head = Buffer.from(await client.bytes(9), "latin1");
    const payload = head.readUIntBE(0, 3) === 0 ? "" : await client.bytes(head.readUIntBE(0, 3));
    if (head[3] === type) return payload;
  }
}
const goAway = 7;

test("draining says GOAWAY, answers what is in progress, and closes then", async (t) => {
  const { proxy, answer, arrived } = await setUp(t);
  const session = connectHttp2(`http://127.0.0.1:${proxy.port("web")}`);
  const stream = session.request({ ":path": "/slow" });
  let body = "";
  stream.on("data", (chunk: Buffer) => (body += chunk.toString()));
  await arrived;
  const goAways: number[] = [];
  session.on("goaway", (_code: number, lastStreamId: number) => goAways.push(lastStreamId));
  const drained = proxy.generation.drain(10_000);
  while (goAways.length < 2) await once(session, "goaway");
  answer();
  await once(stream, "end");
  await drained;
  assert.equal(body, "late");
  // First everything is still taken, then nothing above what was seen (RFC 9113 §6.8).
  assert.deepEqual(goAways, [0x7fffffff, 1]);
  session.destroy();
});

test("a client that does not answer the PING gets the last GOAWAY after the drain timeout", async (t) => {
  const { proxy } = await setUp(t, {
    drain_timeout: "0.05s",
    common_http_protocol_options: { max_connection_duration: "0.05s" },
  });
  const client = await connectMute(proxy.port("web"));
  assert.equal(Buffer.from(await frame(client, goAway), "latin1").readUInt32BE(0), 0x7fffffff);
  assert.equal(Buffer.from(await frame(client, goAway), "latin1").readUInt32BE(0), 0);
  await client.untilEnd();
  await proxy.untilStat("http.web.downstream_cx_max_duration_reached", 1);
});

test("a connection without requests ends after its idle timeout, in order", async (t) => {
  const { proxy } = await setUp(t, {
    drain_timeout: "0.05s",
    common_http_protocol_options: { idle_timeout: "0.05s" },
  });
  const session = connectHttp2(`http://127.0.0.1:${proxy.port("web")}`);
  const stream = session.request({ ":path": "/direct" });
  stream.resume();
  const [code] = (await once(session, "goaway")) as [number];
  assert.equal(code, 0);
  await once(session, "close");
  await proxy.untilStat("http.web.downstream_cx_idle_timeout", 1);
});

test("the last request that a connection may carry is answered, and the connection ends", async (t) => {
  const { proxy } = await setUp(t, { common_http_protocol_options: { max_requests_per_connection: 2 } });
  const session = connectHttp2(`http://127.0.0.1:${proxy.port("web")}`);
  for (let i = 0; i < 2; i += 1) {
    const stream = session.request({ ":path": "/direct" });
    stream.resume();
    const [headers] = (await once(stream, "response")) as [{ ":status"?: number }];
    assert.equal(headers[":status"], 200);
  }
  await once(session, "close");
  await proxy.untilStat("http.web.downstream_cx_max_requests_reached", 1);
  await proxy.whenBalanced();
});

test("a head that never ends is cut off in its time", async (t) => {
  const { proxy } = await setUp(t, { request_headers_timeout: "0.05s" });
  const client = await connectMute(proxy.port("web"));
  // HEADERS without END_HEADERS, and no CONTINUATION.
  await client.send(Buffer.from([0, 0, 1, 1, 1, 0, 0, 0, 1, 0x82]));
  const payload = Buffer.from(await frame(client, goAway), "latin1");
  assert.equal(payload.readUInt32BE(4), 11, "ENHANCE_YOUR_CALM");
  await client.untilEnd();
});

test("a preface that never comes is not waited for", async (t) => {
  const { proxy } = await setUp(t, { request_headers_timeout: "0.05s", codec_type: "HTTP2" });
  const client = await connectRaw(proxy.port("web"));
  await frame(client, goAway);
  await client.untilEnd();
});
