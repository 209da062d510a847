import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { connectRaw } from "@heddle/testkit";
import { AttackArena } from "../testing/attack-arena.ts";

// Few bytes that ask for many: requests of HTTP/1.1 one behind the other, of a client that reads none of the answers.

const body = { inline_string: "x".repeat(4000) };
const local = { match: { path: "/local" }, direct_response: { status: 200, body } };

let arena: AttackArena;
// Short enough to be waited for; what is cut off by it would be cut off after five minutes otherwise.
before(async () => {
  arena = await AttackArena.start({ manager: { stream_idle_timeout: "1s" }, routes: [local] });
});
after(() => arena[Symbol.asyncDispose]());

const rounds = 20;
const requestsOfARound = 1000;

for (const [what, path] of [
  ["the application's", "/app/short"],
  ["the proxy's own", "/local"],
] as const) {
  test(`pipelined requests whose answers are not read are not begun beyond one buffer of answers: ${what}`, async () => {
    const counted = await arena.stat("http1.response_flood");
    const begunBefore = await arena.stat("http.attacked.downstream_rq_total");
    await arena.endures(async (port) => {
      const client = await connectRaw(port);
      client.socket.pause();
      const requests = Buffer.from(`GET ${path} HTTP/1.1\r\nhost: a\r\n\r\n`.repeat(requestsOfARound));
      for (let round = 0; round < rounds; round += 1) client.socket.write(requests);
      await arena.untilStat("http1.response_flood", counted + 1);
      await client[Symbol.asyncDispose]();
    });
    const begun = (await arena.stat("http.attacked.downstream_rq_total")) - begunBefore;
    // What the buffers of both sockets take, and one of the proxy's.
    assert.ok(begun < (rounds * requestsOfARound) / 4, `${begun} requests were begun`);
  });
}
