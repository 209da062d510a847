import { replaceFile } from "@heddle/state";
import type { FileOwner } from "./replica-place.ts";

/** A token lives ten minutes; a fresh one is there long before the last has expired, also after one that could not be had. */
const refreshMs = 4 * 60_000;

export interface JoinTokenKeeperOptions {
  /** A new token for this SPIFFE id; may wait for a control plane that is between two lives. */
  readonly issue: (identity: string) => Promise<string>;
  readonly report: (line: string) => void;
}

interface KeptToken {
  /** SPIFFE id. */
  readonly identity: string;
  /** Who reads it; undefined: this process's user. */
  readonly owner: FileOwner | undefined;
}

/**
 * Keeps a join token that is good in the file of each proxy, as a kubelet keeps projected service-account tokens. The token of
 * the first certificate is used up with it; a proxy that loses its certificate, or sleeps past its end, needs another.
 */
export class JoinTokenKeeper {
  readonly #options: JoinTokenKeeperOptions;
  /** Whose token is in a file, by its path. */
  readonly #kept = new Map<string, KeptToken>();
  readonly #running = new Map<string, Promise<void>>();
  readonly #timer: NodeJS.Timeout;

  constructor(options: JoinTokenKeeperOptions) {
    this.#options = options;
    this.#timer = setInterval(() => {
      for (const file of this.#kept.keys()) this.refresh(file);
    }, refreshMs);
    this.#timer.unref();
  }

  /** From now on this file, which holds a good token, is kept so. */
  keep(file: string, identity: string, owner?: FileOwner): void {
    this.#kept.set(file, { identity, owner });
  }

  /** The proxy is gone. */
  forget(file: string): void {
    this.#kept.delete(file);
  }

  /** Puts a new token into the file soon: its proxy starts again and may have lost its certificate. */
  refresh(file: string): void {
    const kept = this.#kept.get(file);
    if (kept === undefined || this.#running.has(file)) return;
    const running = this.#replace(file, kept).finally(() => this.#running.delete(file));
    this.#running.set(file, running);
  }

  /** Resolves when what was asked for is in its file. */
  async settled(): Promise<void> {
    await Promise.all(this.#running.values());
  }

  /** Asks for nothing more; resolves when nothing is being written. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#kept.clear();
    await this.settled();
  }

  async #replace(file: string, kept: KeptToken): Promise<void> {
    const { identity, owner } = kept;
    try {
      const token = await this.#options.issue(identity);
      if (this.#kept.get(file) === kept) await replaceFile(file, `${token}\n`, owner);
    } catch (error) {
      if (!this.#kept.has(file)) return;
      const reason = error instanceof Error ? error.message : String(error);
      this.#options.report(
        `no new join token for ${identity}: ${reason}; tried again in ${refreshMs / 60_000} minutes`,
      );
    }
  }
}
