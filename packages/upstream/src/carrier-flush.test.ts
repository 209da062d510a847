import assert from "node:assert/strict";
import { once } from "node:events";
import { constants, type ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import { test, type TestContext } from "node:test";
import type { BoundCluster } from "@heddle/engine";
import {
  defaultHttp2Limits,
  HeaderList,
  Http2Connection,
  Http2ErrorCode,
  type Http2RequestHead,
  type Http2Sink,
} from "@heddle/http";
import type { UpstreamExchange } from "./exchange.ts";
import { endsOf, startServer, tunnelled } from "./testing/carrier-server.ts";
import { Fixture, makeCluster, sendHead } from "./testing/fixture.ts";
import type { RecordingSink } from "./testing/recording-sink.ts";
import { ScriptedUpstream } from "./testing/scripted-upstream.ts";

// What waits for a window of HTTP/2 when everything has been said: it leaves whole, or its stream is given up.

/** Of a stream; the server opens it again by reading. */
const initialWindowSize = 1000;
const bytes = 40_000;

interface Stalled {
  readonly sink: RecordingSink;
  readonly exchange: UpstreamExchange;
  /** Paused: the server reads nothing. */
  readonly stream: ServerHttp2Stream;
}

/** Bytes inside a carrier, of which most wait for the server's window. */
async function stallInside(t: TestContext, fixture: Fixture): Promise<Stalled> {
  const { server, port } = await startServer(t, { initialWindowSize });
  const accepted = once(server, "stream") as Promise<[ServerHttp2Stream]>;
  const { sink, exchange } = fixture.openTcp(tunnelled(port));
  const [stream] = await accepted;
  stream.on("error", () => stream.destroy());
  stream.pause();
  stream.respond({ ":status": 200 });
  await sink.saw("head");
  exchange.sendData(Buffer.alloc(bytes, "x"), 0, bytes);
  return { sink, exchange, stream };
}

async function contentOf(stream: ServerHttp2Stream): Promise<number> {
  let received = 0;
  for await (const chunk of stream) received += (chunk as Buffer).length;
  return received;
}

/** Its carrier takes no more, which has been read. */
async function sayGoAway({ session }: ServerHttp2Stream): Promise<void> {
  session?.goaway();
  await new Promise<void>((resolve) => session?.ping(() => resolve()));
}

for (const { what, end } of [
  {
    what: "the server's half first",
    end: async ({ stream, sink, exchange }: Stalled): Promise<void> => {
      stream.end();
      await sink.saw("half-end");
      exchange.end();
    },
  },
  {
    what: "the client's half first",
    end: async ({ stream, sink, exchange }: Stalled): Promise<void> => {
      exchange.end();
      stream.end("last");
      await sink.saw("data");
    },
  },
]) {
  test(`what waits for a window leaves whole when both halves have ended inside a carrier that goes away: ${what}`, {
    timeout: 30_000,
  }, async (t) => {
    const stalled = await stallInside(t, new Fixture(t));
    const { stream, sink } = stalled;
    await sayGoAway(stream);
    await end(stalled);
    assert.equal(sink.terminations, 0, "it ends when all has left");
    assert.equal(await contentOf(stream), bytes);
    await sink.ended;
    assert.deepEqual([sink.failure, await endsOf([stream])], [undefined, [0]]);
  });
}

test("who gives up what waits for a window when both halves have ended gives up its stream", {
  timeout: 30_000,
}, async (t) => {
  const { stream, sink, exchange } = await stallInside(t, new Fixture(t));
  stream.end();
  await sink.saw("half-end");
  exchange.end();
  exchange.cancel();
  assert.deepEqual(await endsOf([stream]), [constants.NGHTTP2_CANCEL]);
});

const lastAnswer = Buffer.from("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");

/**
 * Answers a request of HTTP/2, or the one inside a CONNECT, before it has read much of it, and takes of the rest what it is told to. Node's server would
 * reset the stream behind such an answer.
 */
class EarlyAnswer implements Http2Sink {
  received = 0;
  isEnded = false;
  /** How the request ended: by its end, or by a reset with this code. */
  readonly ended = Promise.withResolvers<"end" | number>();
  readonly #codec = new Http2Connection(
    "server",
    { ...defaultHttp2Limits, streamWindowBytes: initialWindowSize },
    this,
  );
  #socket: Socket | undefined;
  #isTunnel = false;
  #wake = (): void => {};

  async start(t: TestContext): Promise<number> {
    const { port } = await ScriptedUpstream.start(t, (socket) => {
      this.#socket = socket;
      socket.on("data", (chunk: Buffer) => {
        this.#codec.push(chunk, 0, chunk.length, 0);
        this.#flush();
      });
    });
    return port;
  }

  /** Opens the window again, until something more has come or the request has ended. */
  async take(): Promise<void> {
    const { received } = this;
    this.#codec.consume(1, initialWindowSize);
    this.#flush();
    while (received === this.received && !this.isEnded) await new Promise<void>((resolve) => (this.#wake = resolve));
  }

  /** Says that nothing follows. */
  goAway(): void {
    this.#codec.shutdown();
    this.#flush();
  }

  #flush(): void {
    while (this.#codec.hasOutput) {
      const { bytes, used } = this.#codec.takeOutput();
      this.#socket?.write(Buffer.from(bytes.subarray(0, used)));
    }
  }

  /** Behind its settings, so that these are known when the body begins. */
  onRequest(streamId: number, { method }: Http2RequestHead): void {
    this.#isTunnel = method === "CONNECT";
    this.#codec.sendHead(streamId, this.#isTunnel ? 200 : 103, new HeaderList(), false);
  }
  onData(streamId: number, _bytes: Buffer, start: number, end: number): void {
    if (this.received === 0) {
      if (this.#isTunnel) this.#codec.sendData(streamId, lastAnswer, 0, lastAnswer.length, false);
      else this.#codec.sendHead(streamId, 200, new HeaderList(), true);
    }
    this.received += end - start;
    this.#wake();
  }
  onEnd(streamId: number): void {
    if (this.#isTunnel) this.#codec.sendData(streamId, lastAnswer, 0, 0, true);
    this.isEnded = true;
    this.ended.resolve("end");
    this.#wake();
  }
  onReset(_streamId: number, errorCode: number): void {
    this.ended.resolve(errorCode);
  }
  onError(): void {}
  onGoAway(): void {}
  onHeadersTooLarge(): void {}
  onInformational(): void {}
  onPingAck(): void {}
  onResponse(): void {}
  onSettings(): void {}
  onTrailers(): void {}
  onViolation(): void {}
  onWritable(): void {}
}

/** A request that is answered, most of its body still waiting for the server's window. */
async function stallRequest(
  t: TestContext,
  fixture: Fixture,
  clusterAt: (port: number) => BoundCluster,
  firstWord: string,
): Promise<EarlyAnswer> {
  const server = new EarlyAnswer();
  const { sink, exchange } = fixture.open(clusterAt(await server.start(t)));
  sendHead(exchange, "POST", { kind: "length", bytes });
  await sink.saw(firstWord);
  exchange.sendData(Buffer.alloc(bytes, "x"), 0, bytes);
  exchange.end();
  await sink.ended;
  assert.deepEqual([sink.status, sink.failure], [200, undefined], "the answer waits for nothing");
  return server;
}

function stallHttp2(t: TestContext, fixture: Fixture): Promise<EarlyAnswer> {
  return stallRequest(t, fixture, (port) => makeCluster([port], { protocol: "http2" }), "informational 103");
}

/** By HTTP/1.1 inside a carrier, on a connection that serves no other request. */
function stallVirtual(t: TestContext, fixture: Fixture): Promise<EarlyAnswer> {
  return stallRequest(t, fixture, tunnelled, "connected");
}

test("a request's body that waits for a window when it is answered leaves whole, on a connection that goes away", {
  timeout: 30_000,
}, async (t) => {
  const server = await stallHttp2(t, new Fixture(t));
  server.goAway();
  while (!server.isEnded) await server.take();
  assert.equal(await server.ended.promise, "end");
});

for (const { what, stall } of [
  { what: "by HTTP/2", stall: stallHttp2 },
  { what: "on a connection inside a carrier that has had its last answer", stall: stallVirtual },
]) {
  test(`a request's body leaves whole, however slowly the server takes it: ${what}`, { timeout: 30_000 }, async (t) => {
    const fixture = new Fixture(t);
    const server = await stall(t, fixture);
    while (!server.isEnded) {
      await server.take();
      fixture.timers.advance(2 * 60_000);
    }
    assert.equal(await server.ended.promise, "end");
  });

  test(`a request's body whose window is not opened again is given up, with its stream: ${what}`, {
    timeout: 30_000,
  }, async (t) => {
    const fixture = new Fixture(t);
    const server = await stall(t, fixture);
    fixture.timers.advance(11 * 60_000);
    assert.equal(await server.ended.promise, Http2ErrorCode.cancel);
  });
}
