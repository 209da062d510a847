import assert from "node:assert/strict";
import { test } from "node:test";
import type { WorkloadInstance } from "@heddle/compiler";
import { create, NodeSchema } from "@heddle/xds/api";
import type { Peer } from "../server/peer.ts";
import { authorizeNode } from "./node-authorization.ts";

const instance: WorkloadInstance = {
  id: "reviews-v1-0",
  workload: "reviews-v1",
  service: "reviews",
  namespace: "default",
  serviceAccount: "reviews",
  labels: {},
  version: "v1",
  protocol: "http",
  servicePort: 9080,
  address: "127.0.0.1",
  inboundPort: 1,
  appPort: 2,
  outboundPorts: {},
  ready: true,
  kind: "sidecar",
};
const instances = new Map([[instance.id, instance]]);
const notAfterMs = 1_800_000_000_000;
const own = peer("spiffe://cluster.local/ns/default/sa/reviews");
const nodeId = "sidecar~127.0.0.1~reviews-v1-0.default~default.svc.cluster.local";

function peer(identity: string): Peer {
  return { kind: "verified", identity, notAfterMs };
}

function authorize(peer: Peer | undefined, id: string): ReturnType<typeof authorizeNode> {
  return authorizeNode(peer, create(NodeSchema, { id }), instances, "cluster.local");
}

test("a node with its workload's certificate gets its configuration", () => {
  assert.deepEqual(authorize(own, nodeId), {
    ok: true,
    proxyId: "reviews-v1-0",
    identity: "spiffe://cluster.local/ns/default/sa/reviews",
    notAfterMs,
  });
});

const refused: readonly [title: string, peer: Peer | undefined, id: string, reason: RegExp][] = [
  ["without a certificate", undefined, nodeId, /brought no certificate/],
  [
    "with a certificate that does not count",
    { kind: "refused", reason: "it expired" },
    nodeId,
    /certificate is refused: it expired/,
  ],
  [
    "that asks for another's configuration",
    peer("spiffe://cluster.local/ns/default/sa/web"),
    nodeId,
    /sa\/reviews, and the certificate says .*sa\/web/,
  ],
  ["of another trust domain", peer("spiffe://evil/ns/default/sa/reviews"), nodeId, /certificate says spiffe:\/\/evil/],
  ["that nobody registered", own, nodeId.replace("v1-0", "v9-0"), /no instance reviews-v9-0/],
  ["with an id of another form", own, "reviews", /has not the form/],
];
for (const [title, peer, id, reason] of refused) {
  test(`a node ${title} is refused`, () => {
    const authorization = authorize(peer, id);
    assert.equal(authorization.ok, false);
    assert.match(authorization.ok ? "" : authorization.reason, reason);
  });
}
