import assert from "node:assert/strict";
import { request } from "node:http";
import type { TestContext } from "node:test";
import { test } from "node:test";
import { silentLogger } from "@heddle/core";
import { AdminProblem, startAdminServer } from "./admin-server.ts";

async function start(t: TestContext): Promise<string> {
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
  });
  t.after(() => server.close());
  return server.address;
}

interface Reply {
  status: number;
  body: string;
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
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body: text }));
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

test("a failure tells the caller nothing of its inside", async (t) => {
  const reply = await call(await start(t), "GET", "/api/v1/broken", bearer);
  assert.equal(reply.status, 500);
  assert.doesNotMatch(reply.body, /secret/);
});
