import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Fixture, makeCluster, sendHead } from "./testing/fixture.ts";
import { RecordingSink } from "./testing/recording-sink.ts";
import { onEachHead, ScriptedUpstream } from "./testing/scripted-upstream.ts";

/** What an upstream may do with a request. */
const deeds = [
  "answer",
  "answer-close",
  "reset",
  "end",
  "garbage",
  "half",
  "surplus",
  "chunked",
  "early-continue",
] as const;
type Deed = (typeof deeds)[number];

const answers: Readonly<Record<Exclude<Deed, "reset" | "end">, string>> = {
  answer: "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi",
  "answer-close": "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nhi",
  garbage: "this is not HTTP\r\n\r\n",
  half: "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf",
  surplus: "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil",
  chunked: "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
  "early-continue": "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi",
};

test("whatever an upstream does, each exchange ends once and every count returns to nothing", async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ deed: fc.constantFrom(...deeds), cancels: fc.boolean(), bodyBytes: fc.nat(3) }), {
        minLength: 1,
        maxLength: 12,
      }),
      fc.integer({ min: 1, max: 3 }),
      async (plan, maxConnections) => {
        let next = 0;
        const upstream = await ScriptedUpstream.start(t, (socket) =>
          onEachHead(socket, () => {
            const { deed } = plan[next++ % plan.length]!;
            if (deed === "reset") socket.resetAndDestroy();
            else if (deed === "end") socket.end();
            else if (deed === "half") socket.end(answers.half);
            else socket.write(answers[deed]);
          }),
        );
        const fixture = new Fixture(t);
        const cluster = makeCluster([upstream.port], { limits: { maxConnections } });
        const kept: RecordingSink[] = [];
        for (const { cancels, bodyBytes } of plan) {
          const sink = new RecordingSink();
          const { exchange } = fixture.open(cluster, sink);
          sendHead(exchange, "POST", { kind: "length", bytes: bodyBytes });
          if (bodyBytes > 0) exchange.sendData(Buffer.alloc(bodyBytes, "b"), 0, bodyBytes);
          exchange.end();
          if (cancels && sink.terminations === 0) exchange.cancel();
          else kept.push(sink);
          if (cancels) assert.equal(sink.terminations, 0);
        }
        await Promise.all(kept.map((sink) => sink.ended));
        for (const sink of kept) {
          assert.equal(sink.terminations, 1);
          // A body is the answer or a visible break, never somebody else's answer.
          assert.ok(sink.failure !== undefined || sink.body === "hi", sink.body);
        }
        fixture.transport.close();
        await new Promise((resolve) => setImmediate(resolve));
        const state = fixture.live.cluster(cluster);
        while (state.connections > 0) await new Promise((resolve) => setImmediate(resolve));
        assert.equal(state.pendingRequests, 0);
      },
    ),
    { numRuns: 40 },
  );
});
