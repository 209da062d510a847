import { readFile } from "node:fs/promises";
import { join } from "node:path";

/** What a running proxy says of itself in `<state-dir>/proxy.json`. */
export interface ProxyState {
  readonly pid: number;
  /** host:port of its admin API. */
  readonly adminAddress: string;
}

/** Reads it; undefined while the proxy has not written it yet, also over a damaged one of its last life. */
export async function readProxyState(folder: string): Promise<ProxyState | undefined> {
  let text: string;
  try {
    text = await readFile(join(folder, "proxy.json"), "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  try {
    const state = JSON.parse(text) as Partial<ProxyState> | null;
    const { pid, adminAddress } = state ?? {};
    return typeof pid === "number" && typeof adminAddress === "string" ? { pid, adminAddress } : undefined;
  } catch {
    // Cut off when the machine stopped: the proxy that runs now replaces it when it is ready.
    return undefined;
  }
}
