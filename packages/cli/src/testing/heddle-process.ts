import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("../main.ts", import.meta.url));

export interface HeddleOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
  /** A command line that runs the one behind it: `heddle` gets to see another machine than the test. */
  readonly under?: readonly string[];
}

/** The command in a process of its own, as a user would start it. */
export class HeddleProcess {
  readonly child: ChildProcess;
  /** Whole lines of both streams so far. */
  readonly lines: string[] = [];
  /** In the environment of this process and of all that it starts. */
  readonly #mark = randomUUID();
  readonly #closed: Promise<unknown>;
  readonly #waiters = new Set<() => void>();
  stdout = "";
  stderr = "";

  constructor(args: readonly string[], options: HeddleOptions = {}) {
    const [program = "", ...words] = [...(options.under ?? []), process.execPath, main, ...args];
    this.child = spawn(program, words, {
      cwd: options.cwd,
      env: {
        ...process.env,
        ...options.env,
        HEDDLE_TEST_MARK: this.#mark,
      },
      stdio: ["pipe", "pipe", "pipe"],
    });
    this.child.stdin?.end(options.input);
    this.child.stdout?.setEncoding("utf8").on("data", (text: string) => (this.stdout += text));
    this.child.stderr?.setEncoding("utf8").on("data", (text: string) => (this.stderr += text));
    for (const stream of [this.child.stdout, this.child.stderr]) {
      if (stream === null) continue;
      createInterface(stream).on("line", (line) => {
        this.lines.push(line);
        for (const waiter of this.#waiters) waiter();
      });
    }
    this.#closed = once(this.child, "close");
  }

  /** The first line that matches, when it comes; rejects when the process ends without it. */
  async line(pattern: RegExp): Promise<string> {
    for (;;) {
      const found = this.lines.find((line) => pattern.test(line));
      if (found !== undefined) return found;
      let wake = (): void => undefined;
      const next = new Promise<void>((resolve) => (wake = resolve));
      this.#waiters.add(wake);
      const ended = await Promise.race([next.then(() => false), this.#closed.then(() => true)]);
      this.#waiters.delete(wake);
      if (ended && !this.lines.some((line) => pattern.test(line))) {
        throw new Error(`ended without a line that matches ${pattern}:\n${this.lines.join("\n")}`);
      }
    }
  }

  /** Exit code, or the signal's name. */
  async end(): Promise<number | string> {
    await this.#closed;
    return this.child.exitCode ?? this.child.signalCode ?? "";
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Resolves when neither this process nor any that it has started is left. Capped by the test's own time-out. */
  async nothingLeft(): Promise<void> {
    while (this.family().length > 0) await delay(20);
  }

  /** This process and all that it has started: process ids with command lines. */
  family(): { pid: number; command: string }[] {
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .flatMap((pid) => {
        try {
          if (!readFileSync(`/proc/${pid}/environ`, "latin1").includes(`HEDDLE_TEST_MARK=${this.#mark}`)) return [];
          const command = readFileSync(`/proc/${pid}/cmdline`, "latin1").replaceAll("\0", " ").trim();
          return [{ pid: Number(pid), command }];
        } catch {
          // Ended while we looked, or a zombie, which has no environment any more.
          return [];
        }
      });
  }

  /** Whatever the test did, nothing stays: what is started while others are being ended is found on the next look. */
  async dispose(): Promise<void> {
    this.child.kill("SIGKILL");
    for (let left = this.family(); left.length > 0; left = this.family()) {
      for (const { pid } of left) {
        try {
          process.kill(pid, "SIGKILL");
        } catch {
          // Ended in the meantime.
        }
      }
      await delay(20);
    }
    await this.#closed;
  }
}

export interface HeddleResult {
  readonly code: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command to its end. */
export async function runHeddle(args: readonly string[], options: HeddleOptions = {}): Promise<HeddleResult> {
  const heddle = new HeddleProcess(args, options);
  const code = await heddle.end();
  return { code, stdout: heddle.stdout, stderr: heddle.stderr };
}
