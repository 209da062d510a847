import type { LogFields, Logger, LogLevel } from "@heddle/core";
import { pino } from "pino";
import type { Logger as Pino } from "pino";

/** Lines of JSON on standard output: time (epoch ms), level (a word), msg, and the fields. */
export class JsonLogger implements Logger {
  readonly level: LogLevel;
  readonly #pino: Pino;

  constructor(level: LogLevel, over?: Pino) {
    this.level = level;
    this.#pino =
      over ??
      pino(
        {
          level: level === "off" ? "silent" : level,
          base: null,
          formatters: { level: (label) => ({ level: label }) },
        },
        standardOutput(),
      );
  }

  debug(message: string, fields: LogFields = {}): void {
    this.#pino.debug(fields, message);
  }

  info(message: string, fields: LogFields = {}): void {
    this.#pino.info(fields, message);
  }

  warn(message: string, fields: LogFields = {}): void {
    this.#pino.warn(fields, message);
  }

  error(message: string, fields: LogFields = {}): void {
    this.#pino.error(fields, message);
  }

  child(fields: LogFields): Logger {
    return new JsonLogger(this.level, this.#pino.child(fields));
  }
}

/**
 * Pino's own destination tries for ever, and holds the thread meanwhile, to write to a pipe whose reader has gone: a control plane
 * would outlive `heddle up`. Node's own stream is as synchronous on a pipe and gives up.
 */
function standardOutput(): NodeJS.WriteStream {
  // Nobody reads any more, which is no reason to die: who started this process ends it.
  process.stdout.on("error", () => {});
  return process.stdout;
}
