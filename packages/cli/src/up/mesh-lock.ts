import { link, mkdir, readFile, realpath, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isSameProcess, startedAt, StateIsNewer } from "@heddle/state";

/** Who runs a folder: `<state dir>/runner.json`. */
interface Owner {
  readonly formatVersion: number;
  readonly pid: number;
  /** Tells a process from a later one with the same id. */
  readonly startedAt: string;
  /** The state folder that it holds, without links: a copy of it names the original. Absent in what an older Heddle wrote. */
  readonly stateDir?: string;
}

export type LockResult =
  | {
      readonly kind: "held";
      readonly lock: MeshLock /** A run that was killed left the folder locked. */;
      readonly reclaimedFrom: number | undefined;
    }
  | { readonly kind: "taken"; readonly pid: number }
  /** The folder was copied, state and all, from one that is running. */
  | { readonly kind: "copied"; readonly from: string; readonly pid: number };

const fileName = "runner.json";
const knownVersion = 1;

/** At most one `heddle up` runs a folder. The lock of a process that is gone is nobody's. */
export class MeshLock {
  readonly #path: string;

  private constructor(path: string) {
    this.#path = path;
  }

  /** Rejects with `StateIsNewer` when a newer Heddle wrote the lock. */
  static async acquire(stateDir: string): Promise<LockResult> {
    await mkdir(stateDir, { recursive: true, mode: 0o700 });
    const path = join(stateDir, fileName);
    const own: Owner = {
      formatVersion: knownVersion,
      pid: process.pid,
      startedAt: await startedAt(process.pid),
      stateDir: await realpath(stateDir),
    };
    const draft = `${path}.${process.pid}`;
    await writeFile(draft, `${JSON.stringify(own)}\n`, { mode: 0o600 });
    try {
      let reclaimedFrom: number | undefined;
      // A link appears whole or not at all, and never over another.
      while (!(await tryLink(draft, path))) {
        const owner = await readOwner(path);
        if (owner !== undefined && (await isSameProcess(owner.pid, owner.startedAt))) {
          const { pid, stateDir: held } = owner;
          // Whoever moved the folder has no other with that lock.
          const isCopy =
            held !== undefined && held !== own.stateDir && (await readOwner(join(held, fileName)))?.pid === pid;
          return isCopy ? { kind: "copied", from: held, pid } : { kind: "taken", pid };
        }
        reclaimedFrom = owner?.pid ?? reclaimedFrom;
        // Moved away first: of two who find the same dead owner, one moves its file and the other finds none.
        const aside = `${draft}.dead`;
        await rename(path, aside).catch(ignoreMissing);
        const moved = await readOwner(aside);
        if (moved !== undefined && moved.pid !== owner?.pid) await link(aside, path).catch(() => undefined);
        await rm(aside, { force: true });
      }
      return { kind: "held", lock: new MeshLock(path), reclaimedFrom };
    } finally {
      await rm(draft, { force: true });
    }
  }

  async release(): Promise<void> {
    await rm(this.#path, { force: true });
  }
}

async function tryLink(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

async function readOwner(path: string): Promise<Owner | undefined> {
  try {
    const owner = JSON.parse(await readFile(path, "utf8")) as Partial<Owner> | null;
    const { formatVersion, pid, startedAt, stateDir } = owner ?? {};
    if (typeof formatVersion !== "number") return undefined;
    // Whether its owner lives, this version cannot tell.
    if (formatVersion > knownVersion) throw new StateIsNewer(path, formatVersion, knownVersion);
    if (typeof pid !== "number" || typeof startedAt !== "string") return undefined;
    return { formatVersion, pid, startedAt, ...(typeof stateDir === "string" ? { stateDir } : {}) };
  } catch (error) {
    if (error instanceof StateIsNewer) throw error;
    // Gone in the meantime, or cut off when the machine stopped: nobody's in either case.
    return undefined;
  }
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== "ENOENT") throw error;
}
