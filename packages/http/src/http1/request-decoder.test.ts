import assert from "node:assert/strict";
import { test } from "node:test";
import { cutEveryByte, decodeRequests, testLimits } from "../testing/recorder.ts";
import type { RequestHead } from "./request-decoder.ts";
import { Http1RequestDecoder } from "./request-decoder.ts";

function decodeOne(input: string): Omit<RequestHead, "headers"> & { headers: [string, string][] } {
  const run = decodeRequests(input);
  assert.equal(run.violation, "");
  assert.equal(run.requests.length, 1);
  assert.equal(run.requests[0]?.isComplete, true);
  assert.ok(run.requests[0]);
  return run.requests[0].head;
}

const targets: [line: string, host: string, path: string, authority: string, scheme: string][] = [
  ["GET / HTTP/1.1", "a", "/", "a", ""],
  ["GET /a/../b?c=d&e HTTP/1.1", "a:8080", "/a/../b?c=d&e", "a:8080", ""],
  ["GET //a HTTP/1.1", "a", "//a", "a", ""],
  ['GET /a|b"{}^`\\ HTTP/1.1', "a", '/a|b"{}^`\\', "a", ""],
  ["GET http://b/x?y HTTP/1.1", "a", "/x?y", "b", "http"],
  ["GET HTTPS://b:443 HTTP/1.1", "a", "/", "b:443", "https"],
  ["GET http://b?y HTTP/1.1", "a", "/?y", "b", "http"],
  ["OPTIONS * HTTP/1.1", "a", "*", "a", ""],
  ["OPTIONS http://b HTTP/1.1", "a", "*", "b", "http"],
  ["OPTIONS http://b/ HTTP/1.1", "a", "/", "b", "http"],
  ["CONNECT b:443 HTTP/1.1", "a", "", "b:443", ""],
  ["CONNECT [::1]:443 HTTP/1.1", "a", "", "[::1]:443", ""],
  ["GET / HTTP/1.1", "[2001:db8::1]:80", "/", "[2001:db8::1]:80", ""],
  ["GET / HTTP/1.1", "a:", "/", "a", ""],
  ["get / HTTP/1.1", "a", "/", "a", ""],
  ["M-SEARCH / HTTP/1.1", "A.Example", "/", "A.Example", ""],
];

for (const [line, host, path, authority, scheme] of targets) {
  test(`reads "${line}" with host ${host}`, () => {
    const head = decodeOne(`${line}\r\nHost: ${host}\r\n\r\n`);
    assert.deepEqual([head.path, head.authority, head.scheme], [path, authority, scheme]);
    assert.equal(head.method, line.slice(0, line.indexOf(" ")));
    assert.equal(head.target, line.split(" ")[1]);
    assert.deepEqual(head.headers, []);
  });
}

test("an absolute target wins over Host (RFC 9112 section 3.2.2)", () => {
  assert.equal(decodeOne("GET http://target/ HTTP/1.1\r\nHost: other\r\n\r\n").authority, "target");
});

test("fields keep their order, names are lower case, white space around values is gone", () => {
  const head = decodeOne(
    "GET / HTTP/1.1\r\nX-B:  two  words \t\r\nHost: a\r\nx-a:\r\nX-B:\t3\r\nX-C: \xe9\xff\r\n\r\n",
  );
  assert.deepEqual(head.headers, [
    ["x-b", "two  words"],
    ["x-a", ""],
    ["x-b", "3"],
    ["x-c", "\xe9\xff"],
  ]);
});

test("one empty line before a request is skipped (RFC 9112 section 2.2)", () => {
  assert.equal(decodeOne("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n").path, "/");
});

const persistence: [version: string, connection: string, keepAlive: boolean][] = [
  ["1.1", "", true],
  ["1.1", "close", false],
  ["1.1", "Close", false],
  ["1.1", "keep-alive", true],
  ["1.1", "keep-alive, close", false],
  ["1.1", "x, CLOSE , y", false],
  ["1.1", "closed", true],
  ["1.0", "", false],
  ["1.0", "Keep-Alive", true],
  ["1.0", "keep-alive, close", false],
];

for (const [version, connection, keepAlive] of persistence) {
  test(`HTTP/${version} with "Connection: ${connection}" ${keepAlive ? "persists" : "closes"}`, () => {
    const field = connection === "" ? "" : `Connection: ${connection}\r\n`;
    assert.equal(decodeOne(`GET / HTTP/${version}\r\nHost: a\r\n${field}\r\n`).keepAlive, keepAlive);
  });
}

test("a connection does not persist after CONNECT: what follows was meant for the tunnel", () => {
  assert.equal(decodeOne("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n").keepAlive, false);
});

test("CONNECT may say that it has no body, as Envoy lets it", () => {
  const head = decodeOne("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nContent-Length: 0\r\n\r\n");
  assert.deepEqual([head.authority, head.bodyKind], ["a:1", "length"]);
});

test("two Connection fields count together", () => {
  assert.equal(decodeOne("GET / HTTP/1.1\r\nHost: a\r\nConnection: x\r\nConnection: close\r\n\r\n").keepAlive, false);
});

test("a repeated host and target are read anew when they differ by one byte", () => {
  const get = (target: string, host: string): string => `GET ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
  const run = decodeRequests(
    get("/a", "x:1") + get("/a", "x:1") + get("/b", "x:2") + get("/b", "x") + get("/bb", "y") + get("/c", "bad host"),
  );
  assert.deepEqual(
    run.requests.map(({ head }) => `${head.authority}${head.path}`),
    ["x:1/a", "x:1/a", "x:2/b", "x/b", "y/bb"],
  );
  assert.equal(run.violation, "badHost");
});

test("HTTP/1.0 needs no Host; its authority is empty", () => {
  const head = decodeOne("GET / HTTP/1.0\r\n\r\n");
  assert.deepEqual([head.authority, head.versionMinor], ["", 0]);
});

test("100-continue is seen in HTTP/1.1 only (RFC 9110 section 10.1.1)", () => {
  const expectation = "Expect: 100-Continue\r\nContent-Length: 0\r\n\r\n";
  assert.equal(decodeOne(`POST / HTTP/1.1\r\nHost: a\r\n${expectation}`).expectContinue, true);
  assert.equal(decodeOne(`POST / HTTP/1.0\r\nHost: a\r\n${expectation}`).expectContinue, false);
  assert.equal(decodeOne("GET / HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n").expectContinue, false);
});

test("an upgrade counts when Connection names it, in HTTP/1.1 (RFC 9110 section 7.8)", () => {
  const ask = (version: string, connection: string): string =>
    decodeOne(`GET / HTTP/${version}\r\nHost: a\r\nConnection: ${connection}\r\nUpgrade: WebSocket\r\n\r\n`).upgrade;
  assert.equal(ask("1.1", "Upgrade"), "websocket");
  assert.equal(ask("1.1", "keep-alive, upgrade"), "websocket");
  assert.equal(ask("1.1", "keep-alive"), "");
  assert.equal(ask("1.0", "upgrade"), "");
});

test("reads a body by its length", () => {
  const run = decodeRequests(
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 005\r\n\r\nhelloGET / HTTP/1.1\r\nHost: b\r\n\r\n",
  );
  assert.equal(run.violation, "");
  assert.deepEqual(
    run.requests.map((request) => [request.head.bodyKind, request.head.contentLength, request.body]),
    [
      ["length", 5, "hello"],
      ["none", -1, ""],
    ],
  );
});

test("a length of zero is a length", () => {
  const head = decodeOne("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
  assert.deepEqual([head.bodyKind, head.contentLength], ["length", 0]);
});

test("reads chunks, discards their extensions and delivers trailers", () => {
  const body = '5;a="b;c";d\r\nhello\r\n00A\r\n, 10 bytes\r\n0;last\r\nX-Sum: 1\r\nx-other:2\r\n\r\n';
  const input = `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n${body}`;
  for (const cuts of [[], cutEveryByte(input)]) {
    const run = decodeRequests(input, cuts);
    assert.equal(run.violation, "");
    assert.equal(run.requests[0]?.body, "hello, 10 bytes");
    assert.deepEqual(run.requests[0]?.trailers, [
      ["x-sum", "1"],
      ["x-other", "2"],
    ]);
    assert.equal(run.requests[0]?.isComplete, true);
    assert.equal(run.requests[0]?.head.contentLength, -1);
  }
});

test("trailers that frame, route or authenticate are dropped (RFC 9110 section 6.5.1)", () => {
  const trailers =
    "Content-Length: 5\r\nTransfer-Encoding: chunked\r\nHost: b\r\nAuthorization: x\r\nX-Forwarded-For: 1\r\nx-envoy-x: 1\r\nheddle-unprocessed: 1\r\nX-Ok: 1\r\n";
  const run = decodeRequests(`POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n${trailers}\r\n`);
  assert.deepEqual(run.requests[0]?.trailers, [["x-ok", "1"]]);
  assert.equal(run.requests[0]?.isComplete, true);
});

test("without enableTrailers trailers are checked and dropped", () => {
  const limits = { ...testLimits, enableTrailers: false };
  const good = decodeRequests(
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nx: 1\r\n\r\n",
    [],
    limits,
  );
  assert.deepEqual([good.requests[0]?.trailers, good.requests[0]?.isComplete], [[], true]);
  const bad = decodeRequests(
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nx : 1\r\n\r\n",
    [],
    limits,
  );
  assert.equal(bad.violation, "spaceBeforeColon");
});

test("exactly the limits is allowed", () => {
  const input = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  const run = decodeRequests(input, [], { ...testLimits, maxHeadBytes: input.length, maxHeaders: 1 });
  assert.equal(run.violation, "");
});

test("a head may be larger than the buffer that decoders share", () => {
  const value = "v".repeat(300 * 1024);
  const input = `GET / HTTP/1.1\r\nHost: a\r\nX: ${value}\r\nY: z\r\n\r\n`;
  for (const cuts of [[], [10, 100_000, 200_000]]) {
    const run = decodeRequests(input, cuts, { ...testLimits, maxHeadBytes: 1024 * 1024 });
    assert.deepEqual(run.requests[0]?.head.headers, [
      ["x", value],
      ["y", "z"],
    ]);
  }
});

test("decoders that read at the same time do not disturb each other", () => {
  const first = decodeRequests("GET /first HTTP/1.1\r\nX-A: one\r\nHost: a");
  const second = decodeRequests("GET /second HTTP/1.1\r\nHost: b\r\nX-B: two\r\nX-C: ");
  const push = (run: typeof first, text: string): number => run.decoder.push(Buffer.from(text), 0, text.length);
  push(first, "\r\nX-D: four\r\n");
  push(second, "three\r\n");
  push(first, "\r\n");
  push(second, "\r\n");
  assert.deepEqual(first.requests[0]?.head.headers, [
    ["x-a", "one"],
    ["x-d", "four"],
  ]);
  assert.deepEqual(second.requests[0]?.head.headers, [
    ["x-b", "two"],
    ["x-c", "three"],
  ]);
  assert.deepEqual([first.requests[0]?.head.target, second.requests[0]?.head.target], ["/first", "/second"]);
});

test("a head that pauses at the end of a line is not disturbed by another decoder", () => {
  const first = decodeRequests("GET /first HTTP/1.1\r\nX-A: one\r\n");
  const second = decodeRequests("GET /second HTTP/1.1\r\nHost: bb\r\nX-Bbbb: twotwo\r\n\r\n");
  const rest = "Host: a\r\n\r\n";
  first.decoder.push(Buffer.from(rest), 0, rest.length);
  assert.deepEqual(first.requests[0]?.head.headers, [["x-a", "one"]]);
  assert.deepEqual(second.requests[0]?.head.headers, [["x-bbbb", "twotwo"]]);
});

test("chunk extensions are counted per message", () => {
  const one = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;abc\r\nx\r\n0\r\n\r\n";
  const run = decodeRequests(one + one, [], { ...testLimits, maxChunkExtensionBytes: 5 });
  assert.deepEqual([run.violation, run.requests.map((request) => request.body)], ["", ["x", "x"]]);
});

test("push stops behind a request until next is called (pipelining)", () => {
  const heads: string[] = [];
  const decoder = new Http1RequestDecoder(testLimits, {
    onHead: (head) => void heads.push(head.path),
    onData() {},
    onTrailers() {},
    onEnd() {},
    onError() {},
  });
  const one = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n";
  const input = Buffer.from(`${one}${one.replace("/1", "/2")}`);
  assert.equal(decoder.push(input, 0, input.length), one.length);
  assert.equal(decoder.push(input, one.length, input.length), 0);
  assert.deepEqual([decoder.isBetweenMessages, heads.length], [false, 1]);
  decoder.next();
  assert.equal(decoder.isBetweenMessages, true);
  assert.equal(decoder.push(input, one.length, input.length), one.length);
  assert.deepEqual(heads, ["/1", "/2"]);
});

test("next may be called from onEnd, and the same push goes on", () => {
  const heads: string[] = [];
  const decoder: Http1RequestDecoder = new Http1RequestDecoder(testLimits, {
    onHead: (head) => void heads.push(head.path),
    onData() {},
    onTrailers() {},
    onEnd: () => decoder.next(),
    onError() {},
  });
  const input = Buffer.from(
    "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nxGET /3 HTTP/1.1\r\nHost: a\r\n\r\n",
  );
  assert.equal(decoder.push(input, 0, input.length), input.length);
  assert.deepEqual(heads, ["/1", "/2", "/3"]);
});

test("after abandon the sink hears nothing more, not even from the same push", () => {
  let events = 0;
  const decoder: Http1RequestDecoder = new Http1RequestDecoder(testLimits, {
    onHead() {
      events += 1;
      decoder.abandon();
    },
    onData: () => void (events += 1),
    onTrailers: () => void (events += 1),
    onEnd: () => void (events += 1),
    onError: () => void (events += 1),
  });
  const input = Buffer.from("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx\0\0");
  assert.equal(decoder.push(input, 0, input.length), input.length);
  decoder.finish();
  assert.equal(events, 1);
});

test("headStarted and isBetweenMessages tell where the connection is", () => {
  const states = (text: string): [boolean, boolean] => {
    const { decoder } = decodeRequests(text);
    return [decoder.isBetweenMessages, decoder.headStarted];
  };
  assert.deepEqual(states(""), [true, false]);
  assert.deepEqual(states("\r\n"), [true, false]);
  assert.deepEqual(states("G"), [false, true]);
  assert.deepEqual(states("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nx"), [false, false]);
  assert.deepEqual(states("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), [true, false]);
});

test("the end of the connection is an error within a request and nothing between requests", () => {
  const finish = (text: string): string => decodeRequests(text, [], testLimits, true).violation;
  assert.equal(finish(""), "");
  assert.equal(finish("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), "");
  assert.equal(finish("G"), "endOfInput");
  assert.equal(finish("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nx"), "endOfInput");
  assert.equal(finish("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"), "endOfInput");
});
