export type LogLevel = "debug" | "info" | "warn" | "error" | "off";

export type LogFields = Record<string, unknown>;

/** Structured logging as the packages see it; the shells decide where lines go. */
export interface Logger {
  readonly level: LogLevel;
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger that adds `fields` to every line. */
  child(fields: LogFields): Logger;
}

/** From the most to the least talkative. */
export const logLevels: readonly LogLevel[] = ["debug", "info", "warn", "error", "off"];

/** Whether a line of `level` is written by a logger whose level is `threshold`. Nothing is written at "off". */
export function isLogged(level: LogLevel, threshold: LogLevel): boolean {
  return level !== "off" && logLevels.indexOf(level) >= logLevels.indexOf(threshold);
}

/** Reads a level as a user writes it (any case, Envoy's "warning", "critical" and "trace" too); undefined when it is none. */
export function parseLogLevel(text: string): LogLevel | undefined {
  const lower = text.toLowerCase();
  if (lower === "warning") return "warn";
  if (lower === "critical") return "error";
  if (lower === "trace") return "debug";
  return logLevels.find((level) => level === lower);
}

/** A logger that writes nothing. */
export const silentLogger: Logger = {
  level: "off",
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLogger,
};
