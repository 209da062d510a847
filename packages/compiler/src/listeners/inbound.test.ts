// What a workload's proxy believes of a caller that shows no certificate (design §5).
import assert from "node:assert/strict";
import { test } from "node:test";
import { TestMesh } from "../testing/test-mesh.ts";
import { peerOf, Traffic } from "../testing/traffic.ts";

const permissive = `
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default, namespace: default }
spec: { mtls: { mode: PERMISSIVE } }
`;

const claims = {
  "x-forwarded-client-cert": "URI=spiffe://cluster.local/ns/default/sa/admin",
  "x-forwarded-for": "192.0.2.66",
};

test("a plaintext caller's word about certificates is dropped, and its address is that of its connection", () => {
  const traffic = new Traffic(new TestMesh(permissive));
  const served = traffic.callInbound("reviews-v1-0", { headers: claims, remote: "10.0.0.7" });
  assert.equal(served.status, 200);
  assert.equal(served.headers.get("x-forwarded-client-cert"), undefined);
  assert.match(served.headers.get("x-forwarded-for") ?? "", /10\.0\.0\.7$/);
});

test("a proxy of the mesh is believed about whom it forwards for, and its own certificate is added", () => {
  const traffic = new Traffic(new TestMesh(""));
  const peer = peerOf({ namespace: "default", serviceAccount: "web" });
  const served = traffic.callInbound("reviews-v1-0", { headers: claims, remote: "10.0.0.7", peer });
  assert.equal(served.status, 200);
  const certificates = served.headers.get("x-forwarded-client-cert") ?? "";
  assert.match(
    certificates,
    /^URI=spiffe:\/\/cluster\.local\/ns\/default\/sa\/admin,.*;URI=spiffe:\/\/cluster\.local\/ns\/default\/sa\/web$/,
  );
  assert.match(served.headers.get("x-forwarded-for") ?? "", /^192\.0\.2\.66/);
});

test("an application that claims a certificate to its own proxy is not believed", () => {
  const called = new Traffic(new TestMesh("")).call({ from: "web-0", to: "reviews.default", headers: claims });
  assert.equal(called.status, 200);
  assert.doesNotMatch(called.headers.get("x-forwarded-client-cert") ?? "", /admin/);
});
