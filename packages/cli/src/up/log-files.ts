import { createWriteStream, mkdirSync, openSync, renameSync, rmSync } from "node:fs";
import type { WriteStream } from "node:fs";
import { join } from "node:path";

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
  readonly #maxFileBytes: number;
  readonly #files = new Map<string, LogFile>();
  readonly #onProblem: (message: string) => void;
  readonly #ending = new Set<WriteStream>();
  #isOpen = false;
  #hasFailed = false;

  /** @param limits a log that has grown so big becomes `<name>.log.1`, and the one before it is forgotten */
  constructor(folder: string, onProblem: (message: string) => void, limits = { maxFileBytes: 16 * 1024 * 1024 }) {
    this.#folder = folder;
    this.#onProblem = onProblem;
    this.#maxFileBytes = limits.maxFileBytes;
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
    if (file === undefined) return;
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
    if (file.bytes > this.#maxFileBytes) this.#rotate(source, path, file);
  }

  async close(): Promise<void> {
    for (const { stream } of this.#files.values()) this.#end(stream);
    this.#files.clear();
    await Promise.all([...this.#ending].map((stream) => new Promise((resolve) => stream.once("close", resolve))));
  }

  #end(stream: WriteStream): void {
    this.#ending.add(stream);
    // "close" comes after an error, too.
    stream.once("close", () => this.#ending.delete(stream));
    stream.end();
  }

  #rotate(source: string, path: string, file: LogFile): void {
    this.#end(file.stream);
    renameSync(path, `${path}.1`);
    this.#open(source, path);
  }

  #open(source: string, path: string): LogFile | undefined {
    let descriptor: number;
    try {
      // At once, so that the file is there when it is moved aside.
      descriptor = openSync(path, "a", 0o600);
    } catch (error) {
      this.#fail(error as Error);
      return undefined;
    }
    const stream = createWriteStream(path, { fd: descriptor });
    stream.on("error", (error) => this.#fail(error));
    const file: LogFile = { stream, bytes: 0, left: 0 };
    this.#files.set(source, file);
    return file;
  }

  #fail(error: Error): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    this.#onProblem(`logs are no longer written: ${error.message}`);
  }
}
