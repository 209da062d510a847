import assert from "node:assert/strict";
import type { FuzzTarget } from "@heddle/testkit";
import { maxProxyHeaderBytes, parseProxyHeader } from "../../proxy-protocol.ts";

const version2 = (rest: string): Buffer => Buffer.from(`0d0a0d0a000d0a515549540a${rest}`, "hex");

export const target: FuzzTarget = {
  about: "nothing crashes; where it stands does not matter; once decided, more bytes decide nothing else",
  seeds: [
    "PROXY TCP4 10.0.0.1 10.0.0.2 1024 80\r\nGET / HTTP/1.1\r\n",
    "PROXY TCP6 ::1 fe80::1 65535 1\r\n",
    "PROXY UNKNOWN\r\n",
    "PROXY UNKNOWN anything at all\r\n",
    version2("2111000c0a0000010a00000204000050"),
    version2("212100241111111111111111111111111111111122222222222222222222222222222222040000500100026832"),
    version2("20000000"),
    version2("211100120a0000010a0000020400005003000400000000"),
  ],
  dictionary: [
    "PROXY ",
    "TCP4 ",
    "TCP6 ",
    "UNKNOWN",
    "\r\n",
    " ",
    "65535",
    "65536",
    "255.255.255.255",
    "::ffff:10.0.0.1",
    "00",
    version2(""),
    version2("21"),
    "\x11",
    "\x21",
    "\0\x0c",
    "\0\x24",
    "\xff\xff",
  ],
  run(input) {
    const whole = parseProxyHeader(input, 0, input.length);
    const shifted = Buffer.concat([Buffer.from("PROXY "), input, Buffer.from("\r\n")]);
    assert.deepEqual(parseProxyHeader(shifted, 6, 6 + input.length), whole);
    if (whole.kind === "found") {
      assert.ok(whole.length <= Math.min(input.length, maxProxyHeaderBytes));
      assert.deepEqual(parseProxyHeader(input, 0, whole.length), whole, "what follows is not the header's");
    }
    for (let length = 0; length < input.length; length += 1) {
      const part = parseProxyHeader(input, 0, length);
      if (part.kind !== "incomplete") return assert.deepEqual(whole, part, `decided at ${length}`);
    }
  },
};
