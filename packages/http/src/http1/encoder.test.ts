import assert from "node:assert/strict";
import { test } from "node:test";
import { HeaderList } from "../header-list.ts";
import { GatheredBytes } from "../testing/gathered-bytes.ts";
import { encodeLastChunk, encodeRequestHead, encodeResponseHead, isEncodableField, writeChunk } from "./encoder.ts";
import type { Framing } from "./framing.ts";

const none: Framing = { kind: "none" };
const chunked: Framing = { kind: "chunked" };

const request = encodeRequestHead;

function response(status: number, headers: HeaderList, framing: Framing, versionMinor: 0 | 1 = 1): string | undefined {
  return encodeResponseHead(status, headers, framing, versionMinor);
}

test("writes a request head with the host and the framing of its arguments", () => {
  const headers = HeaderList.of(["host", "x"], ["x-a", "b"], ["content-length", "99"], ["transfer-encoding", "gzip"]);
  const start = "POST /p?q HTTP/1.1\r\nhost: a:80\r\nx-a: b\r\n";
  assert.equal(request("POST", "/p?q", "a:80", headers, chunked), `${start}transfer-encoding: chunked\r\n\r\n`);
  assert.equal(
    request("POST", "/p?q", "a:80", headers, { kind: "length", bytes: 0 }),
    `${start}content-length: 0\r\n\r\n`,
  );
  assert.equal(request("CONNECT", "", "a:80", new HeaderList(), none), "CONNECT a:80 HTTP/1.1\r\nhost: a:80\r\n\r\n");
  assert.equal(request("GET", "/", "", new HeaderList(), none), "GET / HTTP/1.1\r\nhost: \r\n\r\n");
});

for (const method of ["POST", "PUT", "PATCH", "OPTIONS", "PROPFIND"]) {
  test(`says of ${method} without a body that it has none, as Envoy does (RFC 9110 §8.6)`, () => {
    const head = request(method, "/", "a", new HeaderList(), none);
    assert.equal(head, `${method} / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n`);
  });
}

for (const method of ["GET", "HEAD", "DELETE", "TRACE"]) {
  test(`says nothing of the body of ${method}, of which none is expected`, () => {
    assert.equal(request(method, "/", "a", new HeaderList(), none), `${method} / HTTP/1.1\r\nhost: a\r\n\r\n`);
  });
}

const hostile = ["a\r\nb: c", "a\nb", "a\rb", "a\0b", "a\x7f", "\u010a", "\u010d\u010a", "a\u2028b", "\x1b"];

for (const value of hostile) {
  test(`refuses ${JSON.stringify(value)} wherever it stands`, () => {
    const long = `${"x".repeat(40)}${value}`;
    for (const text of [value, long]) {
      assert.equal(request("GET", "/", "a", HeaderList.of(["x", text]), none), undefined);
      assert.equal(request("GET", "/", "a", HeaderList.of([text, "x"]), none), undefined);
      assert.equal(request("GET", `/${text}`, "a", new HeaderList(), none), undefined);
      assert.equal(request("GET", "/", text, new HeaderList(), none), undefined);
      assert.equal(request(text, "/", "a", new HeaderList(), none), undefined);
      assert.equal(response(200, HeaderList.of(["ok", "y"], ["x", text]), none), undefined);
      assert.equal(response(200, HeaderList.of([text, "x"]), none), undefined);
      assert.equal(isEncodableField("x", text), false);
    }
  });
}

test("refuses spaces in a target, empty parts and names that are no tokens", () => {
  assert.equal(request("GET", "/a b", "a", new HeaderList(), none), undefined);
  assert.equal(request("GET", "/", "a b", new HeaderList(), none), undefined);
  assert.equal(request("GET", "", "a", new HeaderList(), none), undefined);
  assert.equal(request("GET", "http://b/", "a", new HeaderList(), none), undefined);
  assert.equal(request("GET", "x", "a", new HeaderList(), none), undefined);
  assert.equal(
    request("OPTIONS", "*", "a", new HeaderList(), { kind: "chunked" }),
    "OPTIONS * HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n",
  );
  assert.equal(request("", "/", "a", new HeaderList(), none), undefined);
  assert.equal(request("CONNECT", "/", "", new HeaderList(), none), undefined);
  for (const name of ["", "a b", "a:", "é"])
    assert.equal(request("GET", "/", "a", HeaderList.of([name, "x"]), none), undefined, name);
});

test("refuses impossible framings", () => {
  assert.equal(request("GET", "/", "a", new HeaderList(), { kind: "close" }), undefined);
  for (const bytes of [-1, 1.5, Number.NaN, 2 ** 53]) {
    assert.equal(request("GET", "/", "a", new HeaderList(), { kind: "length", bytes }), undefined, `${bytes}`);
  }
  assert.equal(response(200, new HeaderList(), chunked, 0), undefined);
  assert.equal(response(204, new HeaderList(), { kind: "length", bytes: 0 }), undefined);
  assert.equal(response(304, new HeaderList(), chunked), undefined);
  assert.equal(response(100, new HeaderList(), { kind: "close" }), undefined);
  for (const status of [0, 99, 1000, 200.5, Number.NaN])
    assert.equal(response(status, new HeaderList(), none), undefined, `${status}`);
});

test("writes response heads in the client's version", () => {
  const headers = HeaderList.of(["x-a", "b"]);
  assert.equal(
    response(200, headers, { kind: "length", bytes: 3 }),
    "HTTP/1.1 200 OK\r\nx-a: b\r\ncontent-length: 3\r\n\r\n",
  );
  assert.equal(response(503, headers, { kind: "close" }, 0), "HTTP/1.0 503 Service Unavailable\r\nx-a: b\r\n\r\n");
  assert.equal(response(799, headers, none), "HTTP/1.1 799 Unknown\r\nx-a: b\r\n\r\n");
  assert.equal(response(101, headers, { kind: "close" }), "HTTP/1.1 101 Switching Protocols\r\nx-a: b\r\n\r\n");
});

test("without a body a Content-Length stays only where it says something (HEAD, 304)", () => {
  const headers = HeaderList.of(["content-length", "5"]);
  assert.equal(response(200, headers, none), "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n");
  assert.equal(response(304, headers, none), "HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n");
  assert.equal(response(204, headers, none), "HTTP/1.1 204 No Content\r\n\r\n");
  assert.equal(response(100, headers, none), "HTTP/1.1 100 Continue\r\n\r\n");
  assert.equal(
    response(200, HeaderList.of(["content-length", "5"], ["content-length", "6"]), none),
    "HTTP/1.1 200 OK\r\n\r\n",
  );
  assert.equal(response(200, HeaderList.of(["content-length", "x"]), none), "HTTP/1.1 200 OK\r\n\r\n");
});

test("writes chunks; an empty one is nothing, since it would end the body", () => {
  const sent = new GatheredBytes();
  writeChunk(sent, Buffer.from("..hello world!.."), 2, 14);
  writeChunk(sent, Buffer.from("x"), 1, 1);
  sent.writeText(encodeLastChunk());
  assert.equal(sent.bytes.toString(), "c\r\nhello world!\r\n0\r\n\r\n");
});

test("writes trailers, and drops them when one could end its field early", () => {
  assert.equal(
    encodeLastChunk(HeaderList.of(["x", "y"], ["content-length", "5"], ["retry-after", "5"])),
    "0\r\nx: y\r\n\r\n",
  );
  assert.equal(encodeLastChunk(HeaderList.of(["x", "y\r\n\r\nHTTP/1.1 200 OK"])), "0\r\n\r\n");
});
