import type { LogFields, Logger, LogLevel } from "@heddle/core";
import { EventWaiter } from "@heddle/testkit";

export interface LogLine {
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: LogFields;
}

/** Keeps every line, of every level, and lets a test wait for one. */
export class RecordingLogger implements Logger {
  readonly level = "debug";
  readonly lines: LogLine[] = [];
  readonly #events = new EventWaiter();

  debug(message: string, fields: LogFields = {}): void {
    this.#add("debug", message, fields);
  }

  info(message: string, fields: LogFields = {}): void {
    this.#add("info", message, fields);
  }

  warn(message: string, fields: LogFields = {}): void {
    this.#add("warn", message, fields);
  }

  error(message: string, fields: LogFields = {}): void {
    this.#add("error", message, fields);
  }

  child(): Logger {
    return this;
  }

  /** All that was logged, as text. */
  get text(): string {
    return this.lines.map((line) => JSON.stringify(line)).join("\n");
  }

  find(pattern: RegExp): LogLine | undefined {
    return this.lines.find((line) => pattern.test(JSON.stringify(line)));
  }

  async until(pattern: RegExp): Promise<LogLine> {
    await this.#events.until(
      `a log line like ${pattern}; there are:\n${this.text}`,
      () => this.find(pattern) !== undefined,
    );
    return this.find(pattern)!;
  }

  #add(level: LogLevel, message: string, fields: LogFields): void {
    this.lines.push({ level, message, fields });
    this.#events.notify();
  }
}
