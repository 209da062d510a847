import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../../testing/temporary-folder.ts";
import { PortProblem } from "../ports.ts";
import { HostNames, hostResolver } from "./host-names.ts";

const files: readonly [what: string, text: string, expected: string | undefined][] = [
  ["an IPv4 address", "# by hand\nnameserver 192.0.2.1\nnameserver 192.0.2.2\n", "192.0.2.1"],
  ["an IPv6 address behind an interface", "nameserver fe80::1%eth0 # the router\n", "fe80::1%eth0"],
  ["something that is no address", "nameserver resolver.example\nnameserver 192.0.2.2\n", "192.0.2.2"],
  ["an address on a line of its own", "nameserver\n192.0.2.1\n", undefined],
  ["no server at all", "search example\n", undefined],
];

for (const [what, text, expected] of files) {
  test(`a resolv.conf with ${what} names ${expected ?? "nobody"}`, (t) => {
    const path = join(temporaryFolder(t), "resolv.conf");
    writeFileSync(path, text);
    assert.equal(hostResolver(path), expected);
  });
}

test("a question that cannot be passed on is lost alone: the next is taken", async (t) => {
  // No socket that was not told to may connect to it: so it is when the machine has lost its network.
  const names = await HostNames.open({ host: "127.0.0.1", port: 0, resolver: "255.255.255.255" });
  t.after(() => names.close());
  const { host, port } = names.address;
  const client = createSocket("udp4");
  t.after(() => client.close());
  client.send("a question", port, host);
  await once(client, "listening");
  const relayed = connect({ host, port });
  relayed.on("error", () => undefined);
  await once(relayed, "close");
  client.send("another", port, host);
  // Behind both in the queues of this process: what they have thrown has been thrown.
  const last = connect({ host, port });
  last.on("error", () => undefined);
  await once(last, "close");
});

for (const protocol of ["TCP", "UDP"]) {
  test(`another port is taken where the wanted one is in use over ${protocol}`, async (t) => {
    const holder = createServer().listen(0, "127.0.0.1");
    await once(holder, "listening");
    t.after(() => holder.close());
    const { port: wanted } = holder.address() as AddressInfo;
    if (protocol === "UDP") {
      const other = createSocket("udp4").bind(wanted, "127.0.0.1");
      await once(other, "listening");
      t.after(() => other.close());
      holder.close();
      await once(holder, "close");
    }
    const names = await HostNames.open({ host: "127.0.0.1", port: wanted, resolver: undefined });
    t.after(() => names.close());
    assert.notEqual(names.address.port, wanted);
    // What the first try had is free again.
    if (protocol === "TCP") return;
    const again = createServer().listen(wanted, "127.0.0.1");
    t.after(() => again.close());
    await once(again, "listening");
  });
}

test("an address that is not of this machine is named", async () => {
  await assert.rejects(
    HostNames.open({ host: "192.0.2.1", port: 0, resolver: undefined }),
    (error) => error instanceof PortProblem && /on 192\.0\.2\.1: .*EADDRNOTAVAIL/.test(error.message),
  );
});
