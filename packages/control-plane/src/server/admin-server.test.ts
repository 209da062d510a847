import assert from "node:assert/strict";
import { once } from "node:events";
import type { IncomingHttpHeaders } from "node:http";
import { request } from "node:http";
import { connect } from "node:net";
import type { TestContext } from "node:test";
import { test } from "node:test";
import { silentLogger } from "@heddle/core";
import { RecordingLogger } from "../testing/recording-logger.ts";
import type { AdminServerOptions } from "./admin-server.ts";
import { AdminProblem, startAdminServer } from "./admin-server.ts";

async function start(t: TestContext, options: Partial<AdminServerOptions> = {}): Promise<string> {
  const server = await startAdminServer({
    host: "127.0.0.1",
    port: 0,
    token: "right",
    logger: silentLogger,
    routes: [
      { method: "GET", path: "/api/v1/health", isOpen: true, handle: () => ({ status: 200, body: { status: "ok" } }) },
      {
        method: "GET",
        path: "/text",
        isOpen: true,
        handle: () => ({ status: 200, contentType: "text/plain", text: "a 1" }),
      },
      { method: "GET", path: "/api/v1/things", handle: () => ({ status: 200, body: [1] }) },
      { method: "POST", path: "/api/v1/echo", handle: (body) => ({ status: 201, body }) },
      {
        method: "GET",
        path: "/api/v1/broken",
        handle: () => {
          throw new Error("a secret detail");
        },
      },
      {
        method: "GET",
        path: "/api/v1/refused",
        handle: () => {
          throw new AdminProblem(409, "not now", "later");
        },
      },
    ],
    ...options,
  });
  t.after(() => server.close());
  return server.address;
}

interface Reply {
  status: number;
  body: string;
  headers: IncomingHttpHeaders;
}

function call(
  address: string,
  method: string,
  path: string,
  headers: Record<string, string> = {},
  body?: string,
): Promise<Reply> {
  const [host, port] = address.split(":");
  return new Promise((resolve, reject) => {
    const outgoing = request({ host, port, method, path, headers }, (response) => {
      let text = "";
      response.on("data", (chunk: Buffer) => (text += chunk.toString()));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body: text, headers: response.headers }));
    });
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

const bearer = { authorization: "Bearer right" };
const cases: readonly [
  title: string,
  method: string,
  path: string,
  headers: Record<string, string>,
  body: string | undefined,
  status: number,
  answer: RegExp,
][] = [
  ["health needs no token", "GET", "/api/v1/health", {}, undefined, 200, /"ok"/],
  ["a call without a token is refused", "GET", "/api/v1/things", {}, undefined, 401, /run\.json holds it/],
  [
    "a call with a wrong token is refused",
    "GET",
    "/api/v1/things",
    { authorization: "Bearer wrong" },
    undefined,
    401,
    /missing or wrong/,
  ],
  ["the token opens the API", "GET", "/api/v1/things?x=1", bearer, undefined, 200, /\[1\]/],
  [
    "a foreign Host header is refused",
    "GET",
    "/api/v1/things",
    { ...bearer, host: "evil.example" },
    undefined,
    403,
    /Host header/,
  ],
  ["an unknown path names the known ones", "GET", "/api/v1/nothing", bearer, undefined, 404, /\/api\/v1\/things/],
  ["an unknown path does not tell strangers that it is unknown", "GET", "/api/v1/nothing", {}, undefined, 401, /token/],
  ["the wrong method is told the right one", "POST", "/api/v1/things", bearer, undefined, 405, /use GET/],
  ["a JSON body arrives", "POST", "/api/v1/echo", bearer, '{"a":1}', 201, /\{"a":1\}/],
  ["a body that is not JSON is refused", "POST", "/api/v1/echo", bearer, "{", 400, /not JSON/],
  ["a body that is too long is refused", "POST", "/api/v1/echo", bearer, " ".repeat(70_000), 413, /longer than 65536/],
  ["a problem keeps its status and hint", "GET", "/api/v1/refused", bearer, undefined, 409, /"hint":"later"/],
];
for (const [title, method, path, headers, body, status, answer] of cases) {
  test(title, async (t) => {
    const reply = await call(await start(t), method, path, headers, body);
    assert.equal(reply.status, status);
    assert.match(reply.body, answer);
  });
}

test("an answer may be text of another type", async (t) => {
  const reply = await call(await start(t), "GET", "/text");
  assert.deepEqual([reply.status, reply.body, reply.headers["content-type"]], [200, "a 1", "text/plain"]);
});

test("a refusal carries the header that HTTP demands for its status", async (t) => {
  const address = await start(t);
  assert.equal((await call(address, "GET", "/api/v1/things")).headers["www-authenticate"], "Bearer");
  assert.equal((await call(address, "POST", "/api/v1/things", bearer)).headers.allow, "GET");
});

test("the reason of a refusal arrives although the caller has far more to send", async (t) => {
  const reply = await call(await start(t), "POST", "/api/v1/echo", bearer, "x".repeat(8 * 1024 * 1024));
  assert.equal(reply.status, 413);
  assert.match(reply.body, /longer than 65536/);
});

test("a caller that goes away in the middle of its body is no failure of ours", async (t) => {
  const logger = new RecordingLogger();
  const address = await start(t, { logger });
  const [host, port] = address.split(":");
  const socket = connect(Number(port), host);
  await once(socket, "connect");
  socket.end(
    `POST /api/v1/echo HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer right\r\nContent-Length: 100\r\n\r\n{`,
  );
  socket.resume();
  await once(socket, "close");
  assert.equal((await call(address, "GET", "/api/v1/health")).status, 200);
  assert.deepEqual(logger.lines, []);
});

test("a request target that is no path is refused", async (t) => {
  const address = await start(t);
  for (const target of ["//", "http://[/", "*"]) {
    const reply = await call(address, "GET", target, bearer);
    assert.ok([400, 404].includes(reply.status), `${target}: ${reply.status}`);
  }
});

test("the address that the operator asked for is a name of its own", async (t) => {
  const address = await start(t, { host: "0.0.0.0" });
  const [, port] = address.split(":");
  const local = `127.0.0.1:${port}`;
  assert.equal((await call(local, "GET", "/api/v1/things", { ...bearer, host: `0.0.0.0:${port}` })).status, 200);
  assert.equal((await call(local, "GET", "/api/v1/things", { ...bearer, host: `evil.example:${port}` })).status, 403);
});

test("a failure tells the caller nothing of its inside", async (t) => {
  const reply = await call(await start(t), "GET", "/api/v1/broken", bearer);
  assert.equal(reply.status, 500);
  assert.doesNotMatch(reply.body, /secret/);
});
