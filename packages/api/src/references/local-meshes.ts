import type { Finding } from "../finding.ts";
import { describeResource, findingOn } from "./resource-set.ts";
import type { ResourceSet } from "./resource-set.ts";

export function checkLocalMeshes(set: ResourceSet): Finding[] {
  const meshes = set.all("LocalMesh");
  if (meshes.length < 2) return [];
  return meshes.map((mesh) => {
    const others = meshes.filter((each) => each !== mesh).map((each) => describeResource(each));
    return findingOn(mesh, "HDL0109", ["kind"], `There is another LocalMesh: ${others.join(", ")}.`);
  });
}
