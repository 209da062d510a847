// istio.md 4.9: conflicts are resolved by age, for every kind in the same way.
import assert from "node:assert/strict";
import { test } from "node:test";
import { reviewsHost, TestMesh } from "../testing/test-mesh.ts";

interface Place {
  name: string;
  namespace?: string;
  created?: string;
}

type Kind = (place: Place, wins: boolean) => string;

function metadata({ name, namespace = "default", created }: Place): string {
  const timestamp = created === undefined ? "" : `, creationTimestamp: "${created}"`;
  return `metadata: { name: ${name}, namespace: ${namespace}${timestamp} }`;
}

const virtualService: Kind = (place, wins) => `---
apiVersion: networking.istio.io/v1
kind: VirtualService
${metadata(place)}
spec: { hosts: [${reviewsHost}], http: [{ name: ${wins ? "winner" : "loser"}, route: [{ destination: { host: ${reviewsHost} } }] }] }
`;

const destinationRule: Kind = (place, wins) => `---
apiVersion: networking.istio.io/v1
kind: DestinationRule
${metadata(place)}
spec: { host: ${reviewsHost}, trafficPolicy: { connectionPool: { tcp: { maxConnections: ${wins ? 1 : 2} } } } }
`;

const peerAuthentication: Kind = (place, wins) => `---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
${metadata(place)}
spec: { mtls: { mode: ${wins ? "DISABLE" : "STRICT"} } }
`;

const kinds: { kind: string; make: Kind; isWon: (mesh: TestMesh) => boolean }[] = [
  {
    kind: "VirtualService",
    make: virtualService,
    isWon: (mesh) => mesh.routes("web-0", reviewsHost)[0]?.name === "winner",
  },
  {
    kind: "DestinationRule",
    make: destinationRule,
    isWon: (mesh) =>
      mesh.cluster("web-0", `outbound|9080||${reviewsHost}`).circuitBreakers?.thresholds[0]?.maxConnections === 1,
  },
  {
    kind: "PeerAuthentication",
    make: peerAuthentication,
    isWon: (mesh) => mesh.chains("reviews-v1-0").join() === "plaintext",
  },
];

const early = "2026-01-01T00:00:00Z";
const late = "2026-01-01T00:00:01Z";

for (const { kind, make, isWon } of kinds) {
  const winsOver = (winner: Place, loser: Place) => {
    // In whatever order they stand in files.
    for (const text of [make(winner, true) + make(loser, false), make(loser, false) + make(winner, true)]) {
      assert.ok(isWon(new TestMesh(text)), text);
    }
  };

  test(`4.9 ${kind}: the earlier creationTimestamp wins, whatever the names`, () => {
    winsOver({ name: "z", created: early }, { name: "a", created: late });
  });

  test(`4.9 ${kind}: of equally old ones the first name wins`, () => {
    winsOver({ name: "a", created: early }, { name: "b", created: early });
  });

  test(`4.9 ${kind}: without creationTimestamp all are equally old`, () => {
    winsOver({ name: "a" }, { name: "b" });
  });

  test(`4.9 ${kind}: one time is one age, however it is written`, () => {
    winsOver({ name: "a", created: "2026-01-01T01:00:00+01:00" }, { name: "b", created: early });
  });
}

test("4.9 VirtualService: of equally old ones with one name the first namespace wins", () => {
  const text = virtualService({ name: "a", namespace: "other" }, false) + virtualService({ name: "a" }, true);
  assert.equal(new TestMesh(text).routes("web-0", reviewsHost)[0]?.name, "winner");
});
