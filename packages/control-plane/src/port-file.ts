import { join } from "node:path";
import type { Clock, Logger } from "@heddle/core";
import { moveAside, readStateFile, StateIsNewer, writeStateFile } from "@heddle/state";

const stateName = "ports";
const stateVersion = 1;

function pathOf(stateDir: string): string {
  return join(stateDir, "ports.json");
}

/**
 * The xDS port of the run before; 0 when there was none. A file that cannot be trusted is moved aside, said, and made anew.
 *
 * @throws when a newer Heddle wrote the file: to overwrite it would lose what it holds
 */
export async function readPort(stateDir: string, clock: Clock, logger: Logger): Promise<number> {
  const path = pathOf(stateDir);
  let content = await readStateFile(path, stateName, stateVersion, clock.wallMs());
  if (content.kind === "newer") throw new StateIsNewer(path, content.formatVersion, stateVersion);
  if (content.kind === "read") {
    const port = parsePort(content.payload.toString("utf8"));
    if (port !== undefined) return port;
    content = await moveAside(path, "it holds no port", clock.wallMs());
  }
  if (content.kind === "corrupt") {
    const { reason, movedTo } = content;
    logger.warn("the port of the last run is not known; any free one is taken", { path, reason, movedTo });
  }
  return 0;
}

function parsePort(json: string): number | undefined {
  try {
    const { xds } = JSON.parse(json) as { xds?: unknown };
    return typeof xds === "number" && Number.isInteger(xds) && xds > 0 && xds < 65_536 ? xds : undefined;
  } catch {
    // Not JSON: the caller moves it aside.
    return undefined;
  }
}

/** Remembers the xDS port, so that a restart is found where proxies look. */
export async function writePort(stateDir: string, port: number): Promise<void> {
  await writeStateFile(pathOf(stateDir), stateName, stateVersion, Buffer.from(JSON.stringify({ xds: port })));
}
