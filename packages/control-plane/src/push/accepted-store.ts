import { join } from "node:path";
import type { ParsedResource } from "@heddle/api";
import { parseAccepted, serializeAccepted } from "@heddle/api";
import type { Clock } from "@heddle/core";
import type { StateFileContent } from "@heddle/state";
import { moveAside, prepareStateDirectory, readStateFile, StateIsNewer, writeStateFile } from "@heddle/state";

const stateName = "accepted-resources";
const stateVersion = 1;

export interface RestoredResources {
  readonly resources: readonly ParsedResource[];
  /** What the operator should know of the file; undefined when it was as expected. */
  readonly problem: string | undefined;
}

/**
 * The accepted versions on disk, so that a resource which is broken when the control plane starts still has the version that
 * was in force before.
 */
export class AcceptedStore {
  readonly #path: string;
  readonly #clock: Clock;
  #writing: Promise<void> = Promise.resolve();

  constructor(directory: string, clock: Clock) {
    prepareStateDirectory(directory);
    this.#path = join(directory, "resources.state");
    this.#clock = clock;
  }

  /** Reads what was accepted before. Rejects for a file of a newer Heddle: to overwrite it would lose what it holds. */
  async read(): Promise<RestoredResources> {
    const now = this.#clock.wallMs();
    const content = await readStateFile(this.#path, stateName, stateVersion, now);
    switch (content.kind) {
      case "absent":
        return { resources: [], problem: undefined };
      case "newer":
        throw new StateIsNewer(this.#path, content.formatVersion, stateVersion);
      case "corrupt":
        return { resources: [], problem: this.#lost(content) };
      case "read": {
        const restored = parseAccepted(content.payload.toString("utf8"));
        if (restored === undefined) {
          const moved = await moveAside(this.#path, "its content is not understood", now);
          return { resources: [], problem: this.#lost(moved) };
        }
        const dropped = restored.dropped.map(({ kind, namespace, name }) => `${kind} ${namespace}/${name}`);
        const problem =
          dropped.length === 0
            ? undefined
            : `this Heddle does not accept what another version accepted: ${dropped.join(", ")}`;
        return { resources: restored.resources, problem };
      }
    }
  }

  /** Writes a set; a call during another write waits for it, and the last set wins. */
  write(resources: readonly ParsedResource[]): Promise<void> {
    const payload = Buffer.from(serializeAccepted(resources));
    const write = (): Promise<void> => writeStateFile(this.#path, stateName, stateVersion, payload);
    this.#writing = this.#writing.then(write, write);
    return this.#writing;
  }

  /** Resolves when nothing is being written any more; whoever called `write` has heard of failures. */
  async flush(): Promise<void> {
    await this.#writing.catch(() => undefined);
  }

  #lost(content: StateFileContent): string {
    const where = content.kind === "corrupt" ? `${content.reason}; moved to ${content.movedTo}` : "it cannot be used";
    return `${this.#path}: ${where}, resources are read afresh`;
  }
}
