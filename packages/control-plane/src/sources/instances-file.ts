import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import type { WorkloadInstance } from "@heddle/compiler";
import { readStateFile, writeStateFile } from "@heddle/state";
import type { StateFileContent } from "@heddle/state";

const stateName = "instances";
const stateVersion = 1;

export type InstancesContent =
  | { readonly kind: "read"; readonly instances: readonly WorkloadInstance[] }
  | Exclude<StateFileContent, { kind: "read" }>;

/**
 * The registry of the local mesh: which replicas run and at which ports. The one who starts them (`heddle up`) writes
 * it, the control plane reads it; being a file, it outlives either.
 */
export async function writeInstances(path: string, instances: readonly WorkloadInstance[]): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await writeStateFile(path, stateName, stateVersion, Buffer.from(JSON.stringify(instances)));
}

/** Reads the registry. What cannot be read comes back as `readStateFile` says it; nothing is thrown but I/O errors. */
export async function readInstances(path: string, wallMs: number): Promise<InstancesContent> {
  const content = await readStateFile(path, stateName, stateVersion, wallMs);
  if (content.kind !== "read") return content;
  return { kind: "read", instances: JSON.parse(content.payload.toString("utf8")) as WorkloadInstance[] };
}
