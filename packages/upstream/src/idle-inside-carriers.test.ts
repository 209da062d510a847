import assert from "node:assert/strict";
import { once } from "node:events";
import type { ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import { test, type TestContext } from "node:test";
import type { BoundCluster, UpstreamTlsConfig } from "@heddle/engine";
import { endsOf, noContent, startInside, tunnelledFrom } from "./testing/carrier-server.ts";
import { type ClusterChanges, Fixture, sendHead } from "./testing/fixture.ts";
import { RecordingSink } from "./testing/recording-sink.ts";
import { onEachHead, ScriptedUpstream } from "./testing/scripted-upstream.ts";

// Idle connections inside carriers: they end when those by themselves do, and serve nobody whom they are not for.

/** An application that is reached by connections by themselves, and when 4 requests are in progress inside carriers. */
class Application {
  readonly fixture: Fixture;
  readonly cluster: BoundCluster;
  /** Connections, as they were made. */
  readonly own: Socket[] = [];
  readonly inside: ServerHttp2Stream[];
  /** A request for it is kept waiting. */
  readonly held = Promise.withResolvers<ServerHttp2Stream>();

  private constructor(t: TestContext, cluster: BoundCluster, inside: ServerHttp2Stream[]) {
    this.fixture = new Fixture(t);
    this.cluster = cluster;
    this.inside = inside;
  }

  static async start(t: TestContext, changes: ClusterChanges = {}): Promise<Application> {
    const far = await startInside(t, (stream, count) => {
      if (count > 1) app.held.resolve(stream);
      else stream.write(noContent);
    });
    const near = await ScriptedUpstream.start(t, (socket) => {
      app.own.push(socket);
      onEachHead(socket, () => socket.write(noContent));
    });
    // Nobody knows the ports before this line.
    const app = new Application(t, tunnelledFrom(4, near.port, far.port, changes), far.streams);
    return app;
  }

  get connections(): number {
    return this.fixture.live.cluster(this.cluster).connections;
  }

  /** A request while so many others are in progress. */
  begin(others: number, clientHost = "192.0.2.1", cluster = this.cluster): RecordingSink {
    const { live, transport } = this.fixture;
    const [endpoint] = cluster.endpoints;
    assert.ok(endpoint);
    const state = live.endpoint(endpoint);
    const sink = new RecordingSink();
    const ends = { remoteAddress: { host: clientHost, port: 1 }, localAddress: { host: "192.0.2.9", port: 2 } };
    state.activeRequests += others;
    const exchange = transport.open(endpoint, cluster, sink, { ...ends, proxyTlvs: [] });
    state.activeRequests -= others;
    sendHead(exchange);
    exchange.end();
    return sink;
  }

  async ask(others: number, clientHost?: string, cluster?: BoundCluster): Promise<void> {
    const sink = this.begin(others, clientHost, cluster);
    await sink.ended;
    assert.equal(sink.failure?.code ?? sink.status, 204);
  }
}

const many = 8;

for (const { what, end } of [
  { what: "its endpoint is gone", end: (app: Application) => app.fixture.transport.retain(new Map()) },
  { what: "the worker drains", end: (app: Application) => app.fixture.transport.drain() },
]) {
  test(`what is idle inside a carrier ends when ${what}, and what is in use after its answer`, {
    timeout: 30_000,
  }, async (t) => {
    const app = await Application.start(t);
    const first = [app.begin(many), app.begin(many)];
    for (const { ended } of first) await ended;
    const sink = app.begin(many);
    const busy = await app.held.promise;
    end(app);
    assert.deepEqual(await endsOf(app.inside.filter((stream) => stream !== busy)), [0]);
    assert.deepEqual([app.connections, sink.terminations], [1, 0]);
    busy.write(noContent);
    await sink.ended;
    assert.deepEqual([sink.status, await endsOf([busy])], [204, [0]]);
  });
}

test("what is idle inside a carrier ends after the cluster's idle timeout", { timeout: 30_000 }, async (t) => {
  const app = await Application.start(t, { idleTimeoutMs: 60_000 });
  await app.ask(many);
  app.fixture.timers.advance(59_000);
  assert.equal(app.connections, 1);
  app.fixture.timers.advance(2000);
  assert.deepEqual(await endsOf(app.inside), [0]);
});

for (const { what, others, ends } of [
  {
    what: "by itself",
    others: [0, many],
    ends: ({ own }: Application) => once(own[0]!, "close"),
  },
  {
    what: "inside a carrier",
    others: [many, 0],
    ends: ({ inside }: Application) => endsOf(inside),
  },
] as const) {
  test(`what has been idle for longest makes room for another client: ${what}`, { timeout: 30_000 }, async (t) => {
    const app = await Application.start(t, {
      transport: { default: undefined, proxyProtocol: { version: 1, passedTlvs: [] }, matches: [] },
      limits: { maxConnections: 2 },
    });
    for (const count of others) {
      await app.ask(count);
      app.fixture.timers.advance(1000);
    }
    const ended = ends(app);
    await app.ask(0, "192.0.2.3");
    await ended;
    assert.equal(app.connections, 2);
  });
}

/** Its certificate is not there. */
const unavailable: UpstreamTlsConfig = {
  sni: "",
  maxSessionKeys: 1,
  common: {
    minVersion: "1.3",
    maxVersion: "1.3",
    cipherSuites: [],
    groups: [],
    alpn: [],
    certificate: { name: "missing", source: "ads" },
    validation: undefined,
  },
};

test("a request rides on no other kind of connection whose certificate is not there, be one idle from before it was asked for", {
  timeout: 30_000,
}, async (t) => {
  const app = await Application.start(t, { limits: { maxConnections: 1 } });
  await app.ask(many);
  const endpoints = app.cluster.endpoints.map((endpoint) => {
    const { tunnel } = endpoint;
    assert.ok(tunnel);
    return { ...endpoint, tunnel: { ...tunnel, carrier: { ...tunnel.carrier, tls: unavailable } } };
  });
  await app.ask(0, undefined, { ...app.cluster, endpoints });
  assert.deepEqual([app.own.length, await endsOf(app.inside)], [1, [0]]);
});
