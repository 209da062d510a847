import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { refuseDescriptors } from "@heddle/testkit";
import { ApplicationPorts, PortProblem } from "./ports.ts";
import { SharedAddress } from "./shared-address.ts";

const calls = ["books", "reviews"].map((name) => ({ name, namespace: "default", scheme: "http", port: 80 }) as const);
const planned = {
  id: "web-0",
  workload: "web",
  service: "web",
  namespace: "default",
  serviceAccount: "web",
  version: "",
  labels: {},
  protocol: "tcp",
  servicePort: 80,
  command: [],
  workingDir: undefined,
  env: {},
  calls,
  readiness: undefined,
  place: "",
} as const;
const open = (): number => readdirSync("/proc/self/fd").length;

for (const spare of [1, 2, 3]) {
  test(`a replica whose ports cannot all be had holds none, after ${spare}`, async () => {
    const applicationPorts = await ApplicationPorts.open();
    const before = open();
    const giveBack = refuseDescriptors(process.pid, spare);
    try {
      await assert.rejects(SharedAddress.open(planned, applicationPorts), PortProblem);
    } finally {
      giveBack();
    }
    assert.equal(open(), before);
  });
}

test("a replica holds a port for what it is sent, one for carriers, and one for each service that it calls", async () => {
  const applicationPorts = await ApplicationPorts.open();
  const before = open();
  const place = await SharedAddress.open(planned, applicationPorts);
  const { inboundPort, tunnelPort, outboundPorts } = place.ports;
  assert.deepEqual(
    place.proxySockets.map(({ address }) => address.port),
    [inboundPort, tunnelPort, ...calls.map(({ name }) => outboundPorts[`${name}.default`])],
  );
  assert.equal(open(), before + 4);
  await place.release();
  assert.equal(open(), before);
});
