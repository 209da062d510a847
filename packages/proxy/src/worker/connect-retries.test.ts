import assert from "node:assert/strict";
import { type AddressInfo, createServer } from "node:net";
import { test } from "node:test";
import { ThrowawayCa } from "@heddle/testkit";
import { bootstrap, clientTls, cluster, http2Cluster, httpListener, route } from "../testing/bootstrap-json.ts";
import { TestProxy } from "../testing/test-proxy.ts";

const uri = "spiffe://cluster.local/ns/shop/sa/web";
const protocols: Readonly<Record<string, object>> = { "HTTP/1.1": {}, "HTTP/2": http2Cluster() };

for (const [protocol, options] of Object.entries(protocols)) {
  test(`each retry without a pause is an attempt to connect (${protocol})`, { timeout: 20_000 }, async (t) => {
    const open = new AsyncDisposableStack();
    t.after(() => open.disposeAsync());
    const ca = await ThrowawayCa.create();
    const material = { ...(await ca.issue(uri)), anchorsPem: ca.certificatePem };
    let attempts = 0;
    const server = open.use(
      createServer((socket) => {
        attempts += 1;
        socket.on("error", () => socket.destroy());
        socket.resetAndDestroy();
      }),
    );
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const retry_policy = {
      retry_on: "connect-failure",
      num_retries: 5,
      retry_back_off: { base_interval: "0.001s", max_interval: "0.001s" },
    };
    const { port } = server.address() as AddressInfo;
    const proxy = open.use(
      await TestProxy.start(
        bootstrap(
          [httpListener({ name: "web", routes: [route("/", "up", { retry_policy })] })],
          [cluster("up", [port], { transport_socket: clientTls(material, uri), ...options })],
        ),
      ),
    );
    assert.equal((await fetch(`http://127.0.0.1:${proxy.port("web")}/`)).status, 503);
    assert.equal(attempts, 6);
  });
}
