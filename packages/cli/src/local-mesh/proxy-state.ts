import { readFile } from "node:fs/promises";
import { join } from "node:path";

/** What a running proxy says of itself in `<state-dir>/proxy.json`. */
export interface ProxyState {
  readonly pid: number;
  /** host:port of its admin API. */
  readonly adminAddress: string;
}

/** Reads it; undefined while the proxy has not written it yet. */
export async function readProxyState(folder: string): Promise<ProxyState | undefined> {
  try {
    return JSON.parse(await readFile(join(folder, "proxy.json"), "utf8")) as ProxyState;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
