import assert from "node:assert/strict";
import { once } from "node:events";
import { type ClientHttp2Stream, connect as connectHttp2 } from "node:http2";
import { test, type TestContext } from "node:test";
import { connectRaw, type RawServer, startRawServer } from "@heddle/testkit";
import { bootstrap, cluster, httpListener, route } from "../testing/bootstrap-json.ts";
import { crowdedResetting } from "../testing/overload-json.ts";
import { TestProxy } from "../testing/test-proxy.ts";
import { leastResetBytes, resetHeaviest } from "./held-streams.ts";

const KiB = 1024;
const MiB = KiB * KiB;
const enhanceYourCalm = 0xb;
const action = "envoy.overload_actions.reset_high_memory_stream";

// Envoy's manual: 2 to the power of 20, eight classes, one more with each eighth.
const classes: [activity: number, leastBytes: number][] = [
  [0.01, 128 * MiB],
  [0.125, 64 * MiB],
  [0.25, 32 * MiB],
  [0.62, 8 * MiB],
  [0.874, 2 * MiB],
  [0.875, MiB],
  [1, MiB],
];
for (const [activity, leastBytes] of classes) {
  test(`reset_high_memory_stream at ${activity * 100} % ends streams that hold ${leastBytes / MiB} MiB or more`, () => {
    assert.equal(leastResetBytes(activity, 20), leastBytes);
  });
}

test("reset_high_memory_stream ends those first that hold most, and no more than fifty at once", () => {
  const reset: number[] = [];
  const streams = Array.from({ length: 60 }, (_, index) => {
    const heldBytes = (index * 37) % 60;
    return { heldBytes, reset: () => reset.push(heldBytes) };
  });
  assert.equal(resetHeaviest(streams), 50);
  assert.deepEqual(
    reset,
    Array.from({ length: 50 }, (_, index) => 59 - index),
  );
});

async function start(
  t: TestContext,
  overload: Record<string, unknown>,
): Promise<{ proxy: TestProxy; upstream: RawServer }> {
  const upstream = await startRawServer();
  t.after(() => upstream[Symbol.asyncDispose]());
  // What may be sent again is kept until there is an answer.
  const listener = httpListener({ name: "web", routes: [route("/", "up", { retry_policy: { retry_on: "5xx" } })] });
  const proxy = await TestProxy.start(bootstrap([listener], [cluster("up", [upstream.port])], overload));
  t.after(() => proxy[Symbol.asyncDispose]());
  return { proxy, upstream };
}

function untilOver(stream: ClientHttp2Stream): Promise<void> {
  return new Promise((resolve) => {
    stream.once("close", resolve);
  });
}

test("reset_high_memory_stream resets the HTTP/2 stream whose request is held in memory, and not one that holds less", async (t) => {
  const { proxy, upstream } = await start(t, crowdedResetting(10, 10));
  const session = connectHttp2(`http://127.0.0.1:${proxy.port("web")}`);
  t.after(() => session.destroy());
  const post = async (bytes: number): Promise<ClientHttp2Stream> => {
    const stream = session.request({ ":path": "/x", ":method": "POST" });
    stream.on("error", () => {});
    stream.resume().end(Buffer.alloc(bytes, "x"));
    await once(stream, "finish");
    return stream;
  };
  const heavy = await post(40 * KiB);
  const heavyPeer = await upstream.next();
  await heavyPeer.until("0\r\n\r\n");
  const light = await post(20 * KiB);
  const lightPeer = await upstream.next();
  await lightPeer.until("0\r\n\r\n");
  const answer = once(light, "response");
  const over = untilOver(heavy);
  // Two clients of ten: 64 KiB and more. Three of them: 32 KiB and more.
  for (const percent of [20, 30]) {
    assert.equal(heavy.closed, false);
    const client = await connectRaw(proxy.port("web"));
    t.after(() => client.socket.destroy());
    await proxy.untilStat(`overload.${action}.scale_percent`, percent);
  }
  await over;
  assert.equal(heavy.rstCode, enhanceYourCalm);
  await heavyPeer.untilEnd();
  await proxy.untilStat(`${action}.count`, 1);
  await proxy.untilStat("http.web.downstream_rq_rx_reset", 1);
  await lightPeer.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
  const [headers] = (await answer) as [{ ":status"?: number }];
  assert.equal(headers[":status"], 200);
  await proxy.whenBalanced();
});

test("reset_high_memory_stream resets the HTTP/2 stream whose response its client does not take", async (t) => {
  const { proxy, upstream } = await start(t, crowdedResetting(2, 13));
  const session = connectHttp2(`http://127.0.0.1:${proxy.port("web")}`, { settings: { initialWindowSize: 0 } });
  t.after(() => session.destroy());
  const stream = session.request({ ":path": "/x" });
  stream.on("error", () => {});
  const peer = await upstream.next();
  await peer.until("\r\n\r\n");
  const answered = once(stream, "response");
  await peer.send(`HTTP/1.1 200 OK\r\ncontent-length: ${12 * KiB}\r\n\r\n${"x".repeat(12 * KiB)}`);
  await answered;
  const over = untilOver(stream);
  await proxy.untilStat(`overload.${action}.scale_percent`, 50);
  assert.equal(stream.closed, false);
  const client = await connectRaw(proxy.port("web"));
  t.after(() => client.socket.destroy());
  await over;
  assert.equal(stream.rstCode, enhanceYourCalm);
  await proxy.untilStat(`${action}.count`, 1);
  await proxy.whenBalanced();
});
