import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { DnsServer } from "@heddle/testkit";
import { askDnsServers, type ResolverFiles } from "./dns-resolver.ts";
import type { DnsQuestion } from "./question.ts";

const none: ResolverFiles = { hosts: "/nonexistent", resolvConf: "/nonexistent" };

/** Asks a server of the test. */
function asker(server: DnsServer, files: ResolverFiles = none, usesSearchDomains = true) {
  const servers = [{ host: "127.0.0.1", port: server.port }];
  return (host: string, family: DnsQuestion["family"] = "v4-only") =>
    askDnsServers({ host, family, resolver: { kind: "dns", servers, usesSearchDomains }, needsTtl: true }, files);
}

function writeFiles(t: TestContext, hosts: string, resolvConf: string): ResolverFiles {
  const folder = mkdtempSync(join(tmpdir(), "heddle-resolver-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const files = { hosts: join(folder, "hosts"), resolvConf: join(folder, "resolv.conf") };
  writeFileSync(files.hosts, hosts);
  writeFileSync(files.resolvConf, resolvConf);
  return files;
}

test("an answer comes with the shortest of its times to live", async (t) => {
  const server = await DnsServer.start(t);
  server.names.set("db.example", { addresses: ["10.0.0.1", "10.0.0.2"], ttlSeconds: 30 });
  const ask = asker(server);
  assert.deepEqual(await ask("db.example"), { addresses: ["10.0.0.1", "10.0.0.2"], ttlMs: 30_000 });
});

test("an answer that does not fit is fetched over TCP", async (t) => {
  const server = await DnsServer.start(t);
  const addresses = Array.from({ length: 200 }, (_, index) => `10.0.1.${index}`);
  server.names.set("big.example", { addresses, isTruncated: true });
  const answer = await asker(server)("big.example");
  assert.deepEqual(answer.addresses, addresses);
  assert.deepEqual(
    server.questions.map(({ over }) => over),
    ["udp", "tcp"],
  );
});

test("each family is asked for where it is wanted, and the other where the preferred one has nothing", async (t) => {
  const server = await DnsServer.start(t);
  server.names.set("both.example", { addresses: ["10.0.0.1", "2001:db8::1"] });
  server.names.set("four.example", { addresses: ["10.0.0.4"] });
  server.names.set("six.example", { addresses: ["2001:db8::6"] });
  const ask = asker(server);
  for (const [host, family, expected] of [
    ["both.example", "all", ["10.0.0.1", "2001:db8::1"]],
    ["both.example", "auto", ["2001:db8::1"]],
    ["both.example", "v4-preferred", ["10.0.0.1"]],
    ["both.example", "v6-only", ["2001:db8::1"]],
    ["four.example", "auto", ["10.0.0.4"]],
    ["four.example", "all", ["10.0.0.4"]],
    ["four.example", "v6-only", []],
    ["six.example", "v4-preferred", ["2001:db8::6"]],
  ] as const)
    assert.deepEqual((await ask(host, family)).addresses, expected, `${host} ${family}`);
});

test("that a name does not exist is an answer, a server that fails is none", async (t) => {
  const server = await DnsServer.start(t);
  server.names.set("broken.example", { failure: 2 });
  const ask = asker(server);
  assert.deepEqual(await ask("absent.example", "all"), { addresses: [], ttlMs: undefined });
  for (const family of ["v4-only", "all", "auto"] as const) await assert.rejects(ask("broken.example", family));
});

test("the hosts file comes first", async (t) => {
  const server = await DnsServer.start(t);
  server.names.set("db.example", { addresses: ["10.0.0.1"] });
  const ask = asker(server, writeFiles(t, "# mine\n10.9.9.9 other DB.example # here\n2001:db8::9 db.example\n", ""));
  assert.deepEqual(await ask("db.example", "all"), { addresses: ["10.9.9.9", "2001:db8::9"], ttlMs: undefined });
  assert.deepEqual((await ask("db.example", "v6-only")).addresses, ["2001:db8::9"]);
  assert.deepEqual(server.questions, []);
});

test("search domains are gone through as resolv.conf says, unless they are not to be used", async (t) => {
  const server = await DnsServer.start(t);
  server.names.set("db.shop.svc.cluster.local", { addresses: ["10.0.0.1"] });
  const files = writeFiles(t, "", "search nothing.local shop.svc.cluster.local\noptions ndots:2 timeout:1\n");
  const asked = () => server.questions.splice(0).map(({ name }) => name);
  const ask = asker(server, files);
  assert.deepEqual((await ask("db")).addresses, ["10.0.0.1"]);
  assert.deepEqual(asked(), ["db.nothing.local", "db.shop.svc.cluster.local"]);
  await ask("a.b.c");
  assert.equal(asked()[0], "a.b.c");
  await ask("db.");
  assert.deepEqual(asked(), ["db"]);
  assert.deepEqual((await asker(server, files, false)("db")).addresses, []);
  assert.deepEqual(asked(), ["db"]);
});
