import assert from "node:assert/strict";
import { test } from "node:test";
import { cutEveryByte, decodeRequests, testLimits } from "../testing/recorder.ts";
import type { Http1Limits } from "./limits.ts";
import type { Rule } from "./violation.ts";

const host = "Host: a\r\n";
const get = (fields: string): string => `GET / HTTP/1.1\r\n${host}${fields}\r\n`;
const post = (fields: string, body = ""): string => `POST / HTTP/1.1\r\n${host}${fields}\r\n${body}`;
const chunked = (body: string): string => post("Transfer-Encoding: chunked\r\n", body);
const fields = (count: number): string => Array.from({ length: count }, (_, i) => `x-${i}: y\r\n`).join("");

/** Every way of being malformed that the project's issue names, and their relatives; nothing of it may be forwarded. */
const malformed: [title: string, input: string, rule: Rule, status?: number, limits?: Partial<Http1Limits>][] = [
  // Framing.
  ["two different Content-Length", post("Content-Length: 5\r\nContent-Length: 6\r\n", "hello"), "manyContentLengths"],
  ["the same Content-Length twice", post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"), "manyContentLengths"],
  ["a list of different lengths", post("Content-Length: 5, 6\r\n", "hello"), "badContentLength"],
  ["a list of equal lengths", post("Content-Length: 5, 5\r\n", "hello"), "badContentLength"],
  ["a signed Content-Length", post("Content-Length: +5\r\n", "hello"), "badContentLength"],
  ["a negative Content-Length", post("Content-Length: -1\r\n"), "badContentLength"],
  ["an empty Content-Length", post("Content-Length:\r\n"), "badContentLength"],
  ["a hexadecimal Content-Length", post("Content-Length: 0x5\r\n", "hello"), "badContentLength"],
  ["a Content-Length with a space inside", post("Content-Length: 1 0\r\n"), "badContentLength"],
  ["a fractional Content-Length", post("Content-Length: 5.0\r\n", "hello"), "badContentLength"],
  ["a Content-Length beyond 2^53", post("Content-Length: 9007199254740993\r\n"), "badContentLength"],
  ["a Content-Length of 30 zeros", post(`Content-Length: ${"0".repeat(30)}\r\n`), "badContentLength"],
  ["a Content-Length of 30 digits", post(`Content-Length: ${"1".repeat(30)}\r\n`), "badContentLength"],
  [
    "Content-Length with Transfer-Encoding",
    post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
    "lengthAndChunked",
  ],
  [
    "Transfer-Encoding with Content-Length",
    post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"),
    "lengthAndChunked",
  ],
  [
    "Content-Length with a broken Transfer-Encoding",
    post("Content-Length: 5\r\nTransfer-Encoding: xchunked\r\n", "hello"),
    "lengthAndChunked",
  ],
  [
    "Transfer-Encoding that does not end in chunked",
    post("Transfer-Encoding: chunked, gzip\r\n"),
    "badTransferEncoding",
  ],
  ["Transfer-Encoding without chunked", post("Transfer-Encoding: gzip\r\n"), "badTransferEncoding"],
  ["an unknown Transfer-Encoding", post("Transfer-Encoding: xchunked\r\n"), "badTransferEncoding"],
  ["an identity Transfer-Encoding", post("Transfer-Encoding: identity\r\n"), "badTransferEncoding"],
  ["an empty Transfer-Encoding", post("Transfer-Encoding:\r\n"), "badTransferEncoding"],
  ["chunked twice in one field", post("Transfer-Encoding: chunked, chunked\r\n"), "badTransferEncoding"],
  [
    "chunked in two fields",
    post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
    "badTransferEncoding",
  ],
  [
    "chunked and then identity in two fields",
    post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"),
    "badTransferEncoding",
  ],
  ["chunked with a parameter", post("Transfer-Encoding: chunked;q=1\r\n"), "badTransferEncoding"],
  ["quoted chunked", post('Transfer-Encoding: "chunked"\r\n'), "badTransferEncoding"],
  ["an empty element before chunked", post("Transfer-Encoding: , chunked\r\n"), "badTransferEncoding"],
  ["a coding before chunked", post("Transfer-Encoding: gzip, chunked\r\n"), "unknownTransferCoding", 501],
  ["a vertical tab before chunked", post("Transfer-Encoding: \x0bchunked\r\n"), "badFieldValue"],
  [
    "Transfer-Encoding in HTTP/1.0",
    "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "transferEncodingNotAllowed",
  ],
  [
    "CONNECT with Content-Length",
    "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nContent-Length: 1\r\n\r\n",
    "contentLengthNotAllowed",
  ],
  [
    "CONNECT with Transfer-Encoding",
    "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nTransfer-Encoding: chunked\r\n\r\n",
    "transferEncodingNotAllowed",
  ],

  // Chunks.
  ["a chunk size that is no number", chunked("x\r\n"), "badChunk"],
  ["a chunk size with a prefix", chunked("0x5\r\nhello\r\n0\r\n\r\n"), "badChunk"],
  ["a signed chunk size", chunked("+5\r\nhello\r\n0\r\n\r\n"), "badChunk"],
  ["a negative chunk size", chunked("-5\r\nhello\r\n0\r\n\r\n"), "badChunk"],
  ["an empty chunk size", chunked("\r\nhello\r\n0\r\n\r\n"), "badChunk"],
  ["only an extension for a chunk size", chunked(";a\r\nhello\r\n"), "badChunk"],
  ["a chunk size beyond 2^53", chunked("20000000000000\r\n"), "badChunk"],
  ["a chunk size beyond 2^64", chunked("10000000000000005\r\nhello\r\n0\r\n\r\n"), "badChunk"],
  ["a chunk size of 17 digits", chunked("00000000000000005\r\nhello\r\n0\r\n\r\n"), "badChunk"],
  ["a space after a chunk size", chunked("5 \r\nhello\r\n0\r\n\r\n"), "badChunk"],
  ["a space before a chunk size", chunked(" 5\r\nhello\r\n0\r\n\r\n"), "badChunk"],
  ["a tab before an extension", chunked("5\t;a\r\nhello\r\n0\r\n\r\n"), "badChunk"],
  ["a bare line feed after a chunk size", chunked("5\nhello\r\n0\r\n\r\n"), "bareLf"],
  ["a bare carriage return after a chunk size", chunked("5\rhello\r\n0\r\n\r\n"), "bareCr"],
  ["a bare line feed in an extension", chunked("5;a\nhello\r\n0\r\n\r\n"), "bareLf"],
  ["a bare carriage return in an extension", chunked("5;a\rb\r\nhello\r\n0\r\n\r\n"), "bareCr"],
  ["a NUL in an extension", chunked("5;a\0b\r\nhello\r\n0\r\n\r\n"), "badChunk"],
  ["chunk data that is longer than its size", chunked("5\r\nhello!\r\n0\r\n\r\n"), "badChunk"],
  ["a bare line feed after chunk data", chunked("5\r\nhello\n0\r\n\r\n"), "bareLf"],
  ["a bare carriage return after chunk data", chunked("5\r\nhello\r0\r\n\r\n"), "bareCr"],
  [
    "extensions beyond the limit, over all chunks",
    chunked("1;aaaa\r\nx\r\n1;aaaa\r\nx\r\n"),
    "chunkExtensionsTooLarge",
    400,
    { maxChunkExtensionBytes: 7 },
  ],
  ["trailers beyond the limit", chunked(`0\r\n${fields(20)}\r\n`), "trailersTooLarge", 431, { maxTrailersBytes: 100 }],
  ["more trailers than allowed", chunked(`0\r\n${fields(5)}\r\n`), "trailersTooLarge", 431, { maxHeaders: 4 }],
  ["a trailer with a space before its colon", chunked("0\r\nx : y\r\n\r\n"), "spaceBeforeColon"],
  ["a bare line feed in the trailers", chunked("0\r\nx: y\n\r\n"), "bareLf"],
  ["a bare line feed at the end of the trailers", chunked("0\r\n\n"), "bareLf"],

  // Field lines.
  ["obs-fold", get("X: a\r\n b\r\n"), "foldedField"],
  ["obs-fold with a tab", get("X: a\r\n\tb\r\n"), "foldedField"],
  ["a folded first field", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", "foldedField"],
  ["a bare line feed after a field", "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", "bareLf"],
  ["a bare line feed at the end of the head", "GET / HTTP/1.1\r\nHost: a\r\n\n", "bareLf"],
  ["a bare line feed in a name", get("X\nY: b\r\n"), "bareLf"],
  ["a bare carriage return in a value", get("X: a\rb\r\n"), "bareCr"],
  ["a bare carriage return in a name", get("X\rY: a\r\n"), "badFieldName"],
  ["a bare carriage return for the end of the head", "GET / HTTP/1.1\r\nHost: a\r\n\rX\r\n", "bareCr"],
  ["a space before a colon", get("X : a\r\n"), "spaceBeforeColon"],
  ["a tab before a colon", get("X\t: a\r\n"), "spaceBeforeColon"],
  ["a space before the colon of Content-Length", post("Content-Length : 5\r\n", "hello"), "spaceBeforeColon"],
  [
    "a space before the colon of Transfer-Encoding",
    post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"),
    "spaceBeforeColon",
  ],
  ["a field without a colon", get("X\r\n"), "badFieldName"],
  ["an empty name", get(": a\r\n"), "badFieldName"],
  ["a name with a control character", get("X\x01: a\r\n"), "badFieldName"],
  ["a name with a byte above ASCII", get("X\xe9: a\r\n"), "badFieldName"],
  ["a name with a delimiter", get("X(a): b\r\n"), "badFieldName"],
  ["a NUL in a name", get("X\0: a\r\n"), "badFieldName"],
  ["a NUL in a value", get("X: a\0b\r\n"), "badFieldValue"],
  ["a DEL in a value", get("X: a\x7f\r\n"), "badFieldValue"],
  ["an escape character in a value", get("X: \x1b[31m\r\n"), "badFieldValue"],

  ["more options in Connection than anybody needs", get(`Connection: ${"a,".repeat(600)}\r\n`), "connectionTooLong"],
  [
    "too many options over several Connection fields",
    get(`Connection: ${"a,".repeat(300)}\r\n`.repeat(2)),
    "connectionTooLong",
  ],
  [
    "a Transfer-Encoding of hundreds of codings",
    post(`Transfer-Encoding: ${"a,".repeat(300)}chunked\r\n`),
    "badTransferEncoding",
  ],

  // Host and target.
  ["two Host fields", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "manyHosts"],
  ["two equal Host fields", "GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n", "manyHosts"],
  ["two Host fields beside an absolute target", "GET http://a/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "manyHosts"],
  ["no Host in HTTP/1.1", "GET / HTTP/1.1\r\nX: a\r\n\r\n", "missingHost"],
  ["an absolute target without Host", "GET http://a/ HTTP/1.1\r\n\r\n", "missingHost"],
  ["an empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", "badHost"],
  ["user information in Host", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", "badHost"],
  ["a path in Host", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "badHost"],
  ["two hosts in Host", "GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", "badHost"],
  ["a Host longer than any name", `GET / HTTP/1.1\r\nHost: ${"a".repeat(300)}\r\n\r\n`, "badHost"],
  ["a space in Host", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "badHost"],
  ["a port that is no number", "GET / HTTP/1.1\r\nHost: a:x\r\n\r\n", "badHost"],
  ["a port above 65535", "GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n", "badHost"],
  ["a bad Host beside a good absolute target", "GET http://a/ HTTP/1.1\r\nHost: a b\r\n\r\n", "badHost"],
  ["user information in the target", "GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", "badTarget"],
  ["a target without an authority", "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", "badTarget"],
  ["another scheme", "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", "badTarget"],
  ["a target that is no path", "GET x HTTP/1.1\r\nHost: a\r\n\r\n", "badTarget"],
  ["an asterisk without OPTIONS", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", "badTarget"],
  ["a fragment in the target", "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", "badTarget"],
  ["a NUL in the target", "GET /a\0b HTTP/1.1\r\nHost: a\r\n\r\n", "badTarget"],
  ["a control character in the target", "GET /a\tb HTTP/1.1\r\nHost: a\r\n\r\n", "badTarget"],
  ["a byte above ASCII in the target", "GET /\xe9 HTTP/1.1\r\nHost: a\r\n\r\n", "badTarget"],
  ["an empty target", "GET  HTTP/1.1\r\nHost: a\r\n\r\n", "badTarget"],
  ["CONNECT to a path", "CONNECT /a HTTP/1.1\r\nHost: a\r\n\r\n", "badTarget"],
  ["CONNECT without a port", "CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n", "badTarget"],

  // Request line.
  ["a bare line feed after the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n", "bareLf"],
  ["nothing but bare line feeds", "GET / HTTP/1.1\nHost: a\n\n", "bareLf"],
  ["a bare carriage return in the target", "GET /\rx HTTP/1.1\r\nHost: a\r\n\r\n", "bareCr"],
  ["two spaces after the target", "GET /  HTTP/1.1\r\nHost: a\r\n\r\n", "badRequestLine"],
  ["a space after the version", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", "badRequestLine"],
  ["no version", "GET /\r\nHost: a\r\n\r\n", "badRequestLine"],
  ["no target", "GET\r\nHost: a\r\n\r\n", "badRequestLine"],
  ["a version in lower case", "GET / http/1.1\r\nHost: a\r\n\r\n", "badRequestLine"],
  ["a version with two digits", "GET / HTTP/1.10\r\nHost: a\r\n\r\n", "badRequestLine"],
  ["a short version", "GET / HTTP/1\r\nHost: a\r\n\r\n", "badRequestLine"],
  ["HTTP/2.0", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", "badVersion", 505],
  ["HTTP/1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", "badVersion", 505],
  ["HTTP/0.9 with a version", "GET / HTTP/0.9\r\nHost: a\r\n\r\n", "badVersion", 505],
  ["the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "badVersion", 505],
  ["HTTP/1.0 where it is not accepted", "GET / HTTP/1.0\r\n\r\n", "http10", 426, { acceptHttp10: false }],
  ["a method with a delimiter", "GE(T / HTTP/1.1\r\nHost: a\r\n\r\n", "badMethod"],
  ["a NUL in the method", "G\0T / HTTP/1.1\r\nHost: a\r\n\r\n", "badMethod"],
  ["a space before the method", " GET / HTTP/1.1\r\nHost: a\r\n\r\n", "badStart"],
  ["a TLS handshake", "\x16\x03\x01\x02\x00", "badStart"],
  ["two empty lines before the request", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "badStart"],
  ["a bare line feed before the request", "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "bareLf"],
  ["a bare carriage return before the request", "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", "bareCr"],

  // Sizes.
  ["a head larger than the limit", get(`X: ${"a".repeat(200)}\r\n`), "headTooLarge", 431, { maxHeadBytes: 200 }],
  [
    "a request line larger than the limit",
    `GET /${"a".repeat(200)} HTTP/1.1\r\nHost: a\r\n\r\n`,
    "headTooLarge",
    431,
    { maxHeadBytes: 200 },
  ],
  [
    "a line without end that is larger than the limit",
    `GET /${"a".repeat(300)}`,
    "headTooLarge",
    431,
    { maxHeadBytes: 200 },
  ],
  [
    "a name without end that is larger than the limit",
    `GET / HTTP/1.1\r\n${"a".repeat(300)}`,
    "headTooLarge",
    431,
    { maxHeadBytes: 200 },
  ],
  [
    "a head whose last line crosses the limit",
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "headTooLarge",
    431,
    { maxHeadBytes: 26 },
  ],
  ["more fields than the limit", get(fields(100)), "tooManyFields", 431],
];

for (const [title, input, rule, status = 400, limits = {}] of malformed) {
  test(`refuses ${title}`, () => {
    for (const cuts of [[], cutEveryByte(Buffer.from(input, "latin1"))]) {
      const run = decodeRequests(input, cuts, { ...testLimits, ...limits });
      assert.equal(run.violation, rule);
      assert.equal(run.status, status);
      // A violation in the body comes after the head: what counts is that the message never completes.
      assert.ok(run.requests.every((request) => !request.isComplete));
    }
  });
}

test("after a violation nothing more is decoded", () => {
  const run = decodeRequests("B(D\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
  assert.equal(run.violation, "badMethod");
  assert.deepEqual(run.requests, []);
  run.decoder.next();
  run.decoder.push(Buffer.from("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), 0, 27);
  assert.deepEqual(run.requests, []);
});
