import { join } from "node:path";
import type { Clock } from "@heddle/core";
import { readStateFile, writeStateFile } from "@heddle/state";

const stateName = "ports";
const stateVersion = 1;

function pathOf(stateDir: string): string {
  return join(stateDir, "ports.json");
}

/** The xDS port of the run before; 0 when there was none or the file says nothing that can be used. */
export async function readPort(stateDir: string, clock: Clock): Promise<number> {
  const content = await readStateFile(pathOf(stateDir), stateName, stateVersion, clock.wallMs());
  if (content.kind !== "read") return 0;
  try {
    const { xds } = JSON.parse(content.payload.toString("utf8")) as { xds?: unknown };
    return typeof xds === "number" && Number.isInteger(xds) && xds > 0 && xds < 65_536 ? xds : 0;
  } catch {
    // Not JSON: any port will do.
    return 0;
  }
}

/** Remembers the xDS port, so that a restart is found where proxies look. */
export async function writePort(stateDir: string, port: number): Promise<void> {
  await writeStateFile(pathOf(stateDir), stateName, stateVersion, Buffer.from(JSON.stringify({ xds: port })));
}
