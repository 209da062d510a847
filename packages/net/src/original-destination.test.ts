import assert from "node:assert/strict";
import { endianness } from "node:os";
import { test } from "node:test";
import { originalDestination, parseSocketAddress } from "./original-destination.ts";

function kernelAddress(family: number, port: number, address: string, at: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  if (endianness() === "LE") bytes.writeUInt16LE(family);
  else bytes.writeUInt16BE(family);
  bytes.writeUInt16BE(port, 2);
  bytes.write(address, at, "hex");
  return bytes;
}

test("the kernel's form of IPv4 and IPv6 addresses is read, and nothing else", () => {
  const ipv4 = kernelAddress(2, 9080, "0a600001", 4, 28);
  assert.deepEqual(parseSocketAddress(ipv4, 16), { host: "10.96.0.1", port: 9080 });
  const ipv6 = kernelAddress(10, 65_535, "20010db8000000000000000000000001", 8, 28);
  assert.deepEqual(parseSocketAddress(ipv6, 28), { host: "2001:db8::1", port: 65_535 });
  const mapped = kernelAddress(10, 80, "00000000000000000000ffff0a600001", 8, 28);
  assert.deepEqual(parseSocketAddress(mapped, 28), { host: "10.96.0.1", port: 80 });
  assert.equal(parseSocketAddress(ipv4, 8), undefined);
  assert.equal(parseSocketAddress(ipv6, 16), undefined);
  assert.equal(parseSocketAddress(kernelAddress(1, 0, "", 4, 28), 28), undefined);
});

test("a descriptor that is not open has no original destination", () => {
  assert.equal(originalDestination(-1, "127.0.0.1"), undefined);
  assert.equal(originalDestination(-1, "::1"), undefined);
});
