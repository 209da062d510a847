import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { type EchoedRequest, startEchoServer } from "@heddle/testkit";

/** Starts one service of the bookshop on a free port, as any process manager would. */
async function start(t: TestContext, service: string, env: Readonly<Record<string, string>> = {}): Promise<string> {
  const file = fileURLToPath(new URL(`../../../../examples/bookshop/services/${service}.ts`, import.meta.url));
  const child = spawn(process.execPath, [file], {
    env: { PATH: process.env["PATH"] ?? "", ...env, PORT: "0" },
    stdio: ["ignore", "pipe", "ignore"],
  });
  t.after(async () => {
    child.kill("SIGKILL");
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  });
  for await (const line of createInterface(child.stdout)) {
    const port = /listens on port (\d+)$/.exec(line)?.[1];
    if (port !== undefined) return `http://127.0.0.1:${port}`;
  }
  throw new Error(`${service} ended before it listened`);
}

const traceHeaders: Readonly<Record<string, string>> = {
  "x-request-id": "3f9c",
  traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
  tracestate: "shop=1",
  b3: "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1",
  "x-b3-traceid": "80f198ee56343ba864fe8b2a57d3eff7",
  "x-b3-spanid": "e457b5a2e4d86bd1",
  "x-b3-parentspanid": "05e3ac9a4f6e3b90",
  "x-b3-sampled": "1",
  "x-b3-flags": "0",
};

const calls: readonly { service: string; path: string; calls: readonly string[]; env?: Record<string, string> }[] = [
  { service: "web", path: "/api/books", calls: ["/books", "/authors"] },
  { service: "web", path: "/api/reviews/1", calls: ["/reviews/1"] },
  { service: "reviews", path: "/reviews/1", calls: ["/ratings/1"], env: { VERSION: "v2" } },
];
for (const { service, path, calls: expected, env } of calls) {
  test(`${service} passes the trace headers of ${path} on to ${expected.join(" and ")}, and no others`, async (t) => {
    const heard: EchoedRequest[] = [];
    const next = await startEchoServer({
      respond: ({ method = "", url = "", httpVersion, headers }, response) => {
        const rawHeaders = Object.entries(headers).map(([name, value]): [string, string] => [name, String(value)]);
        heard.push({ server: "", method, url, httpVersion, rawHeaders, body: "", trailers: {}, connection: 0 });
        response.setHeader("content-type", "application/json");
        response.end(url.startsWith("/ratings") ? '{"stars":[4,5]}' : "[]");
        return true;
      },
    });
    t.after(() => next.close());
    const url = `http://127.0.0.1:${next.port}`;
    const urls = { BOOKS_URL: url, AUTHORS_URL: url, REVIEWS_URL: url, RATINGS_URL: url };
    const base = await start(t, service, { ...urls, ...env });
    const response = await fetch(base + path, { headers: { ...traceHeaders, "x-secret": "mine" } });
    assert.equal(response.status, 200, await response.text());
    assert.deepEqual(heard.map((each) => each.url).sort(), [...expected].sort());
    for (const { rawHeaders } of heard) {
      const passed = Object.fromEntries(rawHeaders);
      assert.deepEqual({ ...passed, ...traceHeaders }, passed);
      assert.ok(!("x-secret" in passed));
    }
  });
}

async function additions(base: string, count: number): Promise<number[]> {
  const statuses: number[] = [];
  for (let i = 0; i < count; i++) {
    const body = JSON.stringify({ title: `Book ${i}`, author: "a1" });
    statuses.push((await fetch(`${base}/books`, { method: "POST", body })).status);
  }
  return statuses;
}

test("books fails its additions by FAILURE_RATE: all, none, and half by default", async (t) => {
  const all = await additions(await start(t, "books", { FAILURE_RATE: "1" }), 8);
  assert.deepEqual(new Set(all), new Set([500]));
  const none = await additions(await start(t, "books", { FAILURE_RATE: "0" }), 8);
  assert.deepEqual(new Set(none), new Set([201]));
  // 200 throws of a coin: fewer than 60 or more than 140 heads come once in 10^8 runs.
  const half = (await additions(await start(t, "books"), 200)).filter((status) => status === 500).length;
  assert.ok(half >= 60 && half <= 140, `${half} of 200 failed`);
});

test("a book that could not be added is not in the catalogue", async (t) => {
  const base = await start(t, "books", { FAILURE_RATE: "1" });
  await additions(base, 1);
  assert.equal((await fetch(`${base}/books/5`)).status, 404);
});
