import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { connectRaw, type RawPeer, startRawServer } from "@heddle/testkit";
import { bootstrap, cluster, httpListener, route } from "../testing/bootstrap-json.ts";
import { TestProxy } from "../testing/test-proxy.ts";

// What counts as an error of an endpoint, by which outlier detection would judge it.

interface Case {
  readonly title: string;
  readonly listener?: string;
  /** What the client does to its request once that is at the endpoint, and the endpoint in turn. */
  readonly end: (client: RawPeer, endpoint: RawPeer) => Promise<unknown>;
  readonly counted: "error" | "success" | "nothing";
}

const halfBody = "POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhalf";
const halfAnswer = (status: number): string => `HTTP/1.1 ${status} OK\r\ncontent-length: 10\r\n\r\nhalf`;

async function leaveAmidAnswer(client: RawPeer, endpoint: RawPeer, status: number): Promise<void> {
  await endpoint.send(halfAnswer(status));
  await client.until("half");
  client.reset();
}

const cases: readonly Case[] = [
  { title: "a client that leaves before the answer", end: async (client) => client.reset(), counted: "nothing" },
  {
    title: "a body that comes too slowly",
    listener: "impatient",
    end: (client) => client.untilEnd(),
    counted: "nothing",
  },
  {
    title: "a client that leaves amid an answer",
    end: (client, endpoint) => leaveAmidAnswer(client, endpoint, 200),
    counted: "success",
  },
  {
    title: "a client that leaves amid an answer with 500",
    end: (client, endpoint) => leaveAmidAnswer(client, endpoint, 500),
    counted: "error",
  },
  { title: "an endpoint that breaks off", end: async (_, endpoint) => endpoint.reset(), counted: "error" },
];

for (const { title, listener = "web", end, counted } of cases) {
  test(`${title} counts as ${counted} of the endpoint`, async (t) => {
    const { proxy, upstream } = await begin(t);
    const client = await connectRaw(proxy.port(listener));
    t.after(() => client.socket.destroy());
    await client.send(halfBody);
    const endpoint = await upstream.next();
    await endpoint.until("half");
    await end(client, endpoint);
    await proxy.whenBalanced();
    const stats = await proxy.admin("/clusters");
    assert.match(stats, new RegExp(`^app::${upstream.address}::rq_error::${counted === "error" ? 1 : 0}$`, "m"));
    assert.match(stats, new RegExp(`^app::${upstream.address}::rq_success::${counted === "success" ? 1 : 0}$`, "m"));
  });
}

async function begin(t: TestContext): Promise<{ proxy: TestProxy; upstream: Upstream }> {
  const server = await startRawServer();
  t.after(() => server[Symbol.asyncDispose]());
  const routes = [route("/", "app", { timeout: "0s" })];
  const proxy = await TestProxy.start(
    bootstrap(
      [
        httpListener({ name: "web", routes }),
        httpListener({ name: "impatient", routes, manager: { request_timeout: "0.05s" } }),
      ],
      [cluster("app", [server.port])],
    ),
  );
  t.after(() => proxy[Symbol.asyncDispose]());
  return { proxy, upstream: { next: () => server.next(), address: `127\\.0\\.0\\.1:${server.port}` } };
}

interface Upstream {
  readonly next: () => Promise<RawPeer>;
  /** In a regular expression. */
  readonly address: string;
}
