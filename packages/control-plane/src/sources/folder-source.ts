import { watch } from "node:fs";
import type { FSWatcher } from "node:fs";
import { basename } from "node:path";
import type { Clock, Logger } from "@heddle/core";
import { DebouncedTask } from "./debounced-task.ts";
import type { FolderScan, SourceFile, UnreadablePath } from "./folder-scan.ts";
import { hashOf, scanFolder } from "./folder-scan.ts";
import { systemClock } from "../system-clock.ts";

/** All resource files of a folder at one moment, ordered by path. */
export interface FolderSnapshot {
  readonly files: readonly SourceFile[];
  /** Equal for equal contents. */
  readonly hash: string;
}

export interface FolderSourceOptions {
  readonly folder: string;
  /** Quiet time after a change before the folder is read again, in milliseconds (design: 10). */
  readonly debounceMs: number;
  /** How long a file that may be half written must stay as it is before it counts, in milliseconds; see {@link FolderSource}. */
  readonly settleMs?: number;
  readonly clock?: Clock;
  readonly logger: Logger;
  /** Called with what was found first, and with everything that differs from what was found before. */
  readonly onSnapshot: (snapshot: FolderSnapshot, unreadable: readonly UnreadablePath[]) => void;
}

/** Longer than any editor, `cp` or `git checkout` leaves a file empty. */
const defaultSettleMs = 250;
/** A folder in which something changes all the time is still read this often. */
const longestWaitMs = 1000;
/** How often a folder that cannot be read or watched is looked at again. */
const retryMs = 1000;
/** So many scans in a row may be thrown away because the folder changed under them. */
const maxDiscardedScans = 10;

/**
 * Reads the resource files of a folder and reads them again when something changes. A swapped link (`..data`, as Kubernetes
 * mounts ConfigMaps) is a change like any other; one that leaves all contents equal is none. A folder that vanishes changes
 * nothing: it is looked for until it is back.
 *
 * Most programs write a file by emptying it first, and a policy that is missing for that moment would let through what it denies:
 * a file that is shorter than before, or gone, or that ends within a line where it did not, counts only when it has stayed so for a
 * while; and once in doubt it is until it rests, however long it grows. One that never does, because it is written all the time,
 * keeps its last version and holds nothing else up for long. What cannot be told from a whole file is one whose first piece is
 * longer than all of the version before, ends with a line, and is followed by nothing for longer than the debounce time.
 */
export class FolderSource {
  readonly #options: FolderSourceOptions;
  readonly #clock: Clock;
  readonly #task: DebouncedTask;
  readonly #watchers = new Map<string, FSWatcher>();
  readonly #unwatched = new Set<string>();
  /** What the watchers are for. */
  #scan: Pick<FolderScan, "folders" | "links"> | undefined;
  #retry: NodeJS.Timeout | undefined;
  #lastHash = "";
  /** What the last snapshot held. */
  #last: readonly SourceFile[] = [];
  /** Files that may be half written: their text now (undefined: they are gone), and since when it is that. */
  #halfWritten = new Map<string, { readonly text: string | undefined; readonly sinceMs: number }>();
  #waitingSinceMs: number | undefined;
  #settling: NodeJS.Timeout | undefined;
  #discarded = 0;
  #isFailing = false;
  #isClosed = false;

  constructor(options: FolderSourceOptions) {
    this.#options = options;
    const { clock = systemClock, debounceMs } = options;
    this.#clock = clock;
    this.#task = new DebouncedTask({
      quietMs: debounceMs,
      longestWaitMs,
      clock,
      run: () => this.#read(),
      onError: (error) => this.#onError(error),
    });
  }

  /** Reads the folder once, reports it, and begins to watch. Rejects when the folder cannot be read. */
  start(): Promise<void> {
    return this.#task.runNow();
  }

  close(): void {
    this.#isClosed = true;
    this.#task.close();
    clearTimeout(this.#retry);
    clearTimeout(this.#settling);
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  async #read(): Promise<void> {
    const scan = await scanFolder(this.#options.folder);
    if (this.#isClosed) return;
    // A change in the middle: what was read may be half of an old state and half of a new one. The next read is under way.
    const isTorn = this.#task.isPending && this.#discarded < maxDiscardedScans;
    this.#discarded = isTorn ? this.#discarded + 1 : 0;
    // What happened in a folder before it was watched is seen by one more read.
    if (this.#watch(scan)) this.#task.touch();
    this.#lookAgainLater(this.#unwatched.size > 0);
    if (isTorn) return;
    if (this.#isFailing) this.#options.logger.info("the folder can be read again", { folder: this.#options.folder });
    this.#isFailing = false;
    const isAsBefore = hashOf(scan) === this.#lastHash;
    const doubted = this.#findDoubted(isAsBefore ? this.#last : scan.files);
    if (this.#isWaitingFor(doubted) || isAsBefore) return;
    const files = this.#withoutDoubt(scan.files, doubted);
    const hash = hashOf({ files, unreadable: scan.unreadable });
    if (hash === this.#lastHash) return;
    this.#options.onSnapshot({ files, hash }, scan.unreadable);
    this.#lastHash = hash;
    this.#last = files;
  }

  /** Files that may be half written, each with the time at which it is believed. */
  #findDoubted(files: readonly SourceFile[]): ReadonlyMap<string, number> {
    const { settleMs = defaultSettleMs } = this.#options;
    const now = this.#clock.monotonicMs();
    const texts = new Map(files.map(({ path, text }) => [path, text]));
    const before = this.#halfWritten;
    this.#halfWritten = new Map();
    for (const { path, text: whole } of this.#last) {
      const text = texts.get(path);
      const known = before.get(path);
      if (text === whole || (known === undefined && !isHalf(text, whole))) continue;
      this.#halfWritten.set(path, known !== undefined && known.text === text ? known : { text, sinceMs: now });
    }
    const believedAt = [...this.#halfWritten].map(([path, { sinceMs }]) => [path, sinceMs + settleMs] as const);
    return new Map(believedAt.filter(([, atMs]) => atMs > now));
  }

  /** A move between files is one change, so the others wait for a doubtful one, but not for ever for one that never rests. */
  #isWaitingFor(doubted: ReadonlyMap<string, number>): boolean {
    clearTimeout(this.#settling);
    const { logger } = this.#options;
    const now = this.#clock.monotonicMs();
    const sinceMs = this.#waitingSinceMs ?? now;
    const isWaiting = doubted.size > 0 && sinceMs + longestWaitMs > now;
    if (doubted.size === 0 && this.#waitingSinceMs !== undefined) logger.debug("no file is in doubt any more");
    this.#waitingSinceMs = isWaiting ? sinceMs : undefined;
    if (doubted.size === 0) return false;
    const nextLookMs = Math.min(...doubted.values(), ...(isWaiting ? [sinceMs + longestWaitMs] : []));
    this.#settling = setTimeout(() => this.#task.touch(), nextLookMs - now);
    const files = [...doubted.keys()]
      .map((path) => `${path}: ${this.#halfWritten.get(path)?.text?.length ?? "gone"}`)
      .join(", ");
    logger.debug("files may be half written", { files, isWaiting });
    return isWaiting;
  }

  /** The files with the last version of those that are still in doubt, each in its place: of what is written twice the first counts. */
  #withoutDoubt(files: readonly SourceFile[], doubted: ReadonlyMap<string, number>): readonly SourceFile[] {
    if (doubted.size === 0) return files;
    const kept = new Map(this.#last.filter(({ path }) => doubted.has(path)).map((file) => [file.path, file]));
    const all = files.map((file) => kept.get(file.path) ?? file);
    for (const [index, file] of this.#last.entries()) {
      if (!kept.has(file.path) || all.includes(file)) continue;
      const before = this.#last[index - 1];
      all.splice(before === undefined ? 0 : all.findIndex(({ path }) => path === before.path) + 1, 0, file);
    }
    return all;
  }

  #onError(error: unknown): void {
    this.#lookAgainLater(true);
    if (this.#isFailing) return;
    this.#isFailing = true;
    this.#options.logger.error("the folder cannot be read; the configuration in force stays", {
      folder: this.#options.folder,
      error: reasonOf(error),
    });
  }

  #lookAgainLater(isNeeded: boolean): void {
    clearTimeout(this.#retry);
    if (isNeeded && !this.#isClosed) this.#retry = setTimeout(() => this.#task.touch(), retryMs);
  }

  /** Watches exactly the folders of this scan. Tells whether one is watched for the first time. */
  #watch(scan: FolderScan): boolean {
    this.#scan = { folders: scan.folders, links: scan.links };
    const folders = new Set([...scan.folders, ...scan.links.keys()]);
    let isNew = false;
    for (const folder of folders) {
      if (this.#watchers.has(folder)) continue;
      try {
        this.#watchers.set(folder, this.#newWatcher(folder));
        this.#unwatched.delete(folder);
        isNew = true;
      } catch (error) {
        if (this.#unwatched.has(folder)) continue;
        this.#unwatched.add(folder);
        this.#options.logger.warn(`a folder cannot be watched; it is read every ${retryMs} ms`, {
          folder,
          error: reasonOf(error),
        });
      }
    }
    for (const folder of this.#watchers.keys()) if (!folders.has(folder)) this.#unwatch(folder);
    for (const folder of this.#unwatched) if (!folders.has(folder)) this.#unwatched.delete(folder);
    return isNew;
  }

  #newWatcher(folder: string): FSWatcher {
    const watcher = watch(folder, (event, name) => {
      // inotify names the folder itself when it is removed or moved: the watcher is then blind, also for a new folder of that
      // name. (A member that happens to have the same name costs a fresh watcher.)
      const isGone = event === "rename" && name === basename(folder);
      if (isGone) this.#unwatch(folder);
      // Beside a link on the way there may be anything. Some file systems do not say what has changed.
      const isOfInterest = name === null || this.#scan?.folders.has(folder) || this.#scan?.links.get(folder)?.has(name);
      if (isGone || isOfInterest === true) this.#task.touch();
    });
    watcher.on("error", () => {
      // The folder went away; the next read finds out what is there now.
      this.#unwatch(folder);
      this.#task.touch();
    });
    return watcher;
  }

  #unwatch(folder: string): void {
    this.#watchers.get(folder)?.close();
    this.#watchers.delete(folder);
  }
}

/** Whether a text may be the beginning of one that is being written in place of `whole`. */
function isHalf(text: string | undefined, whole: string): boolean {
  return text === undefined || text.length < whole.length || (whole.endsWith("\n") && !text.endsWith("\n"));
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
