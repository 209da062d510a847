import { createHash } from "node:crypto";
import { watch } from "node:fs";
import type { FSWatcher } from "node:fs";
import { readdir, readFile, realpath, stat } from "node:fs/promises";
import { join, relative } from "node:path";
import type { Logger } from "@heddle/core";

/** One resource file as it was read. `path` is relative to the folder. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

/** All resource files of a folder at one moment, ordered by path. */
export interface FolderSnapshot {
  readonly files: readonly SourceFile[];
  /** SHA-256 of paths and contents, in hexadecimal: equal folders have equal hashes. */
  readonly hash: string;
}

/** A file or folder that could not be read; the rest of the snapshot stands. */
export interface UnreadablePath {
  readonly path: string;
  readonly reason: string;
}

export interface FolderSourceOptions {
  readonly folder: string;
  /** Quiet time after a change before the folder is read again, in milliseconds (design: 10). */
  readonly debounceMs: number;
  readonly logger: Logger;
  readonly onSnapshot: (snapshot: FolderSnapshot, unreadable: readonly UnreadablePath[]) => void;
}

/** Past this the folder holds something else than resources; what is left out is reported. */
const maxFileBytes = 4 * 1024 * 1024;
const maxDepth = 16;
const extensions = [".yaml", ".yml", ".json"];

/**
 * Reads the resource files of a folder and reads them again when something changes. Files are found by ending, hidden
 * folders and `node_modules` are passed over, links are followed: a swapped link (`..data`, as Kubernetes mounts
 * ConfigMaps) is a change like any other. A change that leaves all contents equal gives no snapshot.
 */
export class FolderSource {
  readonly #options: FolderSourceOptions;
  readonly #watchers = new Map<string, FSWatcher>();
  #timer: NodeJS.Timeout | undefined;
  #reading: Promise<void> = Promise.resolve();
  #lastHash = "";
  #isClosed = false;

  constructor(options: FolderSourceOptions) {
    this.#options = options;
  }

  /** Reads the folder once, reports it, and begins to watch. Rejects when the folder itself cannot be read. */
  async start(): Promise<void> {
    await readdir(this.#options.folder);
    await this.#read();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  /** Asks for a fresh read after the quiet time, as a change in the folder does. */
  touch(): void {
    if (this.#isClosed) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      // Reads follow each other: a snapshot never overtakes a newer one.
      this.#reading = this.#reading.then(() => this.#read());
    }, this.#options.debounceMs);
  }

  async #read(): Promise<void> {
    if (this.#isClosed) return;
    const folders = new Set<string>();
    const scan = await scanFolder(this.#options.folder, folders);
    // Watch before the contents are believed: a change after the scan then leads to another.
    if (this.#watch(folders)) this.touch();
    if (this.#isClosed) return;
    const hash = hashOf(scan.files);
    if (hash === this.#lastHash) return;
    this.#lastHash = hash;
    this.#options.onSnapshot({ files: scan.files, hash }, scan.unreadable);
  }

  /** Watches exactly these folders. Tells whether one is watched for the first time: it may have changed in between. */
  #watch(folders: ReadonlySet<string>): boolean {
    let isNew = false;
    for (const folder of folders) {
      if (this.#isClosed || this.#watchers.has(folder)) continue;
      try {
        const watcher = watch(folder, () => this.touch());
        watcher.on("error", () => {
          // The folder went away: its parent's watcher says so too.
          this.#watchers.delete(folder);
          watcher.close();
          this.touch();
        });
        this.#watchers.set(folder, watcher);
        isNew = true;
      } catch (error) {
        this.#options.logger.warn("a folder cannot be watched; changes in it are seen at the next change elsewhere", {
          folder,
          error: reasonOf(error),
        });
      }
    }
    for (const [folder, watcher] of this.#watchers) {
      if (folders.has(folder)) continue;
      watcher.close();
      this.#watchers.delete(folder);
    }
    return isNew;
  }
}

/** Reads all resource files below a folder; `folders` gets every folder that has a say in the result. */
export async function scanFolder(
  root: string,
  folders: Set<string> = new Set(),
): Promise<{ files: SourceFile[]; unreadable: UnreadablePath[] }> {
  const files: SourceFile[] = [];
  const unreadable: UnreadablePath[] = [];
  const seen = new Set<string>();

  const visit = async (folder: string, depth: number): Promise<void> => {
    const real = await realpath(folder);
    // A link back to a parent would go round for ever.
    if (seen.has(real) || depth > maxDepth) return;
    seen.add(real);
    folders.add(folder);
    const names = (await readdir(folder)).sort();
    for (const name of names) {
      const path = join(folder, name);
      try {
        const entry = await stat(path);
        if (entry.isDirectory()) {
          if (!name.startsWith(".") && name !== "node_modules") await visit(path, depth + 1);
        } else if (entry.isFile() && !name.startsWith(".") && extensions.some((extension) => name.endsWith(extension))) {
          if (entry.size > maxFileBytes) throw new Error(`it has ${entry.size} bytes; at most ${maxFileBytes} are read`);
          files.push({ path: relative(root, path), text: await readFile(path, "utf8") });
        }
      } catch (error) {
        // Gone between the listing and the look: as if it had never been listed.
        if ((error as NodeJS.ErrnoException).code === "ENOENT") continue;
        unreadable.push({ path: relative(root, path), reason: reasonOf(error) });
      }
    }
  };
  await visit(root, 0);
  return { files, unreadable };
}

function hashOf(files: readonly SourceFile[]): string {
  const hash = createHash("sha256");
  for (const { path, text } of files) hash.update(`${path.length}:${path}${text.length}:`).update(text);
  return hash.digest("hex");
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
