import { watch } from "node:fs";
import type { FSWatcher } from "node:fs";
import { basename, dirname } from "node:path";
import type { WorkloadInstance } from "@heddle/compiler";
import type { Clock, Logger } from "@heddle/core";
import { StateIsNewer } from "@heddle/state";
import { DebouncedTask } from "./debounced-task.ts";
import { instancesVersion, readInstances } from "./instances-file.ts";
import type { InstancesContent } from "./instances-file.ts";

export interface InstancesSourceOptions {
  readonly path: string;
  readonly debounceMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called with the first list, and with every one that differs from the one before. `isKnown`: it was read, not assumed for want of a file. */
  readonly onInstances: (instances: readonly WorkloadInstance[], isKnown: boolean) => void;
}

/** Replicas that come and go all the time must not hide the others for longer. */
const longestWaitMs = 1000;

/** Reads the registry of instances and reads it again when it is replaced. A file that cannot be used changes nothing. */
export class InstancesSource {
  readonly #options: InstancesSourceOptions;
  readonly #task: DebouncedTask;
  #watcher: FSWatcher | undefined;
  #last: string | undefined;

  constructor(options: InstancesSourceOptions) {
    this.#options = options;
    const { path, debounceMs, clock, logger } = options;
    this.#task = new DebouncedTask({
      quietMs: debounceMs,
      longestWaitMs,
      clock,
      run: () => this.#read(),
      onError: (error) => {
        logger.error("the list of instances cannot be used; the last one stays", { path, error: reasonOf(error) });
      },
    });
  }

  /** Reads once (no file means no instances) and begins to watch its folder, which must exist. */
  start(): Promise<void> {
    const { path, logger } = this.#options;
    this.#watcher = watch(dirname(path), (_event, name) => {
      // Some file systems do not say what has changed.
      if (name === null || name === basename(path)) this.#task.touch();
    });
    this.#watcher.on("error", (error) => {
      logger.error("the list of instances cannot be watched; restart the control plane when its folder is back", {
        path,
        error: error.message,
      });
    });
    return this.#task.runNow();
  }

  close(): void {
    this.#task.close();
    this.#watcher?.close();
  }

  async #read(): Promise<void> {
    const { path, clock, onInstances } = this.#options;
    const content = await readInstances(path, clock.wallMs());
    this.#report(content);
    const isFirst = this.#last === undefined;
    // To begin with no instances would take every endpoint from proxies that have them.
    if (isFirst && content.kind === "newer") throw new StateIsNewer(path, content.formatVersion, instancesVersion);
    if (content.kind !== "read" && !isFirst) return;
    const isKnown = content.kind === "read";
    const instances = isKnown ? content.instances : [];
    const text = JSON.stringify({ instances, isKnown });
    if (text === this.#last) return;
    onInstances(instances, isKnown);
    this.#last = text;
  }

  #report(content: InstancesContent): void {
    const { path, logger } = this.#options;
    if (content.kind === "corrupt") {
      const { reason, movedTo } = content;
      logger.error("the list of instances cannot be trusted; the last one stays", { path, reason, movedTo });
    }
    if (content.kind === "newer") {
      const { formatVersion } = content;
      logger.error("the list of instances was written by a newer Heddle; the last one stays", { path, formatVersion });
    }
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
