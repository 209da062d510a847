import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import type { TestContext } from "node:test";
import { test } from "node:test";
import { silentLogger } from "@heddle/core";
import type { ListenerConfig } from "@heddle/engine";
import { loadListener } from "@heddle/engine/load";
import { dnsCode, dnsType } from "@heddle/http";
import type { SocketAddress } from "@heddle/net";
import { MetricReader, MetricWriter } from "@heddle/telemetry";
import { fromJson, ListenerSchema, typeRegistry } from "@heddle/xds/api";
import { EventWaiter } from "@heddle/testkit";
import { dnsListener } from "../testing/bootstrap-json.ts";
import { type Answer, askUdp, question, readAnswer } from "../testing/dns-client.ts";
import { DnsServer } from "./dns-server.ts";
import { withLength } from "./forwarder.ts";
import { MessageStream } from "./message-stream.ts";

function listenerOf(...parts: Parameters<typeof dnsListener>): ListenerConfig {
  const json = dnsListener(...parts);
  const loaded = loadListener(fromJson(ListenerSchema, json as never, { registry: typeRegistry }));
  assert.deepEqual(loaded.problems, []);
  assert.ok(loaded.config);
  return loaded.config;
}

async function askTcp({ host, port }: SocketAddress, ...names: string[]): Promise<Answer[]> {
  const socket = connect(port, host);
  const asked = names.map((name, index) => question(name, dnsType.a, index));
  const stream = new MessageStream(0xffff);
  const answers: Answer[] = [];
  socket.write(Buffer.concat(asked.map(withLength)));
  for await (const bytes of socket) {
    stream.push(bytes as Buffer);
    for (let reply = stream.next(); reply !== undefined; reply = stream.next())
      answers.push(readAnswer(reply, asked[answers.length] ?? Buffer.alloc(0)));
    if (answers.length === names.length) break;
  }
  return answers;
}

interface Harness {
  readonly server: DnsServer;
  readonly metrics: MetricReader;
  readonly addresses: readonly SocketAddress[];
  readonly update: (config: ListenerConfig) => void;
  readonly counted: (stat: string) => number;
}

async function start(
  t: TestContext,
  config: ListenerConfig,
  resolvers: readonly SocketAddress[] = [],
): Promise<Harness> {
  const metrics = new MetricReader();
  const events = new EventWaiter();
  const server = new DnsServer({
    writer: new MetricWriter({ announce: (series) => metrics.add(series) }),
    logger: silentLogger,
    resolvers: () => resolvers,
    onChange: () => events.notify(),
  });
  t.after(() => server.close());
  server.update(new Map([["dns", config]]));
  await events.until("listening", () => server.isListening);
  return {
    server,
    metrics,
    addresses: server.addressesOf("dns"),
    update: (next) => server.update(new Map([["dns", next]])),
    // The label is the filter's stat_prefix.
    counted: (stat) => metrics.total(`envoy_dns_filter_${stat}`, { envoy_dns_filter: "names" }),
  };
}

/** A resolver that answers each question as it is told, by UDP and TCP on one port. */
async function startResolver(t: TestContext, reply: (asked: Buffer) => Buffer | undefined): Promise<SocketAddress> {
  const open = new Set<Socket>();
  const server = createServer((connection) => {
    open.add(connection);
    const stream = new MessageStream(0xffff);
    connection.on("error", () => undefined);
    connection.on("data", (bytes: Buffer) => {
      stream.push(bytes);
      const asked = stream.next();
      const answer = asked && reply(asked);
      if (answer !== undefined) connection.write(withLength(answer));
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const socket = createSocket("udp4");
  socket.on("message", (asked, from) => {
    const answer = reply(asked);
    if (answer !== undefined) socket.send(answer, from.port, from.address);
  });
  socket.bind(port, "127.0.0.1");
  await once(socket, "listening");
  t.after(() => {
    socket.close();
    server.close();
    for (const connection of open) connection.destroy();
  });
  return { host: "127.0.0.1", port };
}

function answerWith(asked: Buffer, code: number): Buffer {
  const reply = Buffer.from(asked);
  reply.writeUInt16BE(0x8180 | code, 2);
  return reply;
}

const reviews = ["240.240.0.1", "2001:2::1"];

test("names of the table are answered by UDP and TCP, for each family, until they change", async (t) => {
  const { addresses, update, counted } = await start(t, listenerOf({ reviews, "v4.default": ["240.240.0.2"] }));
  assert.deepEqual(
    addresses.map(({ host }) => host),
    ["127.0.0.1", "::1"],
  );
  for (const address of addresses) {
    const v4 = await askUdp(address, "Reviews");
    assert.deepEqual(v4, {
      code: dnsCode.noError,
      addresses: ["240.240.0.1"],
      ttl: 30,
      isTruncated: false,
      isAuthoritative: true,
    });
    const v6 = await askUdp(address, "reviews", dnsType.aaaa);
    assert.deepEqual(v6.addresses, ["20010002000000000000000000000001"]);
    assert.deepEqual(
      (await askTcp(address, "reviews", "v4.default", "nobody")).map((answer) => [answer.code, answer.addresses]),
      [
        [dnsCode.noError, ["240.240.0.1"]],
        [dnsCode.noError, ["240.240.0.2"]],
        [dnsCode.nxDomain, []],
      ],
    );
  }
  const [address] = addresses;
  assert.ok(address);
  const none = await askUdp(address, "v4.default", dnsType.aaaa);
  assert.deepEqual([none.code, none.addresses], [dnsCode.noError, []], "it exists, without such an address");
  assert.deepEqual((await askUdp(address, "reviews", 65)).addresses, []);
  const before = counted("downstream_rx_queries");
  update(listenerOf({ reviews: ["240.240.0.9"] }));
  assert.deepEqual((await askUdp(address, "reviews")).addresses, ["240.240.0.9"]);
  assert.equal((await askUdp(address, "v4.default")).code, dnsCode.nxDomain);
  assert.equal(counted("downstream_rx_queries"), before + 2);
  assert.equal(counted("known_domain_queries"), 11);
});

test("an answer that is too long for UDP says so, and comes by TCP", async (t) => {
  const many = Array.from({ length: 60 }, (_, index) => `240.240.1.${index}`);
  const { addresses } = await start(t, listenerOf({ many }, undefined, "30s", ["127.0.0.1"]));
  const [address] = addresses;
  assert.ok(address);
  const cut = await askUdp(address, "many");
  assert.deepEqual([cut.isTruncated, cut.addresses.length], [true, 0]);
  assert.equal((await askTcp(address, "many"))[0]?.addresses.length, 60);
});

test("other names go to the machine's resolver within the limits of client_config, or do not exist without", async (t) => {
  const asked: Buffer[] = [];
  const resolver = await startResolver(t, (message) => {
    asked.push(message);
    return message.includes("silent") ? undefined : answerWith(message, dnsCode.nxDomain);
  });
  const silent = await startResolver(t, () => undefined);
  const client = { resolver_timeout: "0.2s", max_pending_lookups: 1 };
  const harness = await start(t, listenerOf({ reviews }, client, "30s", ["127.0.0.1"]), [silent, resolver]);
  const [address] = harness.addresses;
  assert.ok(address);
  // The first resolver says nothing, so the second is asked; its own word comes back, which is not ours.
  const passedOn = await askUdp(address, "other.example");
  assert.deepEqual([passedOn.code, passedOn.isAuthoritative], [dnsCode.nxDomain, false]);
  assert.equal((await askTcp(address, "other.example"))[0]?.code, dnsCode.nxDomain);
  assert.equal(asked.length, 2);
  assert.notEqual(asked[0]?.readUInt16BE(0), asked[1]?.readUInt16BE(0), "numbers are drawn");
  // Neither answers, and meanwhile there is no room for another.
  const waiting = askUdp(address, "silent.example");
  while (harness.counted("external_a_record_queries") < 3) await new Promise((resolve) => setImmediate(resolve));
  assert.equal((await askUdp(address, "third.example")).code, dnsCode.servFail);
  assert.equal(harness.counted("query_buffer_overflow"), 1);
  assert.equal((await waiting).code, dnsCode.servFail);
  assert.equal(harness.counted("unanswered_queries"), 1);
  harness.update(listenerOf({ reviews }, undefined, "30s", ["127.0.0.1"]));
  assert.equal((await askUdp(address, "other.example")).code, dnsCode.nxDomain);
  assert.equal(asked.length, 3);
});

test("a resolver to which there is no way is passed over at once", async (t) => {
  const resolver = await startResolver(t, (message) => answerWith(message, dnsCode.nxDomain));
  // Refused while the socket is connected: a broadcast (EACCES), and a link-local address without its link (EINVAL).
  const unreachable = ["255.255.255.255", "fe80::1", "fe80::1%nowhere"].map((host) => ({ host, port: 53 }));
  const client = { resolver_timeout: "60s", max_pending_lookups: 8 };
  const config = listenerOf({ reviews }, client, "30s", ["127.0.0.1"]);
  const { addresses } = await start(t, config, [...unreachable, resolver]);
  const [address] = addresses;
  assert.ok(address);
  assert.equal((await askUdp(address, "other.example")).code, dnsCode.nxDomain);
});

test("an answer to another question, or under another number, is not believed", async (t) => {
  const resolver = await startResolver(t, (message) => {
    const forged = answerWith(message, dnsCode.noError);
    if (message.includes("number")) forged.writeUInt16BE((message.readUInt16BE(0) + 1) & 0xffff, 0);
    else forged.writeUInt8("X".charCodeAt(0), 13);
    return forged;
  });
  const client = { resolver_timeout: "0.1s", max_pending_lookups: 8 };
  const { addresses } = await start(t, listenerOf({ reviews }, client, "30s", ["127.0.0.1"]), [resolver]);
  const [address] = addresses;
  assert.ok(address);
  assert.equal((await askUdp(address, "number.example")).code, dnsCode.servFail);
  assert.equal((await askUdp(address, "question.example")).code, dnsCode.servFail);
});

test("what is no question is counted and harms nobody, and idle or greedy clients have their limit", async (t) => {
  const { addresses, counted } = await start(t, listenerOf({ reviews }, undefined, "30s", ["127.0.0.1"]));
  const [address] = addresses;
  assert.ok(address);
  const socket = createSocket("udp4");
  for (const bytes of [Buffer.alloc(1), Buffer.alloc(5000), answerWith(question("reviews", 1), 0)])
    socket.send(bytes, address.port, address.host);
  while (counted("downstream_rx_invalid_queries") < 3) await new Promise((resolve) => setImmediate(resolve));
  socket.close();
  const greedy = connect(address.port, address.host);
  greedy.on("error", () => undefined);
  greedy.write(Buffer.from([0xff, 0xff, 0]));
  await once(greedy, "close");
  const open = Array.from({ length: 65 }, () => connect(address.port, address.host));
  t.after(() => {
    for (const each of open) each.destroy();
  });
  await Promise.race(open.map((each) => once(each, "close")));
  assert.equal(counted("downstream_cx_overflow"), 1);
  assert.deepEqual((await askUdp(address, "reviews")).addresses, ["240.240.0.1"]);
});

test("a listener whose address is taken is said not to listen until it has it", async (t) => {
  const blocker = createServer().listen(0, "127.0.0.1");
  await once(blocker, "listening");
  const { port } = blocker.address() as AddressInfo;
  const config = listenerOf({ reviews }, undefined, "30s", ["127.0.0.1"]);
  assert.ok(config.dns);
  const fixed = { ...config, dns: { ...config.dns, addresses: [{ host: "127.0.0.1", port }] } };
  const events = new EventWaiter();
  const server = new DnsServer({
    writer: new MetricWriter({ announce: () => undefined }),
    logger: { ...silentLogger, error: () => events.notify() },
    resolvers: () => [],
    onChange: () => events.notify(),
  });
  t.after(() => server.close());
  let failures = 0;
  server.update(new Map([["dns", fixed]]));
  await events.until("refused", () => (failures += 1) > 0 && !server.isListening);
  blocker.close();
  await events.until("listening", () => server.isListening);
  assert.deepEqual((await askUdp({ host: "127.0.0.1", port }, "reviews")).addresses, ["240.240.0.1"]);
});

test("a listener that is gone before it listens leaves no socket open", async (t) => {
  const config = listenerOf({ reviews });
  const open = (): string[] => process.getActiveResourcesInfo().filter((kind) => /^(TCPServer|UDP)/.test(kind));
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  // What the tests before this one have closed goes with the next turn.
  while (open().length > 0) await turn();
  // However far it has come with its two addresses.
  for (let ticks = 0; ticks < 20; ticks++) {
    const server = new DnsServer({
      writer: new MetricWriter({ announce: () => undefined }),
      logger: silentLogger,
      resolvers: () => [],
      onChange: () => assert.ok(server.addressesOf("dns").length > 0, "told of a listener that is gone"),
    });
    t.after(() => server.close());
    server.update(new Map([["dns", config]]));
    for (let tick = 0; tick < ticks; tick++) await new Promise<void>((resolve) => process.nextTick(resolve));
    server.update(new Map());
    for (let count = 0; count < 5; count++) await turn();
    assert.deepEqual(open(), [], `gone after ${ticks} ticks`);
  }
});
