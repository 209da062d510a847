import type { ChildProcess } from "node:child_process";
import { RestartBackOff } from "@heddle/core";

export interface SupervisedChildOptions {
  readonly name: string;
  readonly start: () => ChildProcess;
  /** Sends a signal to the child, or to its group. */
  readonly signal: (child: ChildProcess, signal: NodeJS.Signals) => void;
  readonly onStarted?: (child: ChildProcess) => void;
  /** The child ended, for whatever reason. */
  readonly onEnded?: (child: ChildProcess) => void;
  /** The child ended without being told to; `again` says when it is back: "started again at once", "started again in 90 ms". */
  readonly onCrash: (how: string, again: string) => void;
}

/** Keeps one child process running: what ends unasked is started again, at first at once, then later each time. */
export class SupervisedChild {
  readonly #options: SupervisedChildOptions;
  #child: ChildProcess | undefined;
  #timer: NodeJS.Timeout | undefined;
  #startedAt = 0;
  readonly #backOff = new RestartBackOff(Math.random);
  #isStopping = false;
  #isHeld = false;
  #ended: Promise<void> = Promise.resolve();

  constructor(options: SupervisedChildOptions) {
    this.#options = options;
  }

  get name(): string {
    return this.#options.name;
  }

  /** The running child's process id; undefined between two lives. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  start(): void {
    if (this.#isStopping) return;
    const child = this.#options.start();
    this.#child = child;
    this.#startedAt = performance.now();
    this.#ended = new Promise((resolve) => {
      const onEnd = (how: string): void => {
        if (this.#child !== child) return;
        this.#child = undefined;
        resolve();
        this.#options.onEnded?.(child);
        this.#onEnd(how);
      };
      child.once("error", (error) => onEnd(error.message));
      child.once("exit", (code, signal) => onEnd(signal ?? `exit code ${code}`));
    });
    this.#options.onStarted?.(child);
  }

  /** SIGKILL, as a crash would be: the child is started again. */
  kill(): void {
    if (this.#child !== undefined) this.#options.signal(this.#child, "SIGKILL");
  }

  /** SIGKILL, and no new start until `release`: for showing what holds while the process is gone. */
  async killAndHold(): Promise<void> {
    this.#isHeld = true;
    clearTimeout(this.#timer);
    this.kill();
    await this.#ended;
  }

  release(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    this.start();
  }

  /** SIGTERM, then SIGKILL when `graceMs` is over. Resolves when the child is gone; it is not started again. */
  async stop(graceMs: number): Promise<void> {
    this.#isStopping = true;
    clearTimeout(this.#timer);
    const child = this.#child;
    if (child === undefined) return;
    this.#options.signal(child, "SIGTERM");
    const force = setTimeout(() => this.#options.signal(child, "SIGKILL"), graceMs);
    await this.#ended;
    clearTimeout(force);
  }

  #onEnd(how: string): void {
    if (this.#isStopping || this.#isHeld) return;
    const delayMs = this.#backOff.nextDelayMs(performance.now() - this.#startedAt);
    this.#options.onCrash(how, delayMs === 0 ? "started again at once" : `started again in ${delayMs} ms`);
    this.#timer = setTimeout(() => this.start(), delayMs);
  }
}
