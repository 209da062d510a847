import assert from "node:assert/strict";
import { lookup } from "node:dns/promises";
import { test } from "node:test";
import { systemResolver } from "./system-resolver.ts";

test("a family is asked for alone, or preferred, as dns_lookup_family says", async () => {
  const found = await lookup("localhost", { all: true });
  const of = (family: number): string[] =>
    found.filter((entry) => entry.family === family).map(({ address }) => address);
  const [v4, v6] = [of(4), of(6)];
  assert.ok(v4.length > 0, "localhost has an IPv4 address");
  const resolved = async (family: Parameters<typeof systemResolver>[1]) =>
    (await systemResolver("localhost", family)).addresses;
  assert.deepEqual(await resolved("v4-only"), v4);
  assert.deepEqual(await resolved("v4-preferred"), v4);
  assert.deepEqual(await resolved("auto"), v6.length > 0 ? v6 : v4);
  assert.deepEqual(await resolved("all"), [...v4, ...v6]);
  if (v6.length > 0) assert.deepEqual(await resolved("v6-only"), v6);
  else await assert.rejects(resolved("v6-only"));
});
