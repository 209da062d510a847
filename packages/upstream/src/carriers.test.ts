import assert from "node:assert/strict";
import { once } from "node:events";
import { constants, type Http2Session, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from "node:net";
import { test, type TestContext } from "node:test";
import type { BoundCluster } from "@heddle/engine";
import { freePort } from "@heddle/testkit";
import { endsOf, noContent, startInside, startServer, tunnelled, tunnelledFrom } from "./testing/carrier-server.ts";
import { type ClusterChanges, Fixture, makeCluster, sendHead } from "./testing/fixture.ts";
import { RecordingSink } from "./testing/recording-sink.ts";
import { onEachHead, ScriptedUpstream } from "./testing/scripted-upstream.ts";

// Connections that many requests share: how many there are, and whose failure is counted.

function http2Cluster(port: number, maxConcurrentStreams: number, changes: ClusterChanges = {}) {
  const cluster = makeCluster([port]);
  return makeCluster([port], {
    protocol: "http2",
    http2: { ...cluster.config.http2, maxConcurrentStreams },
    ...changes,
  });
}

/** An application that is reached by connections by themselves, and from 4 requests in progress on inside carriers. */
class BothWays {
  readonly fixture: Fixture;
  /** Made so far, either way. */
  readonly connections = { own: 0, virtual: 0 };
  readonly #cluster: BoundCluster;
  /** Requests are answered when so many are there. */
  #together = 1;
  readonly #asked: (() => void)[] = [];

  private constructor(t: TestContext, cluster: BoundCluster) {
    this.fixture = new Fixture(t);
    this.#cluster = cluster;
  }

  static async start(t: TestContext, limits: Partial<BoundCluster["config"]["limits"]>): Promise<BothWays> {
    const { server, port } = await startServer(t);
    const own = await ScriptedUpstream.start(t, (socket) => {
      both.connections.own += 1;
      onEachHead(socket, () => both.#take(() => socket.write("HTTP/1.1 204 No Content\r\n\r\n")));
    });
    server.on("stream", (stream: ServerHttp2Stream) => {
      both.connections.virtual += 1;
      stream.on("error", () => stream.destroy());
      stream.respond({ ":status": 200 });
      stream.on("data", () => both.#take(() => stream.write("HTTP/1.1 204 No Content\r\n\r\n")));
    });
    // Nobody knows the ports before this line.
    const both = new BothWays(t, tunnelledFrom(4, own.port, port, { limits }));
    return both;
  }

  /** So many requests at once while so many others are in progress; they are answered `together` at a time. */
  async ask(count: number, { others = 0, together = 1 } = {}): Promise<(number | string | undefined)[]> {
    this.#together = together;
    const { fixture } = this;
    const [endpoint] = this.#cluster.endpoints;
    assert.ok(endpoint);
    const state = fixture.live.endpoint(endpoint);
    state.activeRequests += others;
    const sinks = Array.from({ length: count }, () => {
      state.activeRequests += 1;
      return fixture.request(this.#cluster).sink;
    });
    for (const { ended } of sinks) await ended;
    state.activeRequests -= others + count;
    return sinks.map(({ status, failure }) => failure?.code ?? status);
  }

  #take(answer: () => void): void {
    this.#asked.push(answer);
    if (this.#asked.length >= this.#together) for (const each of this.#asked.splice(0)) each();
  }
}

test("one carrier is dialled at a time, and there are as many as the streams need", async (t) => {
  const { server, port, sessions } = await startServer(t);
  const waiting: ServerHttp2Stream[] = [];
  server.on("stream", (accepted) => {
    const stream = accepted as ServerHttp2Stream;
    stream.on("error", () => stream.destroy());
    waiting.push(stream);
    if (waiting.length === 6) for (const each of waiting) each.respond({ ":status": 204 }, { endStream: true });
  });
  const fixture = new Fixture(t);
  const cluster = http2Cluster(port, 2);
  const requests = Array.from({ length: 6 }, () => fixture.request(cluster));
  assert.equal(fixture.live.cluster(cluster).connections, 1, "those that wait may all find a place on the first");
  for (const { sink } of requests) await sink.ended;
  assert.equal(sessions(), 3);
  for (const { sink } of requests) assert.equal(sink.status, 204);
});

test("a carrier that cannot be made is one failure, however many wait for it", async (t) => {
  const fixture = new Fixture(t);
  const cluster = http2Cluster(await freePort(), 100);
  const requests = Array.from({ length: 30 }, () => fixture.request(cluster));
  for (const { sink } of requests) await sink.ended;
  const failures = requests.map(({ sink }) => sink.failure);
  assert.ok(failures.every((failure) => failure?.code === "upstream_connect_failed" && failure.bytesWritten === 0));
  assert.equal(failures.filter((failure) => failure?.isCountedElsewhere === false).length, 1);
});

test("connections inside a carrier that cannot be made are one failure, however many wait for it", async (t) => {
  const fixture = new Fixture(t);
  const cluster = tunnelled(await freePort());
  const requests = Array.from({ length: 30 }, () => fixture.request(cluster));
  for (const { sink } of requests) await sink.ended;
  const failures = requests.map(({ sink }) => sink.failure);
  assert.ok(failures.every((failure) => failure?.code === "upstream_connect_failed" && failure.bytesWritten === 0));
  assert.equal(failures.filter((failure) => failure?.isCountedElsewhere === false).length, 1);
});

test("connections inside a carrier that goes away are let go: the next request has another carrier", async (t) => {
  const { server, port, sessions } = await startServer(t);
  const accepted: ServerHttp2Session[] = [];
  server.on("session", (session) => accepted.push(session));
  server.on("stream", (stream: ServerHttp2Stream) => {
    stream.on("error", () => stream.destroy());
    stream.respond({ ":status": 200 });
    stream.on("data", () => stream.write("HTTP/1.1 204 No Content\r\n\r\n"));
  });
  const fixture = new Fixture(t);
  const cluster = tunnelled(port);
  for (let i = 0; i < 3; i += 1) {
    const { sink } = fixture.request(cluster);
    await sink.ended;
    assert.equal(sink.status, 204);
  }
  assert.equal(sessions(), 1, "one connection inside one carrier served them all");
  accepted[0]?.goaway();
  // Behind the GOAWAY, so that it has been read.
  await new Promise<void>((resolve) => accepted[0]?.ping(() => resolve()));
  const { sink } = fixture.request(cluster);
  await sink.ended;
  assert.deepEqual([sink.status, sessions()], [204, 2]);
});

/** So many requests that are in progress at the same time, each on a connection of its own. */
async function atOnce(fixture: Fixture, cluster: BoundCluster, count: number): Promise<void> {
  const requests = Array.from({ length: count }, () => fixture.request(cluster));
  for (const { sink } of requests) await sink.ended;
  for (const { sink } of requests) assert.equal(sink.status, 204);
}

test("a connection inside a carrier that has done its work ends in order", async (t) => {
  const { port, streams, carriers } = await startInside(t);
  const fixture = new Fixture(t);
  const cluster = tunnelled(port, { maxRequestsPerConnection: 1 });
  for (let i = 0; i < 3; i += 1) await atOnce(fixture, cluster, 1);
  assert.deepEqual(await endsOf(streams), [0, 0, 0]);
  assert.equal(carriers.length, 1);
});

test("a connection inside a carrier whose server says that it is the last answer ends in order", async (t) => {
  const { port, streams } = await startInside(t, (stream) =>
    stream.end("HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n"),
  );
  const fixture = new Fixture(t);
  await atOnce(fixture, tunnelled(port), 3);
  assert.deepEqual(await endsOf(streams), [0, 0, 0]);
});

test("what CONNECT uploads inside a carrier is broken off with its client, also when the server has said its last", {
  timeout: 30_000,
}, async (t) => {
  const { server, port } = await startServer(t);
  const accepted = Promise.withResolvers<ServerHttp2Stream>();
  server.on("stream", (stream: ServerHttp2Stream) => {
    stream.on("error", () => stream.destroy());
    stream.respond({ ":status": 200 });
    stream.once("data", () => stream.end("HTTP/1.1 200 OK\r\n\r\n"));
    accepted.resolve(stream);
  });
  const { sink, exchange } = new Fixture(t).open(tunnelled(port));
  sendHead(exchange, "CONNECT", { kind: "connect" });
  const stream = await accepted.promise;
  await sink.saw("half-end");
  exchange.cancel();
  assert.deepEqual(await endsOf([stream]), [constants.NGHTTP2_CANCEL]);
});

test("a server that does not end its half behind ours loses the stream in the end", async (t) => {
  const { server, port } = await startServer(t);
  const ended: Promise<unknown>[] = [];
  const streams: ServerHttp2Stream[] = [];
  server.on("stream", (stream: ServerHttp2Stream) => {
    streams.push(stream);
    stream.on("error", () => stream.destroy());
    stream.respond({ ":status": 200 });
    stream.on("data", () => stream.write(noContent));
    ended.push(once(stream, "end"));
  });
  const fixture = new Fixture(t);
  await atOnce(fixture, tunnelled(port, { maxRequestsPerConnection: 1 }), 1);
  await ended[0];
  fixture.timers.advance(6000);
  assert.deepEqual(await endsOf(streams), [constants.NGHTTP2_CANCEL]);
});

test("requests that are given up cost no other one inside the carrier its connection", async (t) => {
  const resets = new Map<Http2Session, number>();
  const held: ServerHttp2Stream[] = [];
  let wake: () => void = () => {};
  const { port, carriers } = await startInside(t, (stream) => {
    held.push(stream);
    const { session } = stream;
    stream.on("close", () => {
      if (stream.rstCode !== 0 && session !== undefined) resets.set(session, (resets.get(session) ?? 0) + 1);
    });
    wake();
  });
  const asked = async (count: number): Promise<void> => {
    while (held.length < count) await new Promise<void>((resolve) => (wake = resolve));
  };
  const fixture = new Fixture(t);
  const cluster = tunnelled(port);
  const first = fixture.request(cluster, "POST");
  await asked(1);
  // More than any server bears on one connection; nghttp2 says 1,000.
  for (let given = 0; given < 1200; given += 20) {
    const requests = Array.from({ length: 20 }, () => fixture.request(cluster));
    await asked(held.length + 20);
    for (const { exchange } of requests) exchange.cancel();
  }
  held[0]?.write(noContent);
  await first.sink.ended;
  assert.equal(first.sink.status, 204);
  const [old] = carriers;
  if (old?.destroyed === false) await once(old, "close");
  assert.ok((resets.get(old as ServerHttp2Session) ?? 0) <= 600, "so many are open at once at most, beyond 500");
  assert.ok(carriers.length > 1);
});

test("whatever is idle inside a carrier that goes away ends in order, and the carrier with it", async (t) => {
  const { port, streams, carriers } = await startInside(t);
  const fixture = new Fixture(t);
  await atOnce(fixture, tunnelled(port), 5);
  const [carrier] = carriers;
  // GOAWAY, and the end when nothing is left.
  carrier?.close();
  assert.deepEqual(await endsOf(streams), [0, 0, 0, 0, 0]);
  if (carrier?.destroyed === false) await once(carrier, "close");
});

test("whatever is idle inside a carrier that is old enough ends in order, and the carrier with it", async (t) => {
  const { port, streams, carriers } = await startInside(t);
  const fixture = new Fixture(t);
  const cluster = tunnelled(port, {}, 60_000);
  await atOnce(fixture, cluster, 5);
  fixture.timers.advance(61_000);
  assert.deepEqual(await endsOf(streams), [0, 0, 0, 0, 0]);
  if (carriers[0]?.destroyed === false) await once(carriers[0], "close");
  await atOnce(fixture, cluster, 1);
  assert.equal(carriers.length, 2);
});

test("a server whose carriers serve one connection each, and say so at once, is asked for as many as there are requests", {
  timeout: 30_000,
}, async (t) => {
  const { server, port, sessions } = await startServer(t);
  server.on("stream", (stream: ServerHttp2Stream) => {
    stream.on("error", () => stream.destroy());
    stream.session?.goaway();
    stream.respond({ ":status": 200 });
    stream.on("data", () => stream.write(noContent));
    stream.on("end", () => stream.end());
  });
  const fixture = new Fixture(t);
  const cluster = tunnelled(port);
  for (let count = 1; count <= 3; count += 1) {
    await atOnce(fixture, cluster, 1);
    assert.equal(sessions(), count);
  }
});

test("what is in use inside a carrier that goes away gives its answer, and then ends in order", async (t) => {
  let begin: (inUse: ServerHttp2Stream) => void = () => {};
  const begun = new Promise<ServerHttp2Stream>((resolve) => (begin = resolve));
  const { port, streams, carriers } = await startInside(t, (stream, count) => {
    if (count === 1) stream.write(noContent);
    else begin(stream);
  });
  const fixture = new Fixture(t);
  const cluster = tunnelled(port);
  await atOnce(fixture, cluster, 2);
  const { sink } = fixture.request(cluster, "POST");
  const inUse = await begun;
  carriers[0]?.goaway();
  assert.deepEqual(await endsOf(streams.filter((stream) => stream !== inUse)), [0], "the GOAWAY has been read");
  inUse.write(noContent);
  await sink.ended;
  assert.equal(sink.status, 204);
  assert.deepEqual(await endsOf(streams), [0, 0]);
});

test("a request that waits in the output of a carrier that breaks has reached nobody", async (t) => {
  const { port } = await startInside(t);
  const fixture = new Fixture(t);
  const cluster = tunnelled(port, {}, 0, { intervalMs: 60_000, timeoutMs: 1000, jitterPercent: 0 });
  await atOnce(fixture, cluster, 2);
  const gone = fixture.request(cluster);
  await gone.sink.ended;
  const { sink, exchange } = fixture.request(cluster, "POST");
  assert.ok(sink.events.includes("connected"));
  assert.equal(exchange.bytesWritten, 0);
  // No answer to a PING that has no time to leave: the carrier is given up within this call.
  fixture.timers.advance(70_000);
  await sink.ended;
  assert.deepEqual([sink.failure?.code, sink.failure?.bytesWritten], ["upstream_reset", 0]);
});

test("a request that has left a carrier before it breaks may have reached somebody", async (t) => {
  let begin: () => void = () => {};
  const begun = new Promise<void>((resolve) => (begin = resolve));
  const { port, carriers } = await startInside(t, () => begin());
  const fixture = new Fixture(t);
  const { sink } = fixture.request(tunnelled(port), "POST");
  await begun;
  carriers[0]?.destroy();
  await sink.ended;
  assert.equal(sink.failure?.code, "upstream_reset");
  assert.ok((sink.failure?.bytesWritten ?? 0) > 0);
});

test("what comes before the request has left the carrier is not taken for its answer", async (t) => {
  const { port } = await startInside(t, (stream) => {
    stream.write(`HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nfirst`, () =>
      stream.write("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil"),
    );
  });
  // Both come in one piece, so that the second is read before anything can leave.
  const between = createTcpServer((client) => {
    const onward = connect(port, "127.0.0.1");
    client.pipe(onward);
    let kept = Buffer.alloc(0);
    let isBegun = false;
    onward.on("data", (chunk: Buffer) => {
      kept = Buffer.concat([kept, chunk]);
      isBegun ||= kept.includes("first");
      if (isBegun && !kept.includes("evil")) return;
      client.write(kept);
      kept = Buffer.alloc(0);
      isBegun = false;
    });
    for (const socket of [client, onward]) {
      socket.on("error", () => socket.destroy());
      t.after(() => socket.destroy());
    }
  });
  between.listen(0, "127.0.0.1");
  await once(between, "listening");
  t.after(() => between.close());
  const fixture = new Fixture(t);
  const cluster = tunnelled((between.address() as AddressInfo).port);
  let second: RecordingSink | undefined;
  const first = new RecordingSink((event) => {
    if (event === "end") second = fixture.request(cluster, "POST").sink;
  });
  fixture.request(cluster, "GET", first);
  await first.ended;
  await second?.ended;
  assert.equal(first.body, "first");
  assert.deepEqual([second?.body, second?.failure?.code, second?.failure?.bytesWritten], ["", "upstream_reset", 0]);
});

test("a cluster's limit of connections counts those inside a carrier: who finds none waits for one that is free", async (t) => {
  const { server, port, sessions } = await startServer(t);
  const asked: ServerHttp2Stream[] = [];
  let wake: () => void = () => {};
  let connects = 0;
  server.on("stream", (stream: ServerHttp2Stream) => {
    connects += 1;
    stream.on("error", () => stream.destroy());
    stream.respond({ ":status": 200 });
    stream.on("data", () => {
      asked.push(stream);
      wake();
    });
  });
  const answerNext = async (): Promise<void> => {
    while (asked.length === 0) await new Promise<void>((resolve) => (wake = resolve));
    asked.shift()?.write("HTTP/1.1 204 No Content\r\n\r\n");
  };
  const fixture = new Fixture(t);
  const cluster = tunnelled(port, { limits: { maxConnections: 1 } });
  const first = fixture.request(cluster);
  await first.sink.saw("connected");
  const second = fixture.request(cluster);
  const { connections, pendingRequests } = fixture.live.cluster(cluster);
  assert.deepEqual([connections, pendingRequests], [1, 1]);
  for (const { sink } of [first, second]) {
    await answerNext();
    await sink.ended;
    assert.equal(sink.status, 204);
  }
  assert.deepEqual([connects, sessions(), fixture.live.cluster(cluster).pendingRequests], [1, 1, 0]);
});

test("all of a cluster's limit of connections is used by whoever comes, by themselves and inside a carrier, and no more", {
  timeout: 30_000,
}, async (t) => {
  const both = await BothWays.start(t, { maxConnections: 4 });
  const answered = (count: number): number[] => Array.from({ length: count }, () => 204);
  assert.deepEqual(await both.ask(3, { together: 3 }), answered(3));
  assert.deepEqual(both.connections, { own: 3, virtual: 0 });
  assert.deepEqual(await both.ask(16, { together: 4 }), answered(16));
  assert.deepEqual(both.connections, { own: 3, virtual: 1 });
});

test("a limit of one connection is kept by few and by many requests at once, whichever came first", async (t) => {
  for (const [first, then, connections] of [
    [{ others: 0 }, { others: 8 }, { own: 1, virtual: 0 }],
    [{ others: 8 }, { others: 0 }, { own: 0, virtual: 1 }],
  ] as const) {
    const both = await BothWays.start(t, { maxConnections: 1 });
    assert.deepEqual(await both.ask(1, first), [204]);
    assert.deepEqual(await both.ask(2, then), [204, 204]);
    assert.deepEqual(await both.ask(6), [204, 204, 204, 204, 204, 204]);
    assert.deepEqual(both.connections, connections);
  }
});

test("what is dialled when a connection is lost is for the endpoint as it is to whoever waits", {
  timeout: 30_000,
}, async (t) => {
  const connections = { own: 0, virtual: 0 };
  const { server, port } = await startServer(t);
  server.on("stream", (stream: ServerHttp2Stream) => {
    connections.virtual += 1;
    stream.on("error", () => stream.destroy());
    stream.respond({ ":status": 200 });
    stream.on("data", () => stream.write("HTTP/1.1 204 No Content\r\n\r\n"));
  });
  const asked = Promise.withResolvers<Socket>();
  const own = await ScriptedUpstream.start(t, (socket) => {
    connections.own += 1;
    onEachHead(socket, () => asked.resolve(socket));
  });
  const fixture = new Fixture(t);
  const now = tunnelledFrom(0, own.port, port, { limits: { maxConnections: 1 } });
  const before = { ...now, endpoints: now.endpoints.map((endpoint) => ({ ...endpoint, tunnel: undefined })) };
  const lost = fixture.request(before).sink;
  const socket = await asked.promise;
  const waiting = fixture.request(now).sink;
  socket.destroy();
  await Promise.all([lost.ended, waiting.ended]);
  assert.deepEqual([waiting.failure?.code ?? waiting.status, connections], [204, { own: 1, virtual: 1 }]);
});

test("who may not wait for a connection inside a carrier, or for whom none is made, has one by itself that is idle", {
  timeout: 30_000,
}, async (t) => {
  const both = await BothWays.start(t, { maxPendingRequests: 1 });
  assert.deepEqual(await both.ask(1), [204]);
  assert.deepEqual(await both.ask(2, { others: 8, together: 2 }), [204, 204]);
  assert.deepEqual(both.connections, { own: 1, virtual: 1 });
  both.fixture.isShedding = true;
  assert.deepEqual(await both.ask(3, { others: 8, together: 2 }), [204, 204, "overflow"]);
  assert.deepEqual(both.connections, { own: 1, virtual: 1 });
});

test("whether load is shed is asked once for each connection inside a carrier, and not for the carrier", async (t) => {
  const { server, port, sessions } = await startServer(t);
  server.on("stream", (stream: ServerHttp2Stream) => {
    stream.on("error", () => stream.destroy());
    stream.respond({ ":status": 200 });
    stream.on("data", () => stream.write("HTTP/1.1 204 No Content\r\n\r\n"));
  });
  const fixture = new Fixture(t);
  const cluster = tunnelled(port);
  await fixture.request(cluster).sink.ended;
  assert.deepEqual([sessions(), fixture.shedQuestions], [1, 1]);
});

test("CONNECTs that wait for a carrier that cannot be made are one failure, and are asked for each whether load is shed", async (t) => {
  const fixture = new Fixture(t);
  const cluster = tunnelled(await freePort(), { limits: { maxConnections: 10 } });
  const sinks = Array.from({ length: 11 }, () => fixture.openTcp(cluster).sink);
  for (const { ended } of sinks) await ended;
  const failures = sinks.map(({ failure }) => failure);
  assert.equal(failures.filter((failure) => failure?.code === "overflow").length, 1);
  const failed = failures.filter((failure) => failure?.code === "upstream_connect_failed");
  assert.deepEqual([failed.length, failed.filter((failure) => failure?.isCountedElsewhere === false).length], [10, 1]);
  assert.equal(fixture.shedQuestions, 10, "no connection would have been made for the one above the limit");
});

test("a stream that dies is that request's alone, and the carrier goes on", async (t) => {
  const { server, port, sessions } = await startServer(t);
  server.on("stream", (accepted, headers) => {
    const stream = accepted as ServerHttp2Stream;
    stream.on("error", () => stream.destroy());
    if (headers[":method"] === "DELETE") stream.close(2);
    else stream.respond({ ":status": 204 }, { endStream: true });
  });
  const fixture = new Fixture(t);
  const cluster = http2Cluster(port, 100);
  await fixture.request(cluster).sink.ended;
  const doomed = fixture.request(cluster, "DELETE");
  const kept = fixture.request(cluster);
  await Promise.all([doomed.sink.ended, kept.sink.ended]);
  assert.equal(doomed.sink.failure?.code, "upstream_remote_reset");
  assert.equal(kept.sink.status, 204);
  assert.equal(sessions(), 1);
});

test("what the requests of one turn write leaves in one write", async (t) => {
  const { server, port } = await startServer(t);
  let served = 0;
  server.on("stream", (accepted) => {
    served += 1;
    (accepted as ServerHttp2Stream).respond({ ":status": 204 }, { endStream: true });
  });
  // Between the two, so that what arrives in one piece is seen as one.
  let pieces = 0;
  const between = createTcpServer((client) => {
    const onward = connect(port, "127.0.0.1");
    client.on("data", () => (pieces += 1));
    client.pipe(onward).pipe(client);
    for (const socket of [client, onward]) {
      socket.on("error", () => socket.destroy());
      t.after(() => socket.destroy());
    }
  });
  between.listen(0, "127.0.0.1");
  await once(between, "listening");
  t.after(() => between.close());
  const fixture = new Fixture(t);
  const cluster = http2Cluster((between.address() as AddressInfo).port, 100);
  await fixture.request(cluster).sink.ended;
  const before = pieces;
  const requests = Array.from({ length: 20 }, () => fixture.request(cluster));
  for (const { sink } of requests) await sink.ended;
  assert.equal(served, 21);
  // The requests, and at most an acknowledgement beside them.
  assert.ok(pieces - before <= 2, `${pieces - before} pieces`);
});
