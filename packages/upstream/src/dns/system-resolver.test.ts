import assert from "node:assert/strict";
import { lookup } from "node:dns/promises";
import { test } from "node:test";
import { DnsServer } from "@heddle/testkit";
import type { DnsQuestion } from "./question.ts";
import { systemResolver } from "./system-resolver.ts";

test("a family is asked for alone, or preferred, as dns_lookup_family says", async () => {
  const found = await lookup("localhost", { all: true });
  const of = (family: number): string[] =>
    found.filter((entry) => entry.family === family).map(({ address }) => address);
  const [v4, v6] = [of(4), of(6)];
  assert.ok(v4.length > 0, "localhost has an IPv4 address");
  const resolved = async (family: DnsQuestion["family"]) =>
    (await systemResolver({ host: "localhost", family, resolver: { kind: "default" }, needsTtl: false })).addresses;
  assert.deepEqual(await resolved("v4-only"), v4);
  assert.deepEqual(await resolved("v4-preferred"), v4);
  assert.deepEqual(await resolved("auto"), v6.length > 0 ? v6 : v4);
  assert.deepEqual(await resolved("all"), [...v4, ...v6]);
  assert.deepEqual(await resolved("v6-only"), v6);
});

test("servers that are named are asked themselves", async (t) => {
  const server = await DnsServer.start(t);
  server.names.set("db.example", { addresses: ["10.0.0.1"], ttlSeconds: 7 });
  const servers = [{ host: "127.0.0.1", port: server.port }];
  const resolver = { kind: "dns", servers, usesSearchDomains: false } as const;
  const answer = await systemResolver({ host: "db.example", family: "v4-only", resolver, needsTtl: false });
  assert.deepEqual(answer, { addresses: ["10.0.0.1"], ttlMs: 7000 });
});
