import { type FSWatcher, watch } from "node:fs";
import { dirname } from "node:path";
import type { Logger } from "@heddle/core";
import type { CounterHandle, MetricWriter } from "@heddle/telemetry";
import type { Configuration, TlsFileReload } from "./configuration.ts";

/** A certificate and its key are two files, and many programs write a file in several steps: they are read when this has passed since the first. */
const settleMs = 250;
/** For file systems that tell nobody of changes, and for folders that were not there. */
const lookMs = 60_000;

/**
 * Follows the files that clusters of the control plane name for their TLS, as Istio's agent does for its Envoy. New connections use what the files hold
 * now, open ones stay. What cannot be used changes nothing, and is told.
 */
export class TlsFiles {
  readonly #configuration: Configuration;
  readonly #logger: Logger;
  readonly #used: CounterHandle;
  readonly #refused: CounterHandle;
  /** By folder: files are replaced by renaming, and by changing links beside them, as a mounted Secret of Kubernetes is. */
  readonly #watchers = new Map<string, FSWatcher>();
  readonly #timer: NodeJS.Timeout;
  #settling: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(configuration: Configuration, writer: MetricWriter, logger: Logger) {
    this.#configuration = configuration;
    this.#logger = logger;
    const counter = (outcome: string, help: string): CounterHandle =>
      writer.counter("heddle_tls_file_changes_total", help, [["outcome", outcome]], `tls_files.${outcome}`);
    const help = "Changes of files that clusters name for their TLS, by whether they could be used.";
    this.#used = counter("used", help);
    this.#refused = counter("refused", help);
    this.#timer = setInterval(() => this.#look(), lookMs);
    this.#timer.unref();
  }

  /** Called after each change of the configuration. */
  follow(): void {
    if (this.#isClosed) return;
    const folders = new Set([...this.#configuration.tlsFiles()].map((path) => dirname(path)));
    for (const folder of this.#watchers.keys()) if (!folders.has(folder)) this.#unwatch(folder);
    for (const folder of folders) if (!this.#watchers.has(folder)) this.#watch(folder);
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#timer);
    clearTimeout(this.#settling);
    for (const folder of this.#watchers.keys()) this.#unwatch(folder);
  }

  #watch(folder: string): void {
    try {
      const watcher = watch(folder, { persistent: false }, () => {
        this.#settling ??= setTimeout(() => this.#look(), settleMs);
      });
      watcher.on("error", () => this.#unwatch(folder));
      this.#watchers.set(folder, watcher);
    } catch {
      // It is not there, or the system has no watch left: it is looked at now and then.
    }
  }

  #unwatch(folder: string): void {
    this.#watchers.get(folder)?.close();
    this.#watchers.delete(folder);
  }

  #look(): void {
    clearTimeout(this.#settling);
    this.#settling = undefined;
    this.#reload().catch((error: unknown) => {
      // An error of our own: the proxy goes on with what is in force, and tries them again at its next look.
      this.#logger.error("files of TLS could not be read anew", { error: (error as Error).message });
    });
  }

  async #reload(): Promise<void> {
    for (const reload of await this.#configuration.reloadTlsFiles()) this.#tell(reload);
    this.follow();
  }

  #tell({ cluster, files, problem }: TlsFileReload): void {
    if (problem === undefined) {
      this.#used.add(1);
      this.#logger.info("files of TLS have changed, and new connections use them", { cluster, files });
      return;
    }
    this.#refused.add(1);
    this.#logger.warn("files of TLS have changed and cannot be used: what they held before stays in force", {
      cluster,
      files,
      problem,
    });
  }
}
