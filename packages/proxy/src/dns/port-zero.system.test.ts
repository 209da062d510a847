// Datagrams that no library sends: of a raw socket, which needs root.
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createRequire } from "node:module";
import { test } from "node:test";
import { silentLogger } from "@heddle/core";
import { MetricReader, MetricWriter } from "@heddle/telemetry";
import { DnsListener } from "./dns-listener.ts";
import { DnsStats } from "./dns-stats.ts";

interface ForeignFunctions {
  dlopen(
    path: null,
    definitions: Record<string, { arguments: string[]; return: string }>,
  ): {
    readonly functions: {
      socket(domain: number, type: number, protocol: number): number;
      sendto(descriptor: number, bytes: Buffer, length: bigint, flags: number, to: Buffer, toLength: number): bigint;
      close(descriptor: number): number;
    };
  };
}

const ipv4 = 2;
const rawSocket = 3;
const udp = 17;

/** Sends an UDP datagram from port 0 of 127.0.0.1 to another port of it. */
function sendFromPortZero(port: number, payload: Buffer): void {
  const { functions } = (createRequire(import.meta.url)("node:ffi") as ForeignFunctions).dlopen(null, {
    socket: { arguments: ["i32", "i32", "i32"], return: "i32" },
    sendto: { arguments: ["i32", "buffer", "u64", "i32", "buffer", "u32"], return: "i64" },
    close: { arguments: ["i32"], return: "i32" },
  });
  const socket = functions.socket(ipv4, rawSocket, udp);
  assert.ok(socket >= 0, "a raw socket needs root");
  // RFC 768: source, destination, length, and no checksum.
  const datagram = Buffer.concat([Buffer.alloc(8), payload]);
  datagram.writeUInt16BE(port, 2);
  datagram.writeUInt16BE(datagram.length, 4);
  const to = Buffer.from([ipv4, 0, 0, 0, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
  try {
    const length = BigInt(datagram.length);
    assert.equal(functions.sendto(socket, datagram, length, 0, to, to.length), length);
  } finally {
    functions.close(socket);
  }
}

test("a question from port 0, where no answer can go, is counted and harms nobody", async (t) => {
  const metrics = new MetricReader();
  const stats = new DnsStats(new MetricWriter({ announce: (series) => metrics.add(series) }), "names");
  const addresses = [{ host: "127.0.0.1", port: 0 }];
  const config = { statPrefix: "names", addresses, domains: [], forwarding: undefined };
  const listener = new DnsListener({ config, resolvers: () => [], logger: silentLogger, stats });
  t.after(() => listener.close());
  await listener.listen();
  const port = listener.addresses[0]?.port ?? 0;
  const question = Buffer.from("\0\x07\x01\0\0\x01\0\0\0\0\0\0\x07reviews\0\0\x01\0\x01", "latin1");
  sendFromPortZero(port, question);
  const client = createSocket("udp4");
  t.after(() => client.close());
  client.send(question, port, "127.0.0.1");
  const [reply] = (await once(client, "message")) as [Buffer];
  assert.equal(reply.readUInt16BE(0), 7);
  assert.equal(metrics.total("envoy_dns_filter_downstream_rx_invalid_queries", { envoy_dns_filter: "names" }), 1);
  assert.equal(metrics.total("envoy_dns_filter_downstream_rx_queries", { envoy_dns_filter: "names" }), 2);
});
