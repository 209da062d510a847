import { createWriteStream, mkdirSync, renameSync, rmSync } from "node:fs";
import type { WriteStream } from "node:fs";
import { join } from "node:path";

/** A log that has grown this big becomes `<name>.log.1`, and the one before it is forgotten. */
const maxFileBytes = 16 * 1024 * 1024;
/** Lines are left out, and counted, when the disk is this far behind. */
const maxWaitingBytes = 4 * 1024 * 1024;

interface LogFile {
  stream: WriteStream;
  bytes: number;
  left: number;
}

/** One file for each process, under a folder that begins empty. */
export class LogFiles {
  readonly #folder: string;
  readonly #files = new Map<string, LogFile>();
  readonly #onProblem: (message: string) => void;
  #isOpen = false;
  #hasFailed = false;

  constructor(folder: string, onProblem: (message: string) => void) {
    this.#folder = folder;
    this.#onProblem = onProblem;
  }

  /** Removes what an earlier run has written; before this nothing is written. */
  open(): void {
    rmSync(this.#folder, { recursive: true, force: true });
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    this.#isOpen = true;
  }

  /** @param source `reviews-v1-0/proxy` goes to `reviews-v1-0.proxy.log` */
  write(source: string, line: string): void {
    if (this.#hasFailed || !this.#isOpen) return;
    const path = join(this.#folder, `${source.replaceAll("/", ".")}.log`);
    const file = this.#files.get(source) ?? this.#open(source, path);
    if (file.stream.writableLength > maxWaitingBytes) {
      file.left += 1;
      return;
    }
    if (file.left > 0) {
      file.stream.write(`… ${file.left} lines left out: the disk was too slow\n`);
      file.left = 0;
    }
    file.stream.write(`${line}\n`);
    file.bytes += line.length + 1;
    if (file.bytes > maxFileBytes) this.#rotate(source, path, file);
  }

  async close(): Promise<void> {
    const closing = [...this.#files.values()].map(
      ({ stream }) => new Promise<void>((resolve) => stream.end(() => resolve())),
    );
    this.#files.clear();
    // A stream that has failed does not end; it has nothing to say either.
    if (!this.#hasFailed) await Promise.all(closing);
  }

  #rotate(source: string, path: string, file: LogFile): void {
    file.stream.end();
    renameSync(path, `${path}.1`);
    this.#open(source, path);
  }

  #open(source: string, path: string): LogFile {
    const stream = createWriteStream(path, { flags: "a", mode: 0o600 });
    stream.on("error", (error) => {
      if (this.#hasFailed) return;
      this.#hasFailed = true;
      this.#onProblem(`logs are no longer written: ${error.message}`);
    });
    const file: LogFile = { stream, bytes: 0, left: 0 };
    this.#files.set(source, file);
    return file;
  }
}
