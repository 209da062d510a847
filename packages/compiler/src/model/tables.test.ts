import assert from "node:assert/strict";
import { test } from "node:test";
import { TestMesh } from "../testing/test-mesh.ts";
import { peerOf, Traffic } from "../testing/traffic.ts";

test("Policies that cannot be read deny what each of them selects, also where all of them have the same name or none", () => {
  const broken = (name: string, version: string) => `---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: ${name} }
spec: { selector: { matchLabels: { version: ${version} } }, rules: [{ form: [] }] }
`;
  const peer = peerOf({ namespace: "default", serviceAccount: "web" });
  for (const name of ["same", "Not_A_Name"]) {
    const traffic = new Traffic(new TestMesh(broken(name, "v1") + broken(name, "v2"), { mayBeBroken: true }));
    const statuses = ["reviews-v1-0", "reviews-v2-0"].map((id) => traffic.callInbound(id, { peer }).status);
    assert.deepEqual(statuses, [403, 403], name);
  }
});
