import assert from "node:assert/strict";
import { test } from "node:test";
import { cutEveryByte, decodeResponse, testLimits } from "../testing/recorder.ts";
import { Http1ResponseDecoder } from "./response-decoder.ts";
import type { Rule } from "./violation.ts";

const ok = (fields: string, body = ""): string => `HTTP/1.1 200 OK\r\n${fields}\r\n${body}`;

test("reads a response by its length and may be reused", () => {
  const run = decodeResponse(ok("Content-Length: 5\r\nX-A: b\r\n", "hello"));
  const [response] = run.responses;
  assert.deepEqual(
    [response?.head?.status, response?.head?.reason, response?.head?.bodyKind, response?.head?.contentLength],
    [200, "OK", "length", 5],
  );
  assert.deepEqual(response?.head?.headers, [
    ["content-length", "5"],
    ["x-a", "b"],
  ]);
  assert.deepEqual([response?.body, response?.isComplete, run.decoder.isReusable], ["hello", true, true]);
});

test("reads chunks and trailers, in any pieces", () => {
  const input = ok("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\nX: y\r\n\r\n");
  for (const cuts of [[], cutEveryByte(input)]) {
    const run = decodeResponse(input, { cuts });
    assert.deepEqual(
      [run.responses[0]?.body, run.responses[0]?.trailers, run.decoder.isReusable],
      ["hello", [["x", "y"]], true],
    );
  }
});

test("without length and chunks the body ends with the connection", () => {
  const run = decodeResponse(ok("", "all of it"), { isFinished: true });
  assert.deepEqual(
    [run.responses[0]?.head?.bodyKind, run.responses[0]?.body, run.responses[0]?.isComplete],
    ["close", "all of it", true],
  );
  assert.deepEqual([run.responses[0]?.head?.keepAlive, run.decoder.isReusable, run.violation], [false, false, ""]);
});

const bodiless: [title: string, method: string, input: string][] = [
  ["the answer to HEAD", "HEAD", ok("Content-Length: 5\r\n")],
  ["the chunked answer to HEAD", "HEAD", ok("Transfer-Encoding: chunked\r\n")],
  ["204", "GET", "HTTP/1.1 204 No Content\r\n\r\n"],
  ["204 with a length of zero", "GET", "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"],
  ["304", "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"],
];

for (const [title, method, input] of bodiless) {
  test(`${title} has no body (RFC 9112 section 6.3)`, () => {
    const run = decodeResponse(input, { method });
    assert.deepEqual(
      [run.violation, run.responses[0]?.head?.bodyKind, run.responses[0]?.isComplete, run.decoder.isReusable],
      ["", "none", true, true],
    );
  });
}

test("the answer to HEAD keeps its length, 204 loses it", () => {
  const head = (input: string, method: string): unknown =>
    decodeResponse(input, { method }).responses[0]?.head?.headers;
  assert.deepEqual(head(ok("Content-Length: 5\r\n"), "HEAD"), [["content-length", "5"]]);
  assert.deepEqual(head("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", "GET"), []);
});

test("a 2xx to CONNECT is followed by a tunnel, whatever its fields say (RFC 9110 section 9.3.6)", () => {
  const run = decodeResponse("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nmore than two", { method: "CONNECT" });
  assert.deepEqual(
    [run.responses[0]?.head?.bodyKind, run.responses[0]?.body, run.responses[0]?.head?.headers],
    ["close", "more than two", []],
  );
  const refused = decodeResponse("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno", { method: "CONNECT" });
  assert.deepEqual([refused.responses[0]?.head?.bodyKind, refused.responses[0]?.isComplete], ["length", true]);
});

test("101 is an answer to an upgrade and a violation otherwise", () => {
  const input = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n\x81\x00";
  const asked = decodeResponse(input, { isUpgrade: true });
  assert.deepEqual(
    [asked.responses[0]?.head?.status, asked.responses[0]?.head?.bodyKind, asked.responses[0]?.body],
    [101, "close", "\x81\x00"],
  );
  const unasked = decodeResponse(input);
  assert.deepEqual([unasked.violation, unasked.responses[0]?.head], ["unexpectedUpgrade", undefined]);
});

test("informational responses come before the final one", () => {
  const input =
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
  for (const cuts of [[], cutEveryByte(input)]) {
    const run = decodeResponse(input, { cuts });
    assert.deepEqual(
      [run.responses[0]?.informational, run.responses[0]?.head?.status, run.responses[0]?.isComplete],
      [[100, 103], 200, true],
    );
  }
});

const persistence: [line: string, fields: string, isReusable: boolean][] = [
  ["HTTP/1.1 200 OK", "", true],
  ["HTTP/1.1 200 OK", "Connection: close\r\n", false],
  ["HTTP/1.0 200 OK", "", false],
  ["HTTP/1.0 200 OK", "Connection: keep-alive\r\n", true],
  ["HTTP/1.1 200", "", true],
  ["HTTP/1.1 200 ", "", true],
  ["HTTP/1.1 999 \xe9\t!", "", true],
];

for (const [line, fields, isReusable] of persistence) {
  test(`"${line}" with "${fields.trim()}" is ${isReusable ? "" : "not "}reusable`, () => {
    assert.equal(decodeResponse(`${line}\r\n${fields}Content-Length: 0\r\n\r\n`).decoder.isReusable, isReusable);
  });
}

const malformed: [title: string, input: string, rule: Rule][] = [
  ["two different Content-Length", ok("Content-Length: 1\r\nContent-Length: 2\r\n", "x"), "manyContentLengths"],
  ["a list of lengths", ok("Content-Length: 1, 2\r\n", "x"), "badContentLength"],
  [
    "Content-Length with Transfer-Encoding",
    ok("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
    "lengthAndChunked",
  ],
  ["Transfer-Encoding that does not end in chunked", ok("Transfer-Encoding: gzip\r\n"), "badTransferEncoding"],
  ["a coding before chunked", ok("Transfer-Encoding: gzip, chunked\r\n"), "unknownTransferCoding"],
  [
    "Transfer-Encoding in HTTP/1.0",
    "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    "transferEncodingNotAllowed",
  ],
  [
    "Transfer-Encoding in 204",
    "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
    "transferEncodingNotAllowed",
  ],
  [
    "Transfer-Encoding in 1xx",
    "HTTP/1.1 103 Early Hints\r\nTransfer-Encoding: chunked\r\n\r\n",
    "transferEncodingNotAllowed",
  ],
  ["a body in 204", "HTTP/1.1 204 No Content\r\nContent-Length: 1\r\n\r\nx", "contentLengthNotAllowed"],
  ["obs-fold", ok("X: a\r\n b\r\n"), "foldedField"],
  ["a space before a colon", ok("X : a\r\n"), "spaceBeforeColon"],
  ["a NUL in a value", ok("X: \0\r\n"), "badFieldValue"],
  ["a bare line feed after a field", ok("X: a\n"), "bareLf"],
  ["a bare line feed after the status line", "HTTP/1.1 200 OK\n\r\n", "bareLf"],
  ["a bare carriage return in the reason", "HTTP/1.1 200 O\rK\r\n\r\n", "bareCr"],
  ["a NUL in the reason", "HTTP/1.1 200 O\0K\r\n\r\n", "badStatusLine"],
  ["a status of two digits", "HTTP/1.1 20 OK\r\n\r\n", "badStatusLine"],
  ["a status of four digits", "HTTP/1.1 2000 OK\r\n\r\n", "badStatusLine"],
  ["a status below 100", "HTTP/1.1 099 OK\r\n\r\n", "badStatusLine"],
  ["two spaces before the status", "HTTP/1.1  200 OK\r\n\r\n", "badStatusLine"],
  ["another protocol", "SSH-2.0-OpenSSH_9.2\r\n", "badStatusLine"],
  ["another version", "HTTP/2.0 200 OK\r\n\r\n", "badVersion"],
  ["an empty line before the status line", "\r\nHTTP/1.1 200 OK\r\n\r\n", "badStatusLine"],
];

for (const [title, input, rule] of malformed) {
  test(`refuses ${title} from an upstream`, () => {
    for (const cuts of [[], cutEveryByte(Buffer.from(input, "latin1"))]) {
      const run = decodeResponse(input, { cuts });
      assert.deepEqual([run.violation, run.code, run.responses[0]?.head], [rule, "upstream_protocol_error", undefined]);
    }
  });
}

test("a violation in the body has a code of its own: the response has begun", () => {
  const run = decodeResponse(ok("Transfer-Encoding: chunked\r\n", "x"));
  assert.deepEqual(
    [run.violation, run.code, run.responses[0]?.isComplete],
    ["badChunk", "upstream_protocol_error_mid_response", false],
  );
});

test("the end of the connection within a response is an error that tells whether the head had come", () => {
  const code = (input: string): string => decodeResponse(input, { isFinished: true }).code;
  assert.equal(code(""), "upstream_reset");
  assert.equal(code("HTTP/1.1 100 Continue\r\n\r\n"), "upstream_reset");
  assert.equal(code("HTTP/1.1 200 OK\r\nContent-Le"), "upstream_reset");
  assert.equal(code(ok("Content-Length: 5\r\n", "hell")), "upstream_reset_mid_response");
  assert.equal(code(ok("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n")), "upstream_reset_mid_response");
  assert.equal(code(ok("Content-Length: 5\r\n", "hello")), "");
});

test("bytes behind a response poison the connection before the sink hears of the end", () => {
  const reusable: boolean[] = [];
  const answers: number[] = [];
  const decoder: Http1ResponseDecoder = new Http1ResponseDecoder(testLimits, {
    onInformational() {},
    onHead: (head) => void answers.push(head.status),
    onData() {},
    onTrailers() {},
    onEnd() {
      reusable.push(decoder.isReusable);
      // What a pool without care would do: lend the connection to the next request at once.
      decoder.expect("GET");
    },
    onError() {},
  });
  decoder.expect("GET");
  const input = Buffer.from(`${ok("Content-Length: 0\r\n")}HTTP/1.1 418 Planted\r\nContent-Length: 0\r\n\r\n`);
  decoder.push(input, 0, input.length);
  decoder.push(input, 0, input.length);
  assert.deepEqual([answers, reusable], [[200], [false]]);
});

test("bytes on an idle connection are a violation", () => {
  const run = decodeResponse(ok("Content-Length: 0\r\n"));
  assert.equal(run.decoder.isReusable, true);
  run.decoder.push(Buffer.from("HTTP/1.1 408 "), 0, 13);
  assert.deepEqual([run.violation, run.decoder.isReusable], ["unsolicited", false]);
});

test("a second request on a connection that is still answering the first is a defect and says so", () => {
  const run = decodeResponse(ok("Content-Length: 5\r\n", "hell"));
  assert.throws(() => run.decoder.expect("GET"), /one request at a time/);
});

test("one decoder reads one response after the other", () => {
  const run = decodeResponse(ok("Content-Length: 1\r\n", "a"));
  run.decoder.expect("HEAD");
  const second = Buffer.from(ok("Content-Length: 7\r\n"));
  run.decoder.push(second, 0, second.length);
  assert.deepEqual(
    [run.responses[0]?.head?.contentLength, run.responses[0]?.head?.bodyKind, run.decoder.isReusable],
    [7, "none", true],
  );
});

test("an idle connection that ends is no error", () => {
  const run = decodeResponse(ok("Content-Length: 0\r\n"), { isFinished: true });
  assert.deepEqual([run.violation, run.decoder.isReusable], ["", false]);
});

test("informational responses are borne 32 times, for each request anew", () => {
  const early = "HTTP/1.1 103 Early Hints\r\n\r\n";
  const answer = "HTTP/1.1 204 No Content\r\n\r\n";
  assert.equal(decodeResponse(early.repeat(32) + answer).violation, "");
  const run = decodeResponse(early.repeat(33) + answer);
  assert.equal(run.violation, "tooManyInformational");
  assert.equal(run.responses[0]?.informational.length, 32);
});
