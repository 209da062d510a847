import assert from "node:assert/strict";
import { test } from "node:test";
import type { SocketFailure } from "@heddle/net";
import type { DialOwner } from "./dial.ts";
import { Fixture, makeCluster } from "./testing/fixture.ts";
import { ScriptedUpstream } from "./testing/scripted-upstream.ts";

test("a stream of a carrier to an endpoint that takes none is a connection that is not made, and never one by itself", async (t) => {
  const upstream = await ScriptedUpstream.start(t, () => {});
  const { tunnels, timers } = new Fixture(t);
  const cluster = makeCluster([upstream.port]);
  const [endpoint] = cluster.endpoints;
  assert.ok(endpoint);
  const outcome = Promise.withResolvers<SocketFailure | "made">();
  const owner: DialOwner = {
    onDialed: (_dial, socket) => {
      socket.destroy();
      outcome.resolve("made");
    },
    onDialFailed: (_dial, failure) => outcome.resolve(failure),
  };
  tunnels.dial({ cluster, endpoint, tls: undefined, isTunnelled: true, timers, wallMs: Date.now, owner });
  assert.deepEqual(await outcome.promise, {
    kind: "local",
    code: "upstream_connect_failed",
    text: `no carriers go to ${endpoint.address}`,
    cause: "",
  });
  assert.equal(upstream.connections, 0);
});
