// What a request costs both codecs together, client and server in one process and without sockets.
//   node packages/http/scripts/bench-http2.ts
import { releaseOutputBuffer } from "@heddle/core";
import { defaultHttp2Limits, HeaderList, Http2Connection } from "../src/index.ts";
import type { Http2Sink } from "../src/index.ts";

const rounds = 6;
const turns = 5000;
const streamsPerTurn = 16;

const ignore = (): void => undefined;
const quiet: Http2Sink = {
  onRequest: ignore,
  onHeadersTooLarge: ignore,
  onInformational: ignore,
  onResponse: ignore,
  onData: ignore,
  onTrailers: ignore,
  onEnd: ignore,
  onReset: ignore,
  onViolation: ignore,
  onWritable: ignore,
  onSettings: ignore,
  onGoAway: ignore,
  onPingAck: ignore,
  onError: ({ reason }) => {
    throw new Error(reason);
  },
};

const body = Buffer.alloc(100, 0x78);
const answerFields = HeaderList.of(
  ["content-type", "text/plain"],
  ["date", "Mon, 21 Oct 2013 20:13:21 GMT"],
  ["content-length", String(body.length)],
);
const server: Http2Connection = new Http2Connection("server", defaultHttp2Limits, {
  ...quiet,
  onRequest: (id) => {
    server.sendHead(id, 200, answerFields, false);
    server.sendData(id, body, 0, body.length, true);
  },
});
const client: Http2Connection = new Http2Connection("client", defaultHttp2Limits, {
  ...quiet,
  onData: (id, _, start, end) => client.consume(id, end - start),
});

function exchange(): void {
  while (client.hasOutput || server.hasOutput) {
    const request = client.takeOutput();
    server.push(request.bytes, 0, request.used, 0);
    releaseOutputBuffer(request);
    const answer = server.takeOutput();
    client.push(answer.bytes, 0, answer.used, 0);
    releaseOutputBuffer(answer);
  }
}

let count = 0;
exchange();
for (let round = 0; round < rounds; round += 1) {
  const before = process.cpuUsage();
  for (let turn = 0; turn < turns; turn += 1) {
    for (let stream = 0; stream < streamsPerTurn; stream += 1) {
      count += 1;
      const headers = HeaderList.of(
        ["user-agent", "bench/1"],
        ["accept", "*/*"],
        ["x-request-id", `3f1c2a9e-0000-4000-8000-${count}`],
        ["traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"],
      );
      const path = `/api/${count % 1024}`;
      client.openStream({ method: "GET", scheme: "http", authority: "reviews:9080", path, headers }, true);
    }
    exchange();
  }
  const { user, system } = process.cpuUsage(before);
  console.log(
    `${((user + system) / (turns * streamsPerTurn)).toFixed(2)} µs of CPU per request and answer, both sides`,
  );
}
