import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { test } from "node:test";
import { applyDelta, emptySnapshot } from "@heddle/engine";
import { HeaderList } from "@heddle/http";
import { Fixture, makeCluster, sendHead } from "./testing/fixture.ts";
import { RecordingSink } from "./testing/recording-sink.ts";
import { onEachHead, ScriptedUpstream } from "./testing/scripted-upstream.ts";

const ok = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";
const answerAll = (text: string) => (socket: Socket) => onEachHead(socket, () => socket.write(text));

test("a connection is used again when its response has ended", async (t) => {
  const upstream = await ScriptedUpstream.start(t, answerAll(ok));
  const fixture = new Fixture(t);
  const cluster = makeCluster([upstream.port]);
  const first = fixture.request(cluster);
  await first.sink.ended;
  const second = fixture.request(cluster);
  await second.sink.ended;
  assert.equal(upstream.connections, 1);
  assert.deepEqual([first.exchange.isReusedConnection, second.exchange.isReusedConnection], [false, true]);
  assert.deepEqual([second.sink.status, second.sink.body], [200, "hi"]);
  assert.equal(fixture.live.cluster(cluster).connections, 1);
  assert.equal(fixture.live.cluster(cluster).pendingRequests, 0);
});

test("a next request may be sent from within the end of the last one", async (t) => {
  const upstream = await ScriptedUpstream.start(t, answerAll(ok));
  const fixture = new Fixture(t);
  const cluster = makeCluster([upstream.port]);
  const second = new RecordingSink();
  const first = new RecordingSink((event) => {
    if (event === "end") fixture.request(cluster, "GET", second);
  });
  fixture.request(cluster, "GET", first);
  await second.ended;
  assert.equal(upstream.connections, 1);
  assert.equal(second.body, "hi");
});

test("the connection that became idle last is used first", async (t) => {
  const upstream = await ScriptedUpstream.start(t, answerAll(ok));
  const fixture = new Fixture(t);
  const cluster = makeCluster([upstream.port]);
  const both = [fixture.request(cluster), fixture.request(cluster)];
  await Promise.all(both.map(({ sink }) => sink.ended));
  const last = both.map(({ sink }) => sink).length;
  assert.equal(last, 2);
  const before = [upstream.received(0), upstream.received(1)];
  for (let count = 0; count < 3; count++) await fixture.request(cluster).sink.ended;
  const grown = [0, 1].filter((index) => upstream.received(index) !== before[index]);
  assert.equal(grown.length, 1);
});

test("at the limit of connections a request waits for the first that is free", async (t) => {
  const upstream = await ScriptedUpstream.start(t, () => {});
  const fixture = new Fixture(t);
  const cluster = makeCluster([upstream.port], { limits: { maxConnections: 1 } });
  const first = fixture.request(cluster);
  await upstream.until((u) => u.received(0).includes("\r\n\r\n"));
  const second = fixture.request(cluster);
  assert.equal(fixture.live.cluster(cluster).pendingRequests, 1);
  upstream.socket(0).write(ok);
  await first.sink.ended;
  await upstream.until((u) => u.received(0).split("GET").length === 3);
  upstream.socket(0).write(ok);
  await second.sink.ended;
  assert.equal(second.sink.body, "hi");
  assert.equal(upstream.connections, 1);
  assert.equal(fixture.live.cluster(cluster).connectionOverflows, 1);
});

test("past the limit of waiting requests one is turned away at once", async (t) => {
  const upstream = await ScriptedUpstream.start(t, () => {});
  const fixture = new Fixture(t);
  const cluster = makeCluster([upstream.port], { limits: { maxConnections: 1, maxPendingRequests: 1 } });
  fixture.request(cluster);
  const refused = fixture.open(cluster);
  assert.equal(refused.sink.failure?.code, "overflow");
  assert.equal(refused.sink.failure?.bytesWritten, 0);
  sendHead(refused.exchange);
  refused.exchange.cancel();
  assert.equal(refused.sink.terminations, 1);
});

test("a refused connection fails the request with nothing written", async (t) => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  const fixture = new Fixture(t);
  const { sink } = fixture.request(makeCluster([port]));
  await sink.ended;
  assert.equal(sink.failure?.code, "upstream_connect_failed");
  assert.equal(sink.failure?.bytesWritten, 0);
  assert.match(sink.failure?.transportFailure ?? "", /connection refused/);
});

test("a connection that is lost before the response is a reset, with the bytes that were written", async (t) => {
  const upstream = await ScriptedUpstream.start(t, (socket) => onEachHead(socket, () => socket.destroy()));
  const fixture = new Fixture(t);
  const { sink } = fixture.request(makeCluster([upstream.port]));
  await sink.ended;
  assert.equal(sink.failure?.code, "upstream_reset");
  assert.equal(sink.failure?.responseStarted, false);
  assert.equal(sink.failure?.reusedConnection, false);
  assert.equal(sink.failure?.bytesWritten, upstream.received(0).length);
});

test("the race of a reused connection that the upstream closes is told as such", async (t) => {
  const upstream = await ScriptedUpstream.start(t, (socket) =>
    onEachHead(socket, (_head, count) => (count === 0 ? socket.write(ok) : socket.destroy())),
  );
  const fixture = new Fixture(t);
  const cluster = makeCluster([upstream.port]);
  await fixture.request(cluster).sink.ended;
  const { sink } = fixture.request(cluster);
  await sink.ended;
  assert.equal(sink.failure?.code, "upstream_reset");
  assert.equal(sink.failure?.reusedConnection, true);
});

test("a response that breaks off in its body is never taken for whole", async (t) => {
  const upstream = await ScriptedUpstream.start(t, (socket) =>
    onEachHead(socket, () => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf")),
  );
  const { sink } = new Fixture(t).request(makeCluster([upstream.port]));
  await sink.ended;
  assert.equal(sink.failure?.code, "upstream_reset_mid_response");
  assert.equal(sink.failure?.responseStarted, true);
  assert.equal(sink.body, "half");
});

test("a body without a length ends with the connection", async (t) => {
  const upstream = await ScriptedUpstream.start(t, (socket) =>
    onEachHead(socket, () => socket.end("HTTP/1.1 200 OK\r\n\r\nall of it")),
  );
  const { sink } = new Fixture(t).request(makeCluster([upstream.port]));
  await sink.ended;
  assert.deepEqual(sink.framing, { kind: "close" });
  assert.deepEqual([sink.failure, sink.body], [undefined, "all of it"]);
});

test("a malformed response is a protocol error", async (t) => {
  const upstream = await ScriptedUpstream.start(
    t,
    answerAll("HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nhi"),
  );
  const { sink } = new Fixture(t).request(makeCluster([upstream.port]));
  await sink.ended;
  assert.equal(sink.failure?.code, "upstream_protocol_error");
  assert.match(sink.failure?.transportFailure ?? "", /Content-Length/);
});

test("bytes that nobody asked for close an idle connection and answer nothing", async (t) => {
  const upstream = await ScriptedUpstream.start(t, answerAll(ok));
  const fixture = new Fixture(t);
  const cluster = makeCluster([upstream.port]);
  await fixture.request(cluster).sink.ended;
  const closed = once(upstream.socket(0), "close");
  upstream.socket(0).write("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil");
  await closed;
  const { sink } = fixture.request(cluster);
  await sink.ended;
  assert.equal(sink.body, "hi");
  assert.equal(upstream.connections, 2);
});

test("bytes that come before the request has left do not answer it", async (t) => {
  const asked: Socket[] = [];
  let isHeld = false;
  const upstream = await ScriptedUpstream.start(t, (socket) => {
    socket.setNoDelay(true);
    onEachHead(socket, () => {
      if (isHeld) asked.push(socket);
      else socket.write(ok);
    });
  });
  const fixture = new Fixture(t);
  const cluster = makeCluster([upstream.port]);
  /** Asks again from within the answer, as often as it takes for output to wait for the end of the turn. */
  const ask = async (times: number): Promise<unknown> => {
    let next: Promise<unknown> | undefined;
    const onEvent = (event: string): void => {
      if (event === "end" && times > 1) next = ask(times - 1);
    };
    await fixture.request(cluster, "GET", new RecordingSink(onEvent)).sink.ended;
    return next;
  };
  await Promise.all(Array.from({ length: 8 }, () => ask(100)));

  isHeld = true;
  let second: ReturnType<Fixture["request"]> | undefined;
  const first = new RecordingSink((event) => {
    if (event === "end") second = fixture.request(cluster);
  });
  fixture.request(cluster, "GET", first);
  await upstream.until(() => asked.length === 1);
  // One turn of the loop: the first answer, within which the second request is made, and on its connection what nobody asked for.
  asked[0]?.write("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nhi");
  for (let i = 0; i < upstream.connections; i += 1) {
    if (upstream.socket(i) !== asked[0]) upstream.socket(i).write("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil");
  }
  await first.ended;
  await second?.sink.ended;
  assert.equal(second?.sink.body, "");
  assert.equal(second.sink.failure?.code, "upstream_reset");
  assert.equal(second.exchange.bytesWritten, 0);
});

test("bytes behind a response end the connection and never reach the next request", async (t) => {
  const upstream = await ScriptedUpstream.start(t, (socket) =>
    onEachHead(socket, () => socket.write(`${ok}HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil`)),
  );
  const fixture = new Fixture(t);
  const cluster = makeCluster([upstream.port]);
  await fixture.request(cluster).sink.ended;
  const { sink } = fixture.request(cluster);
  await sink.ended;
  assert.equal(sink.body, "hi");
  assert.equal(upstream.connections, 2);
});

test("the answer to HEAD has a length and no body, and the connection goes on", async (t) => {
  const upstream = await ScriptedUpstream.start(t, (socket) =>
    onEachHead(socket, (head) =>
      socket.write(head.startsWith("HEAD") ? "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n" : ok),
    ),
  );
  const fixture = new Fixture(t);
  const cluster = makeCluster([upstream.port]);
  const head = fixture.request(cluster, "HEAD");
  await head.sink.ended;
  assert.deepEqual(head.sink.framing, { kind: "none" });
  const next = fixture.request(cluster);
  await next.sink.ended;
  assert.equal(next.sink.body, "hi");
  assert.equal(upstream.connections, 1);
});

test("informational responses are reported before the final one", async (t) => {
  const upstream = await ScriptedUpstream.start(t, answerAll(`HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n${ok}`));
  const { sink } = new Fixture(t).request(makeCluster([upstream.port]));
  await sink.ended;
  assert.deepEqual(
    sink.events.filter((event) => event !== "data"),
    ["connected", "informational 103", "head", "end"],
  );
});

test("a response to a request that is still being sent ends the connection", async (t) => {
  const upstream = await ScriptedUpstream.start(t, answerAll("HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n"));
  const fixture = new Fixture(t);
  const cluster = makeCluster([upstream.port]);
  const { sink, exchange } = fixture.open(cluster);
  sendHead(exchange, "POST", { kind: "length", bytes: 1000 });
  await sink.ended;
  assert.equal(sink.status, 413);
  exchange.cancel();
  await fixture.request(cluster).sink.ended;
  assert.equal(upstream.connections, 2);
});

test("a chunked body and its trailers arrive as they were sent", async (t) => {
  const upstream = await ScriptedUpstream.start(t, () => {});
  const { exchange } = new Fixture(t).open(makeCluster([upstream.port]));
  sendHead(exchange, "POST", { kind: "chunked" });
  exchange.sendData(Buffer.from("xhellox"), 1, 6);
  const trailers = new HeaderList();
  trailers.set("x-sum", "5");
  exchange.sendTrailers(trailers);
  exchange.end();
  await upstream.until((u) => u.received(0).endsWith("x-sum: 5\r\n\r\n"));
  assert.match(upstream.received(0), /transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx-sum: 5\r\n\r\n$/);
});

for (const [title, sent] of [
  ["longer", "too long"],
  ["shorter", "no"],
] as const) {
  test(`a body ${title} than its length breaks the request off`, async (t) => {
    const upstream = await ScriptedUpstream.start(t, () => {});
    const { sink, exchange } = new Fixture(t).open(makeCluster([upstream.port]));
    sendHead(exchange, "POST", { kind: "length", bytes: 4 });
    await sink.saw("connected");
    exchange.sendData(Buffer.from(sent), 0, sent.length);
    exchange.end();
    assert.equal(sink.failure?.code, "internal_error");
    await upstream.until((u) => u.connections === 1);
    await once(upstream.socket(0), "close");
  });
}

test("a field that would end its line is not written", async (t) => {
  const upstream = await ScriptedUpstream.start(t, answerAll(ok));
  const fixture = new Fixture(t);
  const cluster = makeCluster([upstream.port]);
  const { sink, exchange } = fixture.open(cluster);
  const headers = new HeaderList();
  headers.append("x-evil", "a\r\nx-injected: b");
  sendHead(exchange, "GET", { kind: "none" }, headers);
  await sink.ended;
  assert.equal(sink.failure?.code, "internal_error");
  assert.equal(sink.failure?.bytesWritten, 0);
  const next = fixture.request(cluster);
  await next.sink.ended;
  assert.ok(![0, 1].some((index) => upstream.received(index).includes("injected")));
});

test("a request that is cancelled while it waits leaves its place in the line", async (t) => {
  const upstream = await ScriptedUpstream.start(t, answerAll(ok));
  const fixture = new Fixture(t);
  const cluster = makeCluster([upstream.port]);
  const gone = fixture.request(cluster);
  gone.exchange.cancel();
  assert.equal(fixture.live.cluster(cluster).pendingRequests, 0);
  const next = fixture.request(cluster);
  await next.sink.ended;
  assert.equal(gone.sink.terminations, 0);
  assert.equal(next.sink.body, "hi");
});

test("a request that is cancelled while its response is outstanding closes its connection", async (t) => {
  const upstream = await ScriptedUpstream.start(t, () => {});
  const fixture = new Fixture(t);
  const cluster = makeCluster([upstream.port]);
  const { sink, exchange } = fixture.request(cluster);
  await upstream.until((u) => u.received(0) !== "");
  const closed = once(upstream.socket(0), "close");
  exchange.cancel();
  await closed;
  assert.equal(sink.terminations, 0);
  assert.equal(fixture.live.cluster(cluster).connections, 0);
});

test("an idle connection closes when its time is over", async (t) => {
  const upstream = await ScriptedUpstream.start(t, answerAll(ok));
  const fixture = new Fixture(t);
  const cluster = makeCluster([upstream.port], { idleTimeoutMs: 60_000 });
  await fixture.request(cluster).sink.ended;
  fixture.timers.advance(59_000);
  assert.equal(fixture.live.cluster(cluster).connections, 1);
  const closed = once(upstream.socket(0), "close");
  fixture.timers.advance(2000);
  await closed;
});

test("a connection is not used when the upstream may be about to close it", async (t) => {
  const upstream = await ScriptedUpstream.start(
    t,
    answerAll("HTTP/1.1 200 OK\r\nkeep-alive: timeout=5, max=9\r\ncontent-length: 2\r\n\r\nhi"),
  );
  const fixture = new Fixture(t);
  const cluster = makeCluster([upstream.port]);
  await fixture.request(cluster).sink.ended;
  fixture.timers.advance(3900);
  await fixture.request(cluster).sink.ended;
  assert.equal(upstream.connections, 1);
  fixture.timers.advance(4100);
  await fixture.request(cluster).sink.ended;
  assert.equal(upstream.connections, 2);
});

test("a connection carries no more requests than the cluster allows", async (t) => {
  const upstream = await ScriptedUpstream.start(t, answerAll(ok));
  const fixture = new Fixture(t);
  const cluster = makeCluster([upstream.port], { maxRequestsPerConnection: 2 });
  for (let count = 0; count < 5; count++) await fixture.request(cluster).sink.ended;
  assert.equal(upstream.connections, 3);
});

test("connections to an endpoint that the configuration no longer has are closed when they are idle", async (t) => {
  const upstream = await ScriptedUpstream.start(t, answerAll(ok));
  const fixture = new Fixture(t);
  const cluster = makeCluster([upstream.port]);
  await fixture.request(cluster).sink.ended;
  fixture.transport.retain(new Map([["test", cluster]]));
  assert.equal(fixture.live.cluster(cluster).connections, 1);
  const closed = once(upstream.socket(0), "close");
  fixture.transport.retain(new Map());
  await closed;
});

test("an upstream that does not read stops its writer, and starts it again", async (t) => {
  const upstream = await ScriptedUpstream.start(t, (socket) => socket.pause());
  const { sink, exchange } = new Fixture(t).open(makeCluster([upstream.port]));
  const block = Buffer.alloc(65_536);
  sendHead(exchange, "POST", { kind: "chunked" });
  await sink.saw("connected");
  while (exchange.sendData(block, 0, block.length));
  const drainsBefore = sink.drains;
  upstream.socket(0).resume();
  while (sink.drains === drainsBefore) await new Promise((resolve) => setImmediate(resolve));
  exchange.cancel();
});

test("a reader that pauses stops the upstream, and nothing is lost when it goes on", async (t) => {
  const size = 8 * 1024 * 1024;
  const upstream = await ScriptedUpstream.start(t, (socket) =>
    onEachHead(socket, () => {
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${size}\r\n\r\n`);
      socket.write(Buffer.alloc(size, "x"));
    }),
  );
  const fixture = new Fixture(t);
  const sink = new RecordingSink((event) => {
    if (event === "data" && sink.events.filter((seen) => seen === "data").length === 1) exchange.pauseReading();
  });
  const { exchange } = fixture.request(makeCluster([upstream.port]), "GET", sink);
  await sink.saw("data");
  await new Promise((resolve) => setImmediate(resolve));
  const received = sink.body.length;
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(sink.body.length, received);
  assert.ok(upstream.socket(0).writableLength > 0);
  exchange.resumeReading();
  await sink.ended;
  assert.equal(sink.body.length, size);
});

for (const [title, answer] of [
  ["refuses connections", undefined],
  ["closes after each answer", "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nhi"],
] as const) {
  test(`where another endpoint holds the last connection, all who wait for one that ${title} come to an end`, async (t) => {
    const holder = await ScriptedUpstream.start(t, () => {});
    const other = await ScriptedUpstream.start(t, (socket) =>
      answer === undefined ? socket.resetAndDestroy() : onEachHead(socket, () => socket.end(answer)),
    );
    const fixture = new Fixture(t);
    const cluster = makeCluster([holder.port, other.port], { limits: { maxConnections: 1 } });
    fixture.request(cluster);
    await holder.until((u) => u.received(0) !== "");
    const sinks = [new RecordingSink(), new RecordingSink(), new RecordingSink()];
    for (const sink of sinks) {
      const { exchange } = fixture.open(cluster, sink, cluster.endpoints[1]);
      sendHead(exchange);
      exchange.end();
    }
    await Promise.all(sinks.map((sink) => sink.ended));
    assert.deepEqual(
      sinks.map((sink) => sink.terminations),
      [1, 1, 1],
    );
  });
}

test("a logical endpoint whose address changes keeps its connections, and new ones go to the new address", async (t) => {
  const [before, after] = [
    await ScriptedUpstream.start(t, answerAll(ok)),
    await ScriptedUpstream.start(t, answerAll(ok)),
  ];
  const fixture = new Fixture(t);
  const first = makeCluster([before.port], { type: "logical_dns" });
  const at = (port: number) => {
    const { config } = first;
    const [locality] = config.inlineEndpoints!.localities;
    const endpoint = { ...locality!.endpoints[0]!, address: { host: "127.0.0.1", port }, identity: "db.example:80" };
    return { ...config.inlineEndpoints!, localities: [{ ...locality!, endpoints: [endpoint] }] };
  };
  const clusters = { set: [first.config], remove: [] };
  let snapshot = applyDelta(emptySnapshot, { clusters, endpoints: { set: [at(before.port)], remove: [] } });
  const cluster = () => snapshot.clusters.get("test")!;
  await fixture.request(cluster()).sink.ended;
  snapshot = applyDelta(snapshot, { endpoints: { set: [at(after.port)], remove: [] } });
  fixture.transport.retain(snapshot.clusters);
  const kept = fixture.open(cluster());
  assert.ok(kept.exchange.isReusedConnection);
  const made = fixture.request(cluster());
  await made.sink.ended;
  assert.deepEqual([before.connections, after.connections], [1, 1]);
  sendHead(kept.exchange);
  kept.exchange.end();
  await kept.sink.ended;
  assert.equal(kept.sink.body, "hi");
  assert.equal(fixture.live.cluster(cluster()).connections, 2);
});
