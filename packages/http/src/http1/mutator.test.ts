import assert from "node:assert/strict";
import { test } from "node:test";
import { GatheredBytes } from "../testing/gathered-bytes.ts";
import { HeaderList } from "../header-list.ts";
import { removeHopByHop } from "../hop-by-hop.ts";
import type { DecodedRequest } from "../testing/recorder.ts";
import { decodeRequests, decodeResponse, testLimits } from "../testing/recorder.ts";
import { encodeLastChunk, encodeRequestHead, writeChunk } from "./encoder.ts";
import type { Framing } from "./framing.ts";

const seed = Number(process.env["HEDDLE_SEED"] ?? 20_260_101);
const rounds = Number(process.env["HEDDLE_MUTATIONS"] ?? 20_000);

/** mulberry32: small, seeded, good enough to choose bytes. */
function randomFrom(start: number): (below: number) => number {
  let state = start;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const requests = [
  "GET /a?b=c HTTP/1.1\r\nHost: a.example:80\r\nAccept: */*\r\nConnection: keep-alive\r\n\r\n",
  "POST /form HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nhello world",
  "POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n6\r\n world\r\n0\r\nX-T: 1\r\n\r\n",
  "GET http://b/x HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\nConnection: close, x\r\nX: 1\r\n\r\n",
  "POST /1 HTTP/1.0\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nokPOST /2 HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nok",
];
const responses = [
  "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n",
  "HTTP/1.0 404 Not Found\r\nServer: x\r\n\r\nuntil the end",
];

/** What attackers insert: every delimiter of the grammar, its look-alikes, and second copies of what frames a message. */
const insertions = [
  "\r",
  "\n",
  "\r\n",
  "\r\n\r\n",
  "\n\n",
  " ",
  "\t",
  "\0",
  "\x0b",
  "\x0c",
  "\x85",
  "\xa0",
  "\xff",
  ":",
  ";",
  ",",
  "/",
  "#",
  "@",
  "\\",
  "0",
  "1",
  "f",
  "+",
  "-",
  "_",
  '"',
  "\r\n ",
  "\r\n\t",
  "Content-Length: 3\r\n",
  "Content-Length: 0\r\n",
  "Transfer-Encoding: chunked\r\n",
  "Transfer-Encoding : chunked\r\n",
  "transfer-encoding:\x0bchunked\r\n",
  "Transfer-Encoding: identity\r\n",
  "Host: b\r\n",
  "0\r\n\r\n",
  "GET /smuggled HTTP/1.1\r\nHost: c\r\n\r\n",
  "HTTP/1.1",
  "chunked",
  "x".repeat(100),
];

function mutate(text: string, random: (below: number) => number): string {
  let mutated = text;
  for (let count = 1 + random(3); count > 0; count -= 1) {
    const at = random(mutated.length + 1);
    const length = random(4);
    const insertion = insertions[random(insertions.length)] as string;
    switch (random(5)) {
      case 0:
        mutated = mutated.slice(0, at) + insertion + mutated.slice(at);
        break;
      case 1:
        mutated = mutated.slice(0, at) + insertion + mutated.slice(at + length);
        break;
      case 2:
        mutated = mutated.slice(0, at) + mutated.slice(at + 1 + length);
        break;
      case 3:
        mutated = mutated.slice(0, at) + String.fromCharCode(random(256)) + mutated.slice(at + 1);
        break;
      default: {
        // A line doubled or moved.
        const lines = mutated.split("\r\n");
        const line = lines[random(lines.length)] as string;
        lines.splice(random(lines.length + 1), random(2), line);
        mutated = lines.join("\r\n");
      }
    }
  }
  return mutated;
}

/** The request as a proxy sends it on. */
function forward(request: DecodedRequest): Buffer {
  const { head } = request;
  const sent = new GatheredBytes();
  const headers = HeaderList.of(...head.headers);
  removeHopByHop(headers, false);
  const framing: Framing =
    head.bodyKind === "length" ? { kind: "length", bytes: head.contentLength } : { kind: head.bodyKind };
  // HTTP/1.0 may come without any Host; the proxy gives it the listener's default.
  const authority = head.authority === "" ? "default" : head.authority;
  const text = encodeRequestHead(head.method, head.path, authority, headers, framing);
  assert.ok(text !== undefined);
  sent.writeText(text);
  const body = Buffer.from(request.body, "latin1");
  if (framing.kind === "chunked") {
    writeChunk(sent, body, 0, body.length);
    sent.writeText(encodeLastChunk(HeaderList.of(...request.trailers)));
  } else {
    sent.write(body, 0, body.length);
  }
  return sent.bytes;
}

/**
 * A second reader, written to be as simple and as lenient as a careless server: lines end at LF, names are trimmed, the last framing field wins. What
 * is forwarded must mean the same to it, else somebody can be made to disagree with us.
 */
function readCarelessly(bytes: Buffer): { line: string; body: string; rest: string } {
  const text = bytes.toString("latin1");
  const headEnd = /\r?\n\r?\n/.exec(text);
  if (headEnd === null) return { line: "", body: "", rest: text };
  const [line = "", ...fields] = text.slice(0, headEnd.index).split(/\r?\n/);
  let rest = text.slice(headEnd.index + headEnd[0].length);
  let length = 0;
  let isChunked = false;
  for (const field of fields) {
    const name = field.split(":")[0]?.trim().toLowerCase().replaceAll("_", "-");
    const value = field.slice(field.indexOf(":") + 1).trim();
    if (name === "content-length" && !field.includes("_")) length = Number.parseInt(value, 10);
    if (name === "transfer-encoding" && !field.includes("_") && /chunked/i.test(value)) isChunked = true;
  }
  let body = "";
  if (!isChunked) return { line, body: rest.slice(0, length), rest: rest.slice(length) };
  for (;;) {
    const size = /^([0-9a-f]+)[^\n]*\n/i.exec(rest);
    if (size === null) return { line, body, rest };
    const bytes = Number.parseInt(size[1] as string, 16);
    rest = rest.slice(size[0].length);
    if (bytes === 0) break;
    body += rest.slice(0, bytes);
    rest = rest.slice(bytes).replace(/^\r?\n/, "");
  }
  const trailerEnd = /^([^\n]+\n)*\r?\n/.exec(rest);
  return { line, body, rest: rest.slice(trailerEnd?.[0].length ?? 0) };
}

test(`${rounds} mutated requests: what is forwarded is one request to any reader (seed ${seed})`, (context) => {
  const random = randomFrom(seed);
  let accepted = 0;
  for (let round = 0; round < rounds; round += 1) {
    const input = mutate(requests[random(requests.length)] as string, random);
    const cuts = [random(200), random(200)];
    const whole = decodeRequests(input, [], testLimits, true);
    const cut = decodeRequests(input, cuts, testLimits, true);
    assert.deepEqual(
      [cut.requests, cut.violation],
      [whole.requests, whole.violation],
      `round ${round}: ${JSON.stringify(input)}`,
    );
    for (const request of whole.requests.filter((request) => request.isComplete && request.head.method !== "CONNECT")) {
      accepted += 1;
      const bytes = forward(request);
      const again = decodeRequests(bytes);
      const message = `round ${round}: ${JSON.stringify(input)} was forwarded as ${JSON.stringify(bytes.toString("latin1"))}`;
      assert.equal(again.violation, "", message);
      assert.deepEqual(
        again.requests.map(({ head, body }) => [head.method, head.path, body]),
        [[request.head.method, request.head.path, request.body]],
        message,
      );
      assert.deepEqual(
        readCarelessly(bytes),
        { line: `${request.head.method} ${request.head.path} HTTP/1.1`, body: request.body, rest: "" },
        message,
      );
    }
  }
  context.diagnostic(`${accepted} mutated requests were accepted; repeat with HEDDLE_SEED=${seed}`);
  assert.ok(accepted > rounds / 20, "the mutations must leave enough to forward");
});

test(`${rounds} mutated responses: pieces do not matter, nothing crashes (seed ${seed})`, () => {
  const random = randomFrom(seed + 1);
  for (let round = 0; round < rounds; round += 1) {
    const input = mutate(responses[random(responses.length)] as string, random);
    const method = random(4) === 0 ? "HEAD" : "GET";
    const whole = decodeResponse(input, { method, isFinished: true });
    const cut = decodeResponse(input, { method, isFinished: true, cuts: [random(100), random(100)] });
    assert.deepEqual(cut.responses, whole.responses, `round ${round}: ${JSON.stringify(input)}`);
    if (whole.responses[0]?.isComplete !== true)
      assert.equal(cut.violation, whole.violation, `round ${round}: ${JSON.stringify(input)}`);
  }
});
