import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Logger } from "@heddle/core";
import { prepareStateDirectory, replaceFile, startedAt } from "@heddle/state";

const formatVersion = 1;

/** How the last hand-over to a new generation went. */
export interface HandOver {
  readonly isReady: boolean;
  /** Who serves instead, and why; empty when it is ready. */
  readonly reason: string;
}

/** `<state-dir>/supervisor.json`: which process to ask for a restart, and what has come of those that were asked for. */
export interface SupervisorState {
  readonly pid: number;
  /** Tells the process from a later one with the same id. */
  readonly startedAt: string;
  /** Restarts asked for since the process started. */
  readonly requested: number;
  /** How many of them `last` answers. */
  readonly answered: number;
  readonly last: HandOver | undefined;
}

function pathIn(stateDir: string): string {
  return join(stateDir, "supervisor.json");
}

/** Reads it; undefined when there is none, or none that this version understands. */
export async function readSupervisorState(stateDir: string): Promise<SupervisorState | undefined> {
  try {
    const state = JSON.parse(await readFile(pathIn(stateDir), "utf8")) as Partial<SupervisorState> & {
      formatVersion?: number;
    };
    const { pid, startedAt: started, requested, answered, last } = state;
    if (state.formatVersion !== formatVersion || typeof pid !== "number" || typeof started !== "string")
      return undefined;
    if (typeof requested !== "number" || typeof answered !== "number") return undefined;
    return { pid, startedAt: started, requested, answered, last };
  } catch {
    // Absent, or of a life that a power cut ended: no proxy that could be asked.
    return undefined;
  }
}

/** Keeps the file of this process up to date. */
export class SupervisorFile {
  readonly #stateDir: string | undefined;
  readonly #logger: Logger;
  #written: Promise<void> = Promise.resolve();

  constructor(stateDir: string | undefined, logger: Logger) {
    this.#stateDir = stateDir;
    this.#logger = logger;
  }

  /** Makes the folder, and says that nothing has been asked for yet. What is wrong with the folder the generation says. */
  open(): void {
    try {
      if (this.#stateDir !== undefined) prepareStateDirectory(this.#stateDir);
    } catch {
      return;
    }
    this.write({ requested: 0, answered: 0, last: undefined });
  }

  write(state: Pick<SupervisorState, "requested" | "answered" | "last">): void {
    const stateDir = this.#stateDir;
    if (stateDir === undefined) return;
    this.#written = this.#written.then(() => this.#replace(pathIn(stateDir), state));
  }

  async #replace(path: string, state: Pick<SupervisorState, "requested" | "answered" | "last">): Promise<void> {
    try {
      const content = { formatVersion, pid: process.pid, startedAt: await startedAt(process.pid), ...state };
      await replaceFile(path, `${JSON.stringify(content)}\n`);
    } catch (error) {
      this.#logger.warn("supervisor.json could not be written", { error });
    }
  }

  /** Resolves when all that was given to `write` is on disk. */
  flush(): Promise<void> {
    return this.#written;
  }
}
