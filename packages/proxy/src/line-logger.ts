import { writeSync } from "node:fs";
import { isLogged, type LogFields, type Logger, type LogLevel } from "@heddle/core";

const stderrFd = 2;

/**
 * The log of every process and thread of the proxy: one line to standard error, `time level name message key=value`.
 * Written at once and whole, so that the last words before a crash arrive and lines of two threads never mix.
 */
export class LineLogger implements Logger {
  readonly #name: string;
  readonly #fields: string;
  readonly #threshold: { level: LogLevel };

  constructor(name: string, level: LogLevel, fields = "", threshold: { level: LogLevel } = { level }) {
    this.#name = name;
    this.#fields = fields;
    this.#threshold = threshold;
  }

  get level(): LogLevel {
    return this.#threshold.level;
  }

  /** Changes the level of this logger and of all that were made from it. */
  setLevel(level: LogLevel): void {
    this.#threshold.level = level;
  }

  debug(message: string, fields?: LogFields): void {
    this.#write("debug", message, fields);
  }
  info(message: string, fields?: LogFields): void {
    this.#write("info", message, fields);
  }
  warn(message: string, fields?: LogFields): void {
    this.#write("warn", message, fields);
  }
  error(message: string, fields?: LogFields): void {
    this.#write("error", message, fields);
  }

  child(fields: LogFields): Logger {
    return new LineLogger(this.#name, this.level, this.#fields + formatFields(fields), this.#threshold);
  }

  #write(level: LogLevel, message: string, fields: LogFields | undefined): void {
    if (!isLogged(level, this.#threshold.level)) return;
    const own = fields === undefined ? "" : formatFields(fields);
    const line = `${new Date().toISOString()} ${level.padEnd(5)} ${this.#name} ${oneLine(message)}${this.#fields}${own}\n`;
    try {
      writeSync(stderrFd, line);
    } catch {
      // A full or closed pipe at the other end of standard error must not take the proxy down.
    }
  }
}

function formatFields(fields: LogFields): string {
  let text = "";
  for (const [key, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    const shown =
      value instanceof Error ? value.message : typeof value === "string" ? value : (JSON.stringify(value) ?? "");
    text += ` ${key}=${/[\s"=]/.test(shown) ? JSON.stringify(shown) : shown}`;
  }
  return text;
}

/** A message may quote what a peer sent: control characters could forge a second line (CWE-117). */
function oneLine(text: string): string {
  return text.replaceAll(/[\0-\x1f\x7f]/gu, " ");
}
