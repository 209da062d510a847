import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { Fixture, makeCluster } from "./testing/fixture.ts";
import { onEachHead, ScriptedUpstream } from "./testing/scripted-upstream.ts";

const ok = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";

test("with a preconnect ratio connections are made ahead of requests, and kept idle for them", async (t) => {
  const upstream = await ScriptedUpstream.start(t, () => {});
  const fixture = new Fixture(t);
  const cluster = makeCluster([upstream.port], { preconnectRatio: 1.5 });
  const first = fixture.request(cluster);
  // One request has half a place more, which is one: two connections.
  await upstream.until((u) => u.connections === 2);
  await first.sink.saw("connected");
  while (fixture.live.cluster(cluster).connections < 2) await new Promise((resolve) => setImmediate(resolve));
  const second = fixture.request(cluster);
  // The idle one takes it, and the third is made ahead of the next.
  await upstream.until((u) => u.connections === 3 && u.received(1) + u.received(0) !== "");
  await second.sink.saw("connected");
  assert.equal(fixture.live.cluster(cluster).connections, 3);
});

test("without a ratio, and beyond the limit of connections, none is made ahead", async (t) => {
  for (const changes of [{}, { preconnectRatio: 3, limits: { maxConnections: 1 } }]) {
    const upstream = await ScriptedUpstream.start(t, (socket) => onEachHead(socket, () => socket.write(ok)));
    const fixture = new Fixture(t);
    const cluster = makeCluster([upstream.port], changes);
    await fixture.request(cluster).sink.ended;
    assert.equal(upstream.connections, 1);
    assert.equal(fixture.live.cluster(cluster).connections, 1);
  }
});

test("a connection that is old enough closes when it is idle, and after its response when it is not", async (t) => {
  const upstream = await ScriptedUpstream.start(t, () => {});
  const fixture = new Fixture(t);
  const cluster = makeCluster([upstream.port], { maxConnectionDurationMs: 60_000 });
  const [idle, busy] = [fixture.request(cluster), fixture.request(cluster)];
  await upstream.until((u) => u.received(0) !== "" && u.received(1) !== "");
  const indexOfIdle = 0;
  upstream.socket(indexOfIdle).write(ok);
  await Promise.race([idle.sink.ended, busy.sink.ended]);
  const closed = once(upstream.socket(indexOfIdle), "close");
  fixture.timers.advance(59_000);
  assert.equal(fixture.live.cluster(cluster).connections, 2);
  fixture.timers.advance(2000);
  await closed;
  const closedToo = once(upstream.socket(1), "close");
  upstream.socket(1).write(ok);
  await Promise.all([idle.sink.ended, busy.sink.ended, closedToo]);
  assert.deepEqual([idle.sink.body, busy.sink.body], ["hi", "hi"]);
});

test("while load is shed no connection is made: a request gets one that is idle, or fails like one above a limit", async (t) => {
  const upstream = await ScriptedUpstream.start(t, () => {});
  const fixture = new Fixture(t);
  const cluster = makeCluster([upstream.port]);
  const first = fixture.request(cluster);
  await upstream.until((u) => u.received(0) !== "");
  fixture.isShedding = true;
  const refused = fixture.request(cluster);
  await refused.sink.ended;
  assert.equal(refused.sink.failure?.code, "overflow");
  assert.equal(fixture.live.cluster(cluster).pendingRequests, 0);
  upstream.socket(0).write(ok);
  await first.sink.ended;
  const second = fixture.request(cluster);
  await second.sink.saw("connected");
  upstream.socket(0).write(ok);
  await second.sink.ended;
  assert.equal(upstream.connections, 1);
});

test("who only waits at the limit of connections is not asked whether load is shed", async (t) => {
  const upstream = await ScriptedUpstream.start(t, () => {});
  const fixture = new Fixture(t);
  const cluster = makeCluster([upstream.port], { limits: { maxConnections: 1 } });
  const first = fixture.request(cluster);
  await upstream.until((u) => u.received(0) !== "");
  fixture.isShedding = true;
  const second = fixture.request(cluster);
  upstream.socket(0).write(ok);
  await first.sink.ended;
  await Promise.race([second.sink.saw("connected"), second.sink.ended]);
  assert.equal(second.sink.failure, undefined);
  upstream.socket(0).write(ok);
  await second.sink.ended;
  assert.deepEqual([second.sink.status, fixture.shedQuestions], [200, 1]);
});

test("while load is shed none is made ahead of requests, and who waits for one that is lost fails", async (t) => {
  const upstream = await ScriptedUpstream.start(t, () => {});
  const fixture = new Fixture(t);
  const cluster = makeCluster([upstream.port], { preconnectRatio: 3, limits: { maxConnections: 1 } });
  const first = fixture.request(cluster);
  await upstream.until((u) => u.received(0) !== "");
  const waiting = fixture.request(cluster);
  fixture.isShedding = true;
  upstream.socket(0).destroy();
  await Promise.all([first.sink.ended, waiting.sink.ended]);
  assert.deepEqual([first.sink.failure?.code, waiting.sink.failure?.code], ["upstream_reset", "overflow"]);
  assert.equal(upstream.connections, 1);
  fixture.isShedding = false;
  await fixture.request(cluster).sink.saw("connected");
});
