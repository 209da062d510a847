import assert from "node:assert/strict";
import type { FuzzTarget } from "@heddle/testkit";
import { inspectClientHello } from "../../client-hello.ts";

const hello = (extensions: string, records = "16030100"): Buffer => {
  const body = Buffer.from(
    `0303${"11".repeat(32)}00000213010100${(extensions.length / 2).toString(16).padStart(4, "0")}${extensions}`,
    "hex",
  );
  const message = Buffer.concat([Buffer.from([1, 0, body.length >> 8, body.length & 0xff]), body]);
  return Buffer.concat([
    Buffer.from(records.slice(0, 6), "hex"),
    Buffer.from([message.length >> 8, message.length & 0xff]),
    message,
  ]);
};
const sni = "0000000a000800000561 2e636f6d".replaceAll(" ", "");
const alpn = "0010000b000902683208687474702f31".slice(0, 22);

export const target: FuzzTarget = {
  about: "nothing crashes; where it stands does not matter; once decided, more bytes decide nothing else",
  seeds: [hello(""), hello(sni), hello(alpn), hello(sni + alpn), "GET / HTTP/1.1\r\n"],
  dictionary: [
    "\x16\x03\x01",
    "\x16\x03\x03",
    "\x01\0\0",
    "\0\0",
    "\0\x10",
    "\0\x02h2",
    "\x08http/1.1",
    "\xff\xff",
    "\x40\0",
    "\x03\x03",
  ],
  run(input) {
    const whole = inspectClientHello(input, 0, input.length);
    const shifted = Buffer.concat([Buffer.from([22, 3, 1]), input, Buffer.from([22, 3])]);
    assert.deepEqual(inspectClientHello(shifted, 3, 3 + input.length), whole);
    for (let length = 0; length < input.length; length += 1) {
      const part = inspectClientHello(input, 0, length);
      if (part.kind !== "incomplete") return assert.deepEqual(whole, part, `decided at ${length}`);
    }
  },
};
