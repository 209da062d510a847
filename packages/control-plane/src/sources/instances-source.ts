import { watch } from "node:fs";
import type { FSWatcher } from "node:fs";
import { basename, dirname } from "node:path";
import type { WorkloadInstance } from "@heddle/compiler";
import type { Clock, Logger } from "@heddle/core";
import { readInstances } from "./instances-file.ts";

export interface InstancesSourceOptions {
  readonly path: string;
  readonly debounceMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onInstances: (instances: readonly WorkloadInstance[]) => void;
}

/** Reads the registry of instances and reads it again when it is replaced. A file that cannot be used changes nothing. */
export class InstancesSource {
  readonly #options: InstancesSourceOptions;
  #watcher: FSWatcher | undefined;
  #timer: NodeJS.Timeout | undefined;
  #reading: Promise<void> = Promise.resolve();
  #last: string | undefined;

  constructor(options: InstancesSourceOptions) {
    this.#options = options;
  }

  /** Reads once (no file means no instances) and begins to watch its folder, which must exist. */
  async start(): Promise<void> {
    const { path, logger, debounceMs } = this.#options;
    this.#watcher = watch(dirname(path), (_event, name) => {
      if (name !== basename(path)) return;
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => {
        this.#reading = this.#reading
          .then(() => this.#read())
          .catch((error: unknown) => logger.error("the list of instances cannot be read; the last one stays", { path, error: String(error) }));
      }, debounceMs);
    });
    this.#watcher.on("error", (error) => logger.error("the list of instances cannot be watched", { path, error: error.message }));
    await this.#read();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#watcher?.close();
  }

  async #read(): Promise<void> {
    const { path, clock, logger, onInstances } = this.#options;
    const content = await readInstances(path, clock.wallMs());
    if (content.kind === "corrupt") {
      logger.error("the list of instances cannot be trusted; the last one stays", { path, reason: content.reason, movedTo: content.movedTo });
    }
    if (content.kind === "newer") {
      logger.error("the list of instances was written by a newer Heddle; the last one stays", { path, formatVersion: content.formatVersion });
    }
    const isFirst = this.#last === undefined;
    if (content.kind !== "read" && !isFirst) return;
    const instances = content.kind === "read" ? content.instances : [];
    const text = JSON.stringify(instances);
    if (text === this.#last) return;
    this.#last = text;
    onInstances(instances);
  }
}
