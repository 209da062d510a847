import assert from "node:assert/strict";
import { once } from "node:events";
import { BoundSocket } from "node:net";
import { Readable } from "node:stream";
import { test } from "node:test";
import { silentLogger } from "@heddle/core";
import { duplicateDescriptor } from "@heddle/net";
import { AdminServer } from "./server.ts";

test("HEAD of what answers with a stream gets the head, and the stream is let go", async (t) => {
  const body = new Readable({ read() {} });
  const route = {
    path: "/stream",
    method: "GET" as const,
    help: "",
    handle: () => ({ status: 200, body, contentType: "application/x-ndjson" }),
  };
  const server = new AdminServer([route], silentLogger);
  const bound = new BoundSocket({ host: "127.0.0.1", port: 0 });
  t.after(() => bound.close());
  await server.listen(duplicateDescriptor(bound.fd())!);
  t.after(() => server.finish());
  const closed = once(body, "close");
  const { status, headers } = await fetch(`http://127.0.0.1:${bound.address().port}/stream`, { method: "HEAD" });
  assert.deepEqual([status, headers.get("content-type")], [200, "application/x-ndjson"]);
  await closed;
});
