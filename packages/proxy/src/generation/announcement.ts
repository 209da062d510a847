import { join } from "node:path";
import type { Logger } from "@heddle/core";
import { replaceFile } from "@heddle/state";
import type { ListenerView, ServerState } from "../admin/source.ts";

/** What others on this host may want to know of a running proxy. */
export interface Announced {
  readonly state: ServerState;
  readonly adminAddress: string | undefined;
  readonly listeners: readonly ListenerView[];
}

/** Keeps `proxy.json` in the state directory up to date: by it the local mesh finds the ports that the kernel chose. */
export class Announcement {
  readonly #path: string | undefined;
  readonly #logger: Logger;
  #content = "";
  #written: Promise<void> = Promise.resolve();

  constructor(stateDir: string | undefined, logger: Logger) {
    this.#path = stateDir === undefined ? undefined : join(stateDir, "proxy.json");
    this.#logger = logger;
  }

  /** Resolves when the file says so. */
  write(announced: Announced): Promise<void> {
    const path = this.#path;
    if (path === undefined) return Promise.resolve();
    const content = JSON.stringify({ formatVersion: 1, pid: process.pid, ...announced });
    if (content === this.#content) return this.#written;
    this.#content = content;
    this.#written = this.#written
      .then(() => replaceFile(path, `${content}\n`))
      .catch((error: unknown) => this.#logger.warn("proxy.json could not be written", { error }));
    return this.#written;
  }
}
