import assert from "node:assert/strict";
import { test } from "node:test";
import { parseAddress, type SocketAddress } from "@heddle/net";
import { type Addressed, DestinationIndex } from "./destination-index.ts";

interface Named extends Addressed {
  readonly name: string;
}

function named(...addresses: string[]): Named {
  return { name: addresses[0] ?? "", addresses: addresses.map(address) };
}

function address(text: string): SocketAddress {
  const parsed = parseAddress(text);
  assert.ok(parsed);
  return parsed;
}

const index = new DestinationIndex<Named>();
index.rebuild([
  named("10.0.0.1:80"),
  named("0.0.0.0:80"),
  named("0.0.0.0:80", "10.0.0.9:80"),
  named("[::]:80"),
  named("[2001:db8::1]:80"),
  named("[::]:443"),
]);

for (const [destination, expected] of [
  ["10.0.0.1:80", "10.0.0.1:80"],
  ["10.0.0.2:80", "0.0.0.0:80"],
  ["[2001:db8::1]:80", "[2001:db8::1]:80"],
  ["[2001:db8::2]:80", "[::]:80"],
  ["10.0.0.1:443", "[::]:443"],
  ["10.0.0.1:81", undefined],
] as const) {
  test(`a connection that was meant for ${destination} goes to ${expected ?? "no other listener"}`, () => {
    assert.equal(index.find(address(destination))?.name, expected);
  });
}

test("a listener stands for each of its addresses, and the first one for an address keeps it", () => {
  assert.equal(index.find(address("10.0.0.9:80"))?.addresses.length, 2);
  assert.equal(index.find(address("10.0.0.3:80"))?.addresses.length, 1);
  index.rebuild([]);
  assert.equal(index.find(address("10.0.0.1:80")), undefined);
});
