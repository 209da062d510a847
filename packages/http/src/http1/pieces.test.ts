import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { GatheredBytes } from "../testing/gathered-bytes.ts";
import { HeaderList } from "../header-list.ts";
import type { DecodedRequest, DecodedResponse } from "../testing/recorder.ts";
import { cutEveryByte, decodeRequests, decodeResponse, testLimits } from "../testing/recorder.ts";
import { encodeLastChunk, encodeRequestHead, encodeResponseHead, writeChunk } from "./encoder.ts";
import type { Framing } from "./framing.ts";

const limits = { ...testLimits, maxHeadBytes: 400, maxHeaders: 12, maxTrailersBytes: 60, maxChunkExtensionBytes: 20 };
const cuts = fc.array(fc.nat(), { maxLength: 12 });

/** Fragments that decoders look at: a sentence made of them reaches deeper than random bytes do. */
const fragment = fc.constantFrom(
  "GET / HTTP/1.1\r\n",
  "POST /a HTTP/1.1\r\n",
  "POST /b HTTP/1.0\r\n",
  "HTTP/1.1 200 OK\r\n",
  "HTTP/1.1 100 Continue\r\n\r\n",
  "HTTP/1.1 204 X\r\n",
  "Host: a\r\n",
  "X: y\r\n",
  "Content-Length: 5\r\n",
  "Content-Length: 0\r\n",
  "Transfer-Encoding: chunked\r\n",
  "Connection: close\r\n",
  "\r\n",
  "\r",
  "\n",
  " ",
  "\t",
  ":",
  ";",
  "5\r\n",
  "5;a\r\n",
  "hello",
  "\r\n0\r\n\r\n",
  "0\r\n",
  "\0",
  "GET",
  "HTTP/",
  "x".repeat(30),
  "\xff",
);
const sentence = fc.array(fragment, { maxLength: 25 }).map((parts) => Buffer.from(parts.join(""), "latin1"));
const anyBytes = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));
const input = fc.oneof({ weight: 4, arbitrary: sentence }, { weight: 1, arbitrary: anyBytes });

interface Verdict {
  requests: DecodedRequest[];
  violation: string;
}

function verdict(bytes: Buffer, at: readonly number[], isFinished: boolean): Verdict {
  const { requests, violation } = decodeRequests(bytes, at, limits, isFinished);
  return { requests, violation };
}

test("requests are decoded the same whatever pieces they come in, and nothing crashes", () => {
  fc.assert(
    fc.property(input, cuts, fc.boolean(), (bytes, at, isFinished) => {
      const whole = verdict(bytes, [], isFinished);
      assert.deepEqual(verdict(bytes, at, isFinished), whole);
      assert.deepEqual(verdict(bytes, cutEveryByte(bytes), isFinished), whole);
    }),
    { numRuns: 1000 },
  );
});

test("responses are decoded the same whatever pieces they come in, and nothing crashes", () => {
  const method = fc.constantFrom("GET", "HEAD", "CONNECT");
  // Bytes behind a response are ignored or a violation, depending on when they come: compared is what the request's owner sees.
  const seen = (bytes: Buffer, method: string, at: readonly number[]): [DecodedResponse | undefined, string] => {
    const run = decodeResponse(bytes, { method, cuts: at, limits, isFinished: true });
    return [run.responses[0], run.responses[0]?.isComplete === true ? "" : run.violation];
  };
  fc.assert(
    fc.property(input, method, cuts, (bytes, method, at) => {
      const whole = seen(bytes, method, []);
      assert.deepEqual(seen(bytes, method, at), whole);
      assert.deepEqual(seen(bytes, method, cutEveryByte(bytes)), whole);
    }),
    { numRuns: 1000 },
  );
});

const token = fc.stringMatching(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,12}$/);
const fieldName = token.map((name) => `x-${name.toLowerCase()}`);
const fieldValue = fc.stringMatching(/^([!-~\x80-\xff]([\t -~\x80-\xff]{0,20}[!-~\x80-\xff])?)?$/);
const fieldPairs = fc.array(fc.tuple(fieldName, fieldValue), { maxLength: 8 });
const body = fc.array(fc.stringMatching(/^[\x00-\xff]{1,20}$/), { maxLength: 5 });

function writeBody(sent: GatheredBytes, framing: Framing, parts: readonly string[], trailers: HeaderList): void {
  for (const part of parts) {
    const bytes = Buffer.from(part, "latin1");
    if (framing.kind === "chunked") writeChunk(sent, bytes, 0, bytes.length);
    else sent.write(bytes, 0, bytes.length);
  }
  if (framing.kind === "chunked") sent.writeText(encodeLastChunk(trailers));
}

function framingOf(isChunked: boolean, parts: readonly string[]): Framing {
  return isChunked ? { kind: "chunked" } : { kind: "length", bytes: parts.join("").length };
}

test("a request that is encoded and decoded is the same request", () => {
  const target = fc.stringMatching(/^\/[!-"$-~]{0,30}$/);
  fc.assert(
    fc.property(
      token,
      target,
      fieldPairs,
      body,
      fieldPairs,
      fc.boolean(),
      cuts,
      (method, path, fields, parts, trailers, isChunked, at) => {
        if (method === "CONNECT") return;
        const sent = new GatheredBytes();
        const framing = framingOf(isChunked, parts);
        const head = encodeRequestHead(method, path, "a:1", HeaderList.of(...fields), framing);
        assert.ok(head !== undefined);
        sent.writeText(head);
        writeBody(sent, framing, parts, HeaderList.of(...trailers));
        const run = decodeRequests(sent.bytes, at);
        const [request] = run.requests;
        assert.equal(run.violation, "");
        assert.deepEqual(
          [request?.head.method, request?.head.path, request?.head.authority, request?.body],
          [method, path, "a:1", parts.join("")],
        );
        assert.deepEqual(request?.head.headers.slice(0, fields.length), fields);
        assert.deepEqual([request?.trailers, request?.isComplete], [isChunked ? trailers : [], true]);
      },
    ),
    { numRuns: 300 },
  );
});

test("a response that is encoded and decoded is the same response", () => {
  const status = fc.integer({ min: 200, max: 999 }).filter((status) => status !== 204 && status !== 304);
  fc.assert(
    fc.property(
      status,
      fieldPairs,
      body,
      fieldPairs,
      fc.boolean(),
      cuts,
      (status, fields, parts, trailers, isChunked, at) => {
        const sent = new GatheredBytes();
        const framing = framingOf(isChunked, parts);
        const head = encodeResponseHead(status, HeaderList.of(...fields), framing, 1);
        assert.ok(head !== undefined);
        sent.writeText(head);
        writeBody(sent, framing, parts, HeaderList.of(...trailers));
        const run = decodeResponse(sent.bytes, { cuts: at });
        const [response] = run.responses;
        assert.deepEqual([run.violation, response?.head?.status, response?.body], ["", status, parts.join("")]);
        assert.deepEqual(response?.head?.headers.slice(0, fields.length), fields);
        assert.deepEqual(
          [response?.trailers, response?.isComplete, run.decoder.isReusable],
          [isChunked ? trailers : [], true, true],
        );
      },
    ),
    { numRuns: 300 },
  );
});

test("whatever is given to the encoders, what they write is one message", () => {
  const text = fc.oneof(
    fc.string({ maxLength: 10 }),
    fc.constantFrom("\r\n", "a\r\n\r\nGET / HTTP/1.1", "\n", "a b", ":", "\u010a", "chunked"),
  );
  const name = fc.oneof(text, fc.constantFrom("content-length", "transfer-encoding", "host", "connection"));
  fc.assert(
    fc.property(
      text,
      text,
      text,
      fc.array(fc.tuple(name, text), { maxLength: 4 }),
      fc.boolean(),
      (method, path, authority, fields, isChunked) => {
        const framing: Framing = isChunked ? { kind: "chunked" } : { kind: "length", bytes: 2 };
        const head = encodeRequestHead(method, `/${path}`, authority, HeaderList.of(...fields), framing);
        if (head === undefined) return;
        const run = decodeRequests(Buffer.from(`${head}${isChunked ? "2\r\nok\r\n0\r\n\r\n" : "ok"}`, "latin1"));
        // The decoder is stricter about authorities than the encoder: refused is fine, two messages or another body are not.
        if (run.violation !== "") assert.equal(run.requests.length, 0);
        else
          assert.deepEqual(
            run.requests.map((request) => [request.body, request.isComplete]),
            [["ok", true]],
          );
      },
    ),
    { numRuns: 1000 },
  );
});
