import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import { DnsServer } from "@heddle/testkit";
import { bootstrap, cluster, httpListener, route } from "../testing/bootstrap-json.ts";
import { TestProxy } from "../testing/test-proxy.ts";

/** An application that says at which address it is; at one port of several addresses. */
async function startAt(t: TestContext, host: string, port: number): Promise<number> {
  const server = createServer((_, response) => response.end(host));
  server.listen(port, host);
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

function named(type: string, dns: DnsServer, port: number): object {
  const resolver = "type.googleapis.com/envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig";
  const address = { socket_address: { address: "app.example", port_value: port } };
  return cluster("app", [], {
    type,
    dns_lookup_family: "V4_ONLY",
    dns_refresh_rate: "600s",
    dns_failure_refresh_rate: { base_interval: "0.1s", max_interval: "0.5s" },
    respect_dns_ttl: true,
    typed_dns_resolver_config: {
      name: "r",
      typed_config: {
        "@type": resolver,
        resolvers: [{ socket_address: { address: "127.0.0.1", port_value: dns.port } }],
      },
    },
    load_assignment: { cluster_name: "app", endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }] },
  });
}

const skip = process.platform === "linux" ? false : "only Linux has the whole of 127.0.0.0/8 for loopback";

for (const type of ["STRICT_DNS", "LOGICAL_DNS"]) {
  test(`a ${type} cluster follows its name's answers in their time to live, and keeps them while the server fails`, {
    skip,
  }, async (t) => {
    const port = await startAt(t, "127.0.0.1", 0);
    await startAt(t, "127.0.0.2", port);
    const dns = await DnsServer.start(t);
    dns.names.set("app.example", { addresses: ["127.0.0.1"], ttlSeconds: 1 });
    const proxy = await TestProxy.start(
      bootstrap(
        [httpListener({ name: "web", routes: [route("/", "app")] })],
        [named(type, dns, port) as Record<string, unknown>],
      ),
    );
    t.after(() => proxy[Symbol.asyncDispose]());
    // Each with a connection of its own at the upstream, since a logical endpoint keeps those that it has.
    const answers = async (): Promise<string[]> =>
      Promise.all(
        [1, 2].map(async () =>
          (await fetch(`http://127.0.0.1:${proxy.port("web")}/`, { headers: { connection: "close" } })).text(),
        ),
      );
    const untilAnswered = async (host: string): Promise<void> => {
      const giveUpAt = performance.now() + 15_000;
      while (!(await answers()).includes(host)) assert.ok(performance.now() < giveUpAt, `no answer from ${host}`);
    };
    await untilAnswered("127.0.0.1");
    dns.names.set("app.example", { failure: 2 });
    const asked = dns.questions.length;
    await dns.until(({ questions }) => questions.length > asked);
    assert.deepEqual(await answers(), ["127.0.0.1", "127.0.0.1"]);
    dns.names.set("app.example", { addresses: ["127.0.0.2"], ttlSeconds: 1 });
    if (type === "STRICT_DNS") await untilAnswered("127.0.0.2");
    while (!(await proxy.admin("/clusters")).includes(`app::127.0.0.2:${port}::`));
    assert.match(await proxy.admin("/stats?filter=update_failure"), /cluster\.app\.update_failure: [1-9]/);
  });
}
