import assert from "node:assert/strict";
import type { FuzzTarget } from "@heddle/testkit";
import { HeaderList } from "../../header-list.ts";
import { removeHopByHop } from "../../hop-by-hop.ts";
import { encodeLastChunk, encodeRequestHead, writeChunk } from "../../http1/encoder.ts";
import type { Framing } from "../../http1/framing.ts";
import { cutEveryByte, type DecodedRequest, decodeRequests, testLimits } from "../recorder.ts";
import { GatheredBytes } from "../gathered-bytes.ts";
import { cutAt, withCuts } from "./splits.ts";

const limits = { ...testLimits, maxHeadBytes: 2000, maxHeaders: 20, maxTrailersBytes: 200, maxChunkExtensionBytes: 50 };

/** What a proxy would send on of a request. */
function forwarded(request: DecodedRequest): Buffer {
  const { head, body, trailers } = request;
  const headers = HeaderList.of(...head.headers);
  removeHopByHop(headers, false);
  const sent = new GatheredBytes();
  const framing: Framing =
    head.bodyKind === "length" ? { kind: "length", bytes: head.contentLength } : { kind: head.bodyKind };
  const text = encodeRequestHead(head.method, head.path || "/", head.authority, headers, framing);
  assert.ok(text !== undefined, "it can be sent on");
  sent.writeText(text);
  const bytes = Buffer.from(body, "latin1");
  if (framing.kind === "chunked") {
    writeChunk(sent, bytes, 0, bytes.length);
    sent.writeText(encodeLastChunk(HeaderList.of(...trailers)));
  } else sent.write(bytes, 0, bytes.length);
  return sent.bytes;
}

export const target: FuzzTarget = {
  about: "any pieces give the same requests; each, sent on, is one request again with the same body",
  seeds: [
    cutAt([5], "GET /a?b=c HTTP/1.1\r\nHost: a:80\r\nAccept: */*\r\n\r\n"),
    cutAt([], "POST /form HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET / HTTP/1.1\r\nHost: b\r\n\r\n"),
    cutAt(
      [60, 80],
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nX: 1\r\n\r\n",
    ),
    cutAt([], "GET http://b/x HTTP/1.1\r\nHost: a\r\nConnection: close, x\r\nX: 1\r\n\r\n"),
    cutAt([], "POST /1 HTTP/1.0\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok"),
    cutAt(
      [],
      "GET /s HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nExpect: 100-continue\r\n\r\n",
    ),
    cutAt([], "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n"),
  ],
  dictionary: [
    "\r\n",
    "\r\n\r\n",
    "\n",
    "\r",
    "\0",
    "\t",
    " ",
    ":",
    ";",
    ",",
    "0\r\n\r\n",
    "HTTP/1.1",
    "HTTP/1.0",
    "Host: a\r\n",
    "Content-Length: ",
    "Transfer-Encoding: chunked\r\n",
    "chunked",
    "Connection: ",
    "Upgrade: ",
    "Expect: 100-continue\r\n",
    "GET ",
    "POST ",
    "CONNECT ",
    "http://",
    "\x80",
    "\xff",
    "5\r\nhello\r\n",
    "[::1]",
    "%00",
    "x".repeat(300),
  ],
  run(input) {
    const { bytes, cuts } = withCuts(input);
    const whole = decodeRequests(bytes, [], limits, true);
    for (const at of [cuts, cutEveryByte(bytes)]) {
      const pieces = decodeRequests(bytes, at, limits, true);
      assert.deepEqual(pieces.requests, whole.requests);
      assert.equal(pieces.violation, whole.violation);
    }
    for (const request of whole.requests) {
      // Behind CONNECT comes another protocol; without an authority a proxy has a default one, or none to forward to.
      if (!request.isComplete || request.head.method === "CONNECT" || request.head.authority === "") continue;
      const again = decodeRequests(forwarded(request), [], { ...limits, maxHeadBytes: 8000 }, true);
      assert.equal(again.violation, "");
      assert.equal(again.requests.length, 1);
      assert.equal(again.requests[0]?.isComplete, true);
      assert.equal(again.requests[0]?.body, request.body);
      assert.equal(again.requests[0]?.head.method, request.head.method);
      assert.equal(again.requests[0]?.head.path, request.head.path || "/");
    }
  },
};
