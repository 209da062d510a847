import assert from "node:assert/strict";
import type { FuzzTarget } from "@heddle/testkit";
import { readAuthority } from "../../authority.ts";

export const target: FuzzTarget = {
  about: "an authority that is read is read the same again, and holds nothing that ends a field or a host",
  seeds: ["a", "a.example:80", "[::1]:443", "127.0.0.1:1", "xn--bcher-kva.example", "a_b.c-d~e"],
  dictionary: [
    ":",
    "[",
    "]",
    "::",
    "@",
    "/",
    "?",
    "#",
    "\\",
    "%",
    "%00",
    "65535",
    "65536",
    ".",
    "\r\n",
    "\0",
    "ffff",
    "\x80",
  ],
  run(input) {
    const read = readAuthority(input.toString("latin1"));
    if (read === undefined) return;
    assert.equal(readAuthority(read), read);
    assert.doesNotMatch(read, /[\x00-\x20\x7f-\xff@/?#\\]/);
  },
};
