import assert from "node:assert/strict";
import type { FuzzTarget } from "@heddle/testkit";
import { inspectHttp } from "../../http-preface.ts";

export const target: FuzzTarget = {
  about: "nothing crashes; where it stands does not matter; once decided, more bytes decide nothing else",
  seeds: [
    "GET / HTTP/1.1\r\n",
    "POST /x HTTP/1.0\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "PRI /x HTTP/1.1\r\n",
    "SSH-2.0-x\r\n",
  ],
  dictionary: ["\r\n", "\n", " ", "HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "PRI * ", "SM", "\0", "\x16\x03", "x".repeat(40)],
  run(input) {
    const whole = inspectHttp(input, 0, input.length);
    const shifted = Buffer.concat([Buffer.from("GET "), input, Buffer.from("\r\n\r\n")]);
    assert.equal(inspectHttp(shifted, 4, 4 + input.length), whole);
    for (let length = 0; length < input.length; length += 1) {
      const part = inspectHttp(input, 0, length);
      if (part !== "incomplete") return assert.equal(whole, part, `decided at ${length}`);
    }
  },
};
