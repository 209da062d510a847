import type { Finding } from "../finding.ts";
import { localMeshDefaults } from "../kinds/local-mesh/spec.ts";
import type { SetOptions } from "../options.ts";
import { describeResource, findingOn } from "./resource-set.ts";
import type { ResourceSet } from "./resource-set.ts";

const settings: readonly (readonly [keyof SetOptions, name: string])[] = [
  ["trustDomain", "trust domain"],
  ["rootNamespace", "root namespace"],
];

export function checkLocalMeshes(set: ResourceSet): Finding[] {
  const meshes = set.all("LocalMesh");
  const [mesh] = meshes;
  if (mesh !== undefined && meshes.length === 1) return settings.flatMap((setting) => checkSetting(set, mesh, setting));
  return meshes.map((each) => {
    const others = meshes.filter((other) => other !== each).map((other) => describeResource(other));
    return findingOn(each, "HDL0109", ["kind"], `There is another LocalMesh: ${others.join(", ")}.`);
  });
}

/** Where the files alone are judged the options come from this very LocalMesh; in a running mesh from its start. */
function checkSetting(
  set: ResourceSet,
  mesh: ReturnType<typeof set.all<"LocalMesh">>[number],
  [setting, name]: (typeof settings)[number],
): Finding[] {
  const wanted = mesh.spec[setting] ?? localMeshDefaults[setting];
  const inForce = set.options[setting];
  if (wanted === inForce) return [];
  const message = `The running mesh has the ${name} ${inForce}; ${wanted} needs a restart of the mesh.`;
  return [findingOn(mesh, "HDL0118", ["spec", setting], message)];
}
