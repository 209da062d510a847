import assert from "node:assert/strict";
import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { constants, createServer as createHttp2Server } from "node:http2";
import type { AddressInfo, Socket } from "node:net";
import { createServer } from "node:net";
import type { TestContext } from "node:test";
import { describe, it } from "node:test";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { create, toBinary } from "@bufbuild/protobuf";
import type { DeltaDiscoveryRequest } from "../api/index.ts";
import { AggregatedDiscoveryService } from "../api/discovery-service.ts";
import { CLUSTER_TYPE, DeltaDiscoveryRequestSchema, DeltaDiscoveryResponseSchema } from "../api/index.ts";
import type { Timers } from "../keep-alive.ts";
import { AdsFixture } from "../testing/ads-fixture.ts";
import { ManualTimers } from "../testing/manual-timers.ts";
import { snapshot } from "../testing/resources.ts";
import { delta } from "./delta.ts";
import { GrpcConnection } from "./grpc-connection.ts";
import { GrpcError } from "./grpc-error.ts";
import { RequestQueue } from "./request-queue.ts";

describe("dialling", () => {
  it("gives up on a control plane that accepts the connection and says nothing", async (t) => {
    const { url, close } = await silentServer();
    t.after(close);
    const timers = new ManualTimers();
    const dialling = GrpcConnection.dial({ url, connectTimeoutMs: 3000, timers }, new AbortController().signal);
    const refused = assert.rejects(dialling, /no connection to https:\/\/127\.0\.0\.1:\d+ within 3000 ms/);
    assert.equal(await timers.fire(), 3000);
    await refused;
  });

  it("sends no PING on a connection that was closed under its stream", async (t) => {
    const fixture = new AdsFixture();
    fixture.snapshots.set("p", snapshot("1", {}));
    await fixture.listen(t);
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const timers = { setTimeout, clearTimeout };
    const connection = await GrpcConnection.dial(
      { url: fixture.url, connectTimeoutMs: 3000, timers },
      new AbortController().signal,
    );
    const requests = new RequestQueue<DeltaDiscoveryRequest>();
    const responses = delta.open(connection, requests, {})[Symbol.asyncIterator]();
    requests.push(create(DeltaDiscoveryRequestSchema, { node: { id: "p" }, typeUrl: CLUSTER_TYPE }));
    assert.equal((await responses.next()).done, false);
    connection.close();
    await assert.rejects(responses.next());
    requests.close();
    await fixture.changes.until("the server to see it", () => fixture.calls.includes("gone p"));
    t.mock.timers.tick(60_000);
  });

  it("ends when it is aborted, and leaves no timer", async (t) => {
    const { url, close } = await silentServer();
    t.after(close);
    const timers = new ManualTimers();
    const stopping = new AbortController();
    const dialling = GrpcConnection.dial({ url, connectTimeoutMs: 3000, timers }, stopping.signal);
    const refused = assert.rejects(dialling);
    stopping.abort();
    await refused;
    assert.deepEqual(timers.delays, []);
  });
});

describe("calling", () => {
  it("yields what a foreign server streams, whatever its size, and ends with it", async (t) => {
    const sizes = [0, 1, 70_000, 3];
    const connection = await connectionTo(t, (stream) => {
      stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
      stream.once("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
      const frames = Buffer.concat(sizes.map((size) => response({ typeUrl: "t", nonce: "n".repeat(size) })));
      // In pieces that end anywhere: within a head, within a message, between two.
      for (let at = 0; at < frames.length; at += 997) stream.write(frames.subarray(at, at + 997));
      stream.end();
    });
    const nonces = [];
    for await (const { nonce } of call(connection)) nonces.push(nonce.length);
    assert.deepEqual(nonces, sizes);
  });

  it("sends each request as a message with gRPC's headers", async (t) => {
    let seen: IncomingHttpHeaders = {};
    const received: Buffer[] = [];
    const connection = await connectionTo(t, (stream, headers) => {
      seen = headers;
      stream.on("data", (bytes: Buffer) => received.push(bytes));
      stream.once("end", () => {
        stream.respond({ ":status": 200, "content-type": "application/grpc", "grpc-status": "0" }, { endStream: true });
      });
    });
    const requests = ["a", "b"].map((id) => create(DeltaDiscoveryRequestSchema, { node: { id } }));
    const answers = connection.call(AggregatedDiscoveryService.method.deltaAggregatedResources, requests, {
      headers: { authorization: "Bearer t" },
    });
    assert.equal((await answers.next()).done, true);
    assert.equal(seen[":path"], "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources");
    assert.deepEqual([seen["content-type"], seen.te, seen.authorization], ["application/grpc", "trailers", "Bearer t"]);
    assert.deepEqual(
      Buffer.concat(received),
      Buffer.concat(requests.map((each) => frame(toBinary(DeltaDiscoveryRequestSchema, each)))),
    );
  });

  it("ends with the status OK in a head, whether or not the answer does", async (t) => {
    const connection = await connectionTo(t, (stream) => {
      stream.respond({ ":status": 200, "content-type": "application/grpc", "grpc-status": "0" });
      stream.write("");
    });
    assert.equal((await call(connection).next()).done, true);
  });

  it("waits for a server that takes large requests slowly, and leaves nothing behind on the stream", async (t) => {
    let received = 0;
    const connection = await connectionTo(t, (stream) => {
      stream.on("data", (bytes: Buffer) => (received += bytes.length));
      stream.once("end", () => {
        stream.respond({ ":status": 200, "content-type": "application/grpc", "grpc-status": "0" }, { endStream: true });
      });
    });
    const warnings: string[] = [];
    const onWarning = (warning: Error): void => void warnings.push(warning.message);
    process.on("warning", onWarning);
    t.after(() => process.off("warning", onWarning));
    const requests = Array.from({ length: 20 }, () =>
      create(DeltaDiscoveryRequestSchema, { node: { id: "p".repeat(100_000) } }),
    );
    const answers = connection.call(AggregatedDiscoveryService.method.deltaAggregatedResources, requests);
    assert.equal((await answers.next()).done, true);
    assert.ok(received > 20 * 100_000);
    assert.deepEqual(warnings, []);
  });

  const refusals: readonly (readonly [
    what: string,
    answer: (stream: ServerHttp2Stream) => void,
    error: RegExp,
    status: number,
  ])[] = [
    [
      "a status in the head alone, its message encoded",
      (stream) =>
        stream.respond(
          {
            ":status": 200,
            "content-type": "application/grpc",
            "grpc-status": "7",
            "grpc-message": "not%20you%3A%20%C3%A9",
          },
          { endStream: true },
        ),
      /^PermissionDenied: not you: é$/,
      7,
    ],
    [
      "a status in the trailers, after messages",
      (stream) => {
        stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
        stream.once("wantTrailers", () => stream.sendTrailers({ "grpc-status": "8", "grpc-message": "100%" }));
        stream.end(response({ typeUrl: "t" }));
      },
      /^ResourceExhausted: 100%$/,
      8,
    ],
    [
      "an answer that is not gRPC",
      (stream) => {
        stream.respond({ ":status": 503, "content-type": "text/html" });
        stream.end("<html>\x00\x00 not a message");
      },
      /^the server answered HTTP 503 \(text\/html\), which is not gRPC$/,
      14,
    ],
    [
      "an answer that is not gRPC and does not end",
      (stream) => {
        stream.respond({ ":status": 503, "content-type": "text/html" });
        stream.write("<html>");
      },
      /^the server answered HTTP 503 \(text\/html\), which is not gRPC$/,
      14,
    ],
    [
      "an answer that is not gRPC, though its status is OK",
      (stream) => stream.respond({ ":status": 502, "grpc-status": "0" }, { endStream: true }),
      /^the server answered HTTP 502 \(without a content-type\), which is not gRPC$/,
      14,
    ],
    [
      "a status in the head of an answer that does not end",
      (stream) => {
        stream.respond({
          ":status": 200,
          "content-type": "application/grpc",
          "grpc-status": "7",
          "grpc-message": "not you",
        });
        stream.write("");
      },
      /^PermissionDenied: not you$/,
      7,
    ],
    [
      "a message that cannot be read",
      (stream) => {
        stream.respond({ ":status": 200, "content-type": "application/grpc" });
        stream.write(frame(Buffer.from([0xff])));
      },
      /^a message of the server cannot be read: .+$/,
      13,
    ],
    [
      "a message that is cut off, whatever the status says",
      (stream) => {
        stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
        stream.once("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
        stream.end(frame(Buffer.from("abc")).subarray(0, 7));
      },
      /^the server ended in the middle of a message$/,
      13,
    ],
    [
      "a compressed message",
      (stream) => {
        stream.respond({ ":status": 200, "content-type": "application/grpc" });
        stream.end(Buffer.from([1, 0, 0, 0, 0]));
      },
      /^the server compressed a message, unasked$/,
      13,
    ],
    [
      "a message that is too long to be gathered",
      (stream) => {
        stream.respond({ ":status": 200, "content-type": "application/grpc" });
        stream.write(Buffer.from([0, 0xff, 0, 0, 0]));
      },
      /^the server sends a message of 4278190080 bytes; 268435456 are taken at most$/,
      8,
    ],
    [
      "a stream that is reset before any answer",
      (stream) => stream.close(constants.NGHTTP2_INTERNAL_ERROR),
      /^the connection to the server was lost/,
      14,
    ],
    [
      "a connection that is lost in the middle of an answer",
      (stream) => {
        stream.respond({ ":status": 200, "content-type": "application/grpc" });
        stream.write(response({ typeUrl: "t" }), () => stream.session?.destroy());
      },
      /^the connection to the server was lost/,
      14,
    ],
  ];
  for (const [what, answer, error, status] of refusals) {
    it(`throws for ${what}`, async (t) => {
      const connection = await connectionTo(t, answer);
      await assert.rejects(
        async () => {
          for await (const _ of call(connection));
        },
        (thrown) => {
          assert.ok(thrown instanceof GrpcError);
          assert.match(thrown.message, error);
          assert.equal(thrown.status, status);
          return true;
        },
      );
    });
  }

  it("ends with its signal", async (t) => {
    const connection = await connectionTo(t, (stream) => stream.resume());
    const stopping = new AbortController();
    const answers = call(connection, stopping.signal);
    const ended = assert.rejects(answers.next(), { name: "AbortError" });
    stopping.abort();
    await ended;
  });
});

it("ends a connection whose PING is not answered", async (t) => {
  const peer = createServer((socket) => {
    t.after(() => socket.destroy());
    socket.on("error", () => socket.destroy());
    // SETTINGS, and never anything else.
    socket.write(Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]));
  });
  await new Promise<void>((resolve) => peer.listen(0, "127.0.0.1", resolve));
  t.after(() => peer.close());
  const timers = new ManualTimers();
  const url = `http://127.0.0.1:${(peer.address() as AddressInfo).port}`;
  const connection = await GrpcConnection.dial({ url, connectTimeoutMs: 3000, timers }, new AbortController().signal);
  t.after(() => connection.close());
  const ended = assert.rejects(call(connection).next(), /the connection to the server was lost/);
  assert.equal(await timers.fire(), 30_000);
  assert.equal(await timers.fire(), 10_000);
  await ended;
});

it("ends a connection whose server went away in part: no PING would find it dead", async (t) => {
  const timers = new ManualTimers();
  const connection = await connectionTo(
    t,
    (stream) => {
      stream.respond({ ":status": 200, "content-type": "application/grpc" });
      stream.session?.goaway();
      stream.write(response({ typeUrl: "t" }));
    },
    timers,
  );
  const answers = call(connection);
  assert.equal((await answers.next()).value?.typeUrl, "t");
  const ended = assert.rejects(answers.next(), /the connection to the server was lost/);
  assert.equal(await timers.fire(), 30_000);
  await ended;
  assert.deepEqual(timers.delays, []);
});

it("tells what ended the requests", async (t) => {
  const connection = await connectionTo(t, (stream) => stream.resume());
  async function* requests(): AsyncGenerator<DeltaDiscoveryRequest> {
    yield create(DeltaDiscoveryRequestSchema, {});
    throw new Error("no more requests");
  }
  const answers = connection.call(AggregatedDiscoveryService.method.deltaAggregatedResources, requests());
  await assert.rejects(answers.next(), /no more requests/);
});

function call(connection: GrpcConnection, signal?: AbortSignal) {
  const requests = new RequestQueue<DeltaDiscoveryRequest>();
  return connection.call(
    AggregatedDiscoveryService.method.deltaAggregatedResources,
    requests,
    signal === undefined ? {} : { signal },
  );
}

function response(init: MessageInitShape<typeof DeltaDiscoveryResponseSchema>): Buffer {
  return frame(toBinary(DeltaDiscoveryResponseSchema, create(DeltaDiscoveryResponseSchema, init)));
}

function frame(bytes: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

/** A connection to a server of the runtime's own HTTP/2 that answers every call in this way. */
async function connectionTo(
  t: TestContext,
  answer: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void,
  timers: Timers<unknown> = { setTimeout, clearTimeout },
): Promise<GrpcConnection> {
  const server = createHttp2Server();
  server.on("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    stream.on("error", () => {
      // The client gives a call up: that is what is tested.
    });
    answer(stream, headers);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const connection = await GrpcConnection.dial(
    {
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      connectTimeoutMs: 3000,
      timers,
    },
    new AbortController().signal,
  );
  t.after(() => {
    connection.close();
    server.close();
  });
  return connection;
}

/** Takes TCP connections and never answers the TLS handshake. */
async function silentServer(): Promise<{ url: string; close: () => void }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    socket.on("error", () => {
      // The client goes away in the middle of its handshake: that is what is tested.
    });
    socket.resume();
    sockets.add(socket);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const close = (): void => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  return { url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`, close };
}
