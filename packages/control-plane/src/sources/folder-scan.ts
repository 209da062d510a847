import { createHash } from "node:crypto";
import { readdir, readFile, readlink, realpath, stat } from "node:fs/promises";
import { dirname, join, parse, relative, resolve, sep } from "node:path";

/** One resource file as it was read. `path` is relative to the folder. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

/** A file or folder that could not be read; the rest of the scan stands. */
export interface UnreadablePath {
  readonly path: string;
  readonly reason: string;
}

export interface FolderScan {
  /** Ordered as they were found: by name, folder by folder. */
  readonly files: readonly SourceFile[];
  readonly unreadable: readonly UnreadablePath[];
  /** Real paths of every folder in which a change may change the result. */
  readonly folders: ReadonlySet<string>;
  /** Links on the way to what was read, by the real path of the folder that each is in: one that is swapped leads elsewhere. */
  readonly links: ReadonlyMap<string, ReadonlySet<string>>;
}

/** As the kernel has it. */
const maxLinks = 40;

/** Past this the folder holds something else than resources; what is left out is reported. */
const maxFileBytes = 4 * 1024 * 1024;
const maxDepth = 16;
const extensions = [".yaml", ".yml", ".json"];

/**
 * Reads all resource files below a folder. They are found by ending; hidden files, hidden folders and `node_modules` are passed
 * over; links are followed. Rejects when the folder itself cannot be read.
 */
export async function scanFolder(root: string): Promise<FolderScan> {
  const scan = new Scan(root);
  await scan.follow(root);
  await scan.visit(root, 0);
  return scan;
}

/** SHA-256 of paths, contents and what could not be read, in hexadecimal: equal scans have equal hashes. */
export function hashOf({ files, unreadable }: Pick<FolderScan, "files" | "unreadable">): string {
  const hash = createHash("sha256");
  for (const { path, text } of files) hash.update(`${path.length}:${path}${text.length}:`).update(text);
  for (const { path, reason } of unreadable) hash.update(`!${path.length}:${path}${reason.length}:${reason}`);
  return hash.digest("hex");
}

class Scan implements FolderScan {
  readonly files: SourceFile[] = [];
  readonly unreadable: UnreadablePath[] = [];
  readonly folders = new Set<string>();
  readonly links = new Map<string, Set<string>>();
  readonly #root: string;
  readonly #visited = new Set<string>();

  constructor(root: string) {
    this.#root = root;
  }

  async visit(folder: string, depth: number): Promise<void> {
    const real = await realpath(folder);
    // A link back to a parent would go round for ever.
    if (this.#visited.has(real)) return;
    if (depth > maxDepth) throw new Error(`it lies more than ${maxDepth} folders deep`);
    this.#visited.add(real);
    this.folders.add(real);
    const entries = await readdir(folder, { withFileTypes: true });
    for (const entry of entries.sort((a, b) => byCodeUnits(a.name, b.name))) {
      const { name } = entry;
      if (name.startsWith(".") || name === "node_modules") continue;
      const path = join(folder, name);
      try {
        await this.#look(path, entry.isSymbolicLink(), depth);
      } catch (error) {
        // Gone between the listing and the look, or a link to nothing: as if it had never been listed.
        if ((error as NodeJS.ErrnoException).code === "ENOENT") continue;
        this.unreadable.push({ path: relative(this.#root, path), reason: reasonOf(error) });
      }
    }
  }

  /** Notes every link on a path. Leaves what is wrong with it to whoever opens it. */
  async follow(path: string): Promise<void> {
    const { root } = parse(resolve(path));
    let real = root;
    const names = resolve(path).slice(root.length).split(sep);
    for (let found = 0, name = names.shift(); name !== undefined && found <= maxLinks; name = names.shift()) {
      // EINVAL: a file or a folder.
      const target = await readlink(join(real, name)).catch(() => undefined);
      if (target === undefined) {
        real = join(real, name);
        continue;
      }
      found += 1;
      this.links.set(real, (this.links.get(real) ?? new Set()).add(name));
      const next = resolve(real, target);
      real = parse(next).root;
      names.unshift(...next.slice(real.length).split(sep));
    }
  }

  async #look(path: string, isLink: boolean, depth: number): Promise<void> {
    const entry = await stat(path);
    const isResource = entry.isFile() && extensions.some((extension) => path.endsWith(extension));
    if (isLink && (isResource || entry.isDirectory())) await this.follow(path);
    if (entry.isDirectory()) return this.visit(path, depth + 1);
    if (!isResource) return;
    // The file behind a link may lie in a folder that nobody watches yet.
    if (isLink) this.folders.add(dirname(await realpath(path)));
    if (entry.size > maxFileBytes) throw new Error(`it has ${entry.size} bytes; at most ${maxFileBytes} are read`);
    this.files.push({ path: relative(this.#root, path), text: await readFile(path, "utf8") });
  }
}

/** Not by locale: the order must be the same on every machine. */
function byCodeUnits(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
