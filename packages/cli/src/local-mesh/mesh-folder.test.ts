import assert from "node:assert/strict";
import { test } from "node:test";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { readMeshFolder } from "./mesh-folder.ts";

const mesh = (name: string): string =>
  `apiVersion: heddle.dev/v1alpha1\nkind: LocalMesh\nmetadata: { name: ${name} }\nspec: { workloads: [{ name: a, service: a, command: [a], port: 1 }] }\n`;

test("the one LocalMesh is found, wherever it lies", async (context) => {
  const found = await readMeshFolder(temporaryFolder(context, { "deep/mesh.yaml": mesh("shop"), "other.yaml": "" }));
  assert.equal(found.kind === "found" ? found.mesh.metadata.name : "", "shop");
});

test("none, or more than one, is said with the places", async (context) => {
  const none = await readMeshFolder(temporaryFolder(context));
  assert.ok(none.kind === "refused");
  assert.match(none.problems.join(), /holds no LocalMesh/);
  const two = await readMeshFolder(temporaryFolder(context, { "a.yaml": mesh("a"), "b.yaml": mesh("b") }));
  assert.ok(two.kind === "refused");
  assert.match(two.problems.join(), /2 LocalMesh resources \(a\.yaml:1, b\.yaml:1\): keep one/);
});

test("a LocalMesh with errors brings them along", async (context) => {
  const found = await readMeshFolder(
    temporaryFolder(context, { "mesh.yaml": mesh("shop").replace("port: 1", "port: x") }),
  );
  assert.ok(found.kind === "refused");
  assert.deepEqual(found.problems, []);
  assert.deepEqual(
    found.findings.map(({ file, line }) => [file, line]),
    [["mesh.yaml", 4]],
  );
});

test("a folder that does not exist rejects", async () => {
  await assert.rejects(readMeshFolder("/no/such/folder"), { code: "ENOENT" });
});
