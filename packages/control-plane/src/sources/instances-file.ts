import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import type { WorkloadInstance } from "@heddle/compiler";
import { moveAside, readStateFile, writeStateFile } from "@heddle/state";
import type { StateFileContent } from "@heddle/state";

const stateName = "instances";
/** The newest format that this version reads and writes. */
export const instancesVersion = 1;

export type InstancesContent =
  | { readonly kind: "read"; readonly instances: readonly WorkloadInstance[] }
  | Exclude<StateFileContent, { kind: "read" }>;

/**
 * The registry of the local mesh: which replicas run and at which ports. The one who starts them (`heddle up`) writes
 * it, the control plane reads it; being a file, it outlives either.
 */
export async function writeInstances(path: string, instances: readonly WorkloadInstance[]): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await writeStateFile(path, stateName, instancesVersion, Buffer.from(JSON.stringify(instances)));
}

/** Reads the registry. What cannot be read comes back as `readStateFile` says it; nothing is thrown but I/O errors. */
export async function readInstances(path: string, wallMs: number): Promise<InstancesContent> {
  const content = await readStateFile(path, stateName, instancesVersion, wallMs);
  if (content.kind !== "read") return content;
  const instances = parseInstances(content.payload.toString("utf8"));
  if (instances !== undefined) return { kind: "read", instances };
  const moved = await moveAside(path, "it is not a list of instances", wallMs);
  return moved.kind === "read" ? { kind: "absent" } : moved;
}

/** The checksum says that the list is as it was written; this says that it is a list. */
function parseInstances(json: string): readonly WorkloadInstance[] | undefined {
  try {
    const value = JSON.parse(json) as unknown;
    return Array.isArray(value) && value.every(isInstance) ? value : undefined;
  } catch {
    // Not JSON: the caller moves it aside.
    return undefined;
  }
}

function isInstance(value: unknown): value is WorkloadInstance {
  if (typeof value !== "object" || value === null) return false;
  const fields = value as Readonly<Record<string, unknown>>;
  const names = ["id", "workload", "service", "namespace", "serviceAccount", "address"];
  return names.every((name) => typeof fields[name] === "string") && typeof fields["outboundPorts"] === "object";
}
