import assert from "node:assert/strict";
import { once } from "node:events";
import { createSecureServer } from "node:http2";
import { type AddressInfo, createServer, type Server } from "node:net";
import { type TestContext, test } from "node:test";
import { ThrowawayCa } from "@heddle/testkit";
import { certificateAuthority } from "./certificate-authority.ts";

/** Goes off by itself where a limit of this length is set; others never do. */
function impatient(limitMs: number, isReady: Promise<unknown> = Promise.resolve()) {
  const setTimeout = (goOff: () => void, delayMs: number): number => {
    if (delayMs === limitMs) void isReady.then(goOff);
    return delayMs;
  };
  return { setTimeout, clearTimeout: () => undefined };
}

async function portOf(t: TestContext, server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

const proof = { kind: "token", token: "secret" } as const;

test("an authority that takes the connection and does not shake hands is named", async (t) => {
  const port = await portOf(
    t,
    createServer((socket) => {
      t.after(() => socket.destroy());
      socket.on("error", () => socket.destroy()).resume();
    }),
  );
  const sign = certificateAuthority({ address: `127.0.0.1:${port}` }, impatient(5_000));
  await assert.rejects(sign("csr", proof, ""), {
    message: `no connection to https://127.0.0.1:${port} within 5000 ms`,
  });
});

test("an authority that does not answer is named, and gets no limit that would speak before ours", async (t) => {
  const ca = await ThrowawayCa.create();
  const { chainPem, privateKeyPem } = await ca.issue("", { uris: [], dnsNames: ["localhost"] });
  const server = createSecureServer({ cert: chainPem, key: privateKeyPem });
  const asked = once(server, "stream");
  server.on("session", (session) => t.after(() => session.destroy()));
  server.on("stream", (stream) => stream.on("error", () => undefined));
  const address = `localhost:${await portOf(t, server)}`;
  const sign = certificateAuthority({ address }, impatient(10_000, asked));
  await assert.rejects(sign("csr", proof, ca.certificatePem), {
    message: `no answer from the authority at ${address} within 10000 ms`,
  });
  const [, headers] = await asked;
  assert.deepEqual([headers.authorization, headers["grpc-timeout"]], ["Bearer secret", undefined]);
});
