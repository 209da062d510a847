import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Http2Server, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import { type AddressInfo, connect, createServer as createTcpServer } from "node:net";
import { test, type TestContext } from "node:test";
import type { BoundCluster } from "@heddle/engine";
import { freePort } from "@heddle/testkit";
import { type ClusterChanges, Fixture, makeCluster } from "./testing/fixture.ts";
import { onEachHead, ScriptedUpstream } from "./testing/scripted-upstream.ts";

// Connections that many requests share: how many there are, and whose failure is counted.

/** A server that answers when it is told to, and counts its connections. */
async function startServer(t: TestContext): Promise<{ server: Http2Server; port: number; sessions: () => number }> {
  const server = createServer();
  let sessions = 0;
  server.on("session", () => (sessions += 1));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  return { server, port: (server.address() as AddressInfo).port, sessions: () => sessions };
}

function http2Cluster(port: number, maxConcurrentStreams: number, changes: ClusterChanges = {}) {
  const cluster = makeCluster([port]);
  return makeCluster([port], {
    protocol: "http2",
    http2: { ...cluster.config.http2, maxConcurrentStreams },
    ...changes,
  });
}

/** An endpoint whose proxy takes carriers at a port. */
function tunnelled(port: number, changes: ClusterChanges = {}): BoundCluster {
  return tunnelledFrom(0, port, port, changes);
}

/** As many requests at once as this ride inside carriers, fewer on connections by themselves at a port of their own. */
function tunnelledFrom(
  minConcurrentRequests: number,
  port: number,
  carrierPort: number,
  changes: ClusterChanges,
): BoundCluster {
  const { http2 } = makeCluster([port]).config;
  const tunnel = { match: "tunnel", http2, maxConnectionDurationMs: 0, minConcurrentRequests };
  const cluster = makeCluster([port], { tunnel, ...changes });
  const [carrier] = makeCluster([carrierPort]).endpoints;
  assert.ok(carrier);
  const endpoints = cluster.endpoints.map((endpoint) => ({
    ...endpoint,
    tunnel: { authority: "127.0.0.1:8080", carrier },
  }));
  return { ...cluster, endpoints };
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
  const sinks = Array.from({ length: 11 }, () => fixture.openTcp(cluster));
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
