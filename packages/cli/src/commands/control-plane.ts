import { controlPlaneEntry } from "@heddle/control-plane";

/** Hands this process to the control plane, which reads the words after its own name. */
export async function runControlPlane(): Promise<void> {
  process.argv.splice(2, 1);
  await import(controlPlaneEntry.href);
}
