import assert from "node:assert/strict";
import type { FuzzTarget } from "@heddle/testkit";
import { cutEveryByte, decodeResponse, testLimits } from "../recorder.ts";
import { cutAt, withCuts } from "./splits.ts";

const limits = { ...testLimits, maxHeadBytes: 2000, maxHeaders: 20, maxTrailersBytes: 200, maxChunkExtensionBytes: 50 };
const methods = ["GET", "HEAD", "CONNECT", "POST"];

/** What the owner of the request sees; bytes behind a complete response are ignored or a violation, depending on when they come. */
function seen(bytes: Buffer, method: string, cuts: readonly number[]): unknown {
  const run = decodeResponse(bytes, { method, cuts, limits, isFinished: true });
  return [run.responses[0], run.responses[0]?.isComplete === true ? "" : run.violation];
}

export const target: FuzzTarget = {
  about: "any pieces give the same response, to any method",
  seeds: [
    cutAt([1], "\0HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"),
    cutAt(
      [],
      "\0HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n",
    ),
    cutAt([], "\x01HTTP/1.0 404 Not Found\r\nServer: x\r\n\r\nuntil the end"),
    cutAt([9], "\x02HTTP/1.1 204\r\nConnection: close\r\n\r\n"),
    cutAt([], "\0HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nbytes"),
  ],
  dictionary: [
    "\r\n",
    "\r\n\r\n",
    "\n",
    "\r",
    "\0",
    " ",
    ":",
    ";",
    "HTTP/1.1 ",
    "HTTP/1.0 ",
    "200",
    "204",
    "304",
    "101",
    "103",
    "999",
    "Content-Length: ",
    "Transfer-Encoding: chunked\r\n",
    "0\r\n\r\n",
    "5\r\nhello\r\n",
    "Connection: close\r\n",
    "\xff",
  ],
  run(input) {
    const { bytes, cuts } = withCuts(input);
    if (bytes.length === 0) return;
    const method = methods[(bytes[0] as number) % methods.length] as string;
    const response = bytes.subarray(1);
    const whole = seen(response, method, []);
    assert.deepEqual(seen(response, method, cuts), whole);
    assert.deepEqual(seen(response, method, cutEveryByte(response)), whole);
  },
};
