import { close, open, write } from "node:fs";
import type { Logger } from "@heddle/core";
import type { AccessLogConfig, AccessLogFilter } from "@heddle/engine";
import {
  type AccessLogFormat,
  type AccessLogRecord,
  compileAccessLogFormat,
  type CompiledFormat,
  type CounterHandle,
  type JsonFormat,
} from "@heddle/telemetry";

/** Envoy's own format, for a log that names none (Envoy documentation, "Default Format String"). */
const envoyDefaultFormat =
  '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% ' +
  '%BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" ' +
  '"%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%"\n';

const flushBytes = 65_536;
const flushMs = 100;
/** Lines that a slow disk or pipe may leave waiting; past it they are dropped and counted. */
export const maxWaitingBytes = 4 * 1024 * 1024;

/** Compiles the format of a log; the problems are for whoever wrote it. */
export function compileFormat(config: AccessLogConfig): CompiledFormat {
  switch (config.format.kind) {
    case "default":
      return compileAccessLogFormat({ text: envoyDefaultFormat });
    case "text":
      return compileAccessLogFormat({ text: config.format.text });
    case "json":
      return compileAccessLogFormat({ json: config.format.json as JsonFormat });
  }
}

/** One log of a listener or connection manager, ready to write. */
export class BoundAccessLog {
  readonly #format: AccessLogFormat;
  readonly #filter: AccessLogFilter | undefined;
  readonly #file: LogFile;

  constructor(format: AccessLogFormat, filter: AccessLogFilter | undefined, file: LogFile) {
    this.#format = format;
    this.#filter = filter;
    this.#file = file;
  }

  write(record: AccessLogRecord): void {
    if (this.#filter !== undefined && !passes(this.#filter, record)) return;
    this.#file.append(this.#format.format(record));
  }
}

/** The access logs of a worker; logs to one path share one file. */
export class AccessLogs {
  readonly #logger: Logger;
  readonly #lost: CounterHandle;
  readonly #files = new Map<string, LogFile>();
  readonly #bound = new WeakMap<AccessLogConfig, BoundAccessLog>();

  /** @param lost counts the lines that are not written */
  constructor(logger: Logger, lost: CounterHandle) {
    this.#logger = logger;
    this.#lost = lost;
  }

  bind(configs: readonly AccessLogConfig[]): readonly BoundAccessLog[] {
    return configs.flatMap((config) => {
      let log = this.#bound.get(config);
      if (log === undefined) {
        const { format } = compileFormat(config);
        // The main thread has refused what does not compile.
        if (format === undefined) return [];
        this.#bound.set(config, (log = new BoundAccessLog(format, config.filter, this.#file(config.sink))));
      }
      return [log];
    });
  }

  /** Writes out what waits. */
  async flush(): Promise<void> {
    await Promise.all([...this.#files.values()].map((file) => file.flush()));
  }

  #file(sink: AccessLogConfig["sink"]): LogFile {
    const key = sink.kind === "file" ? sink.path : sink.kind;
    let file = this.#files.get(key);
    if (file === undefined) this.#files.set(key, (file = new LogFile(sink, this.#logger, this.#lost)));
    return file;
  }
}

/** Appends lines to a file or standard stream, gathered, off the request path, and in order. */
class LogFile {
  readonly #sink: AccessLogConfig["sink"];
  readonly #logger: Logger;
  readonly #lost: CounterHandle;
  #fd: number | undefined;
  #waiting: string[] = [];
  #waitingBytes = 0;
  /** Lines on their way to the disk. */
  #writingLines = 0;
  #droppedLines = 0;
  #isWriting = false;
  #timer: NodeJS.Timeout | undefined;
  #onIdle: (() => void)[] = [];

  constructor(sink: AccessLogConfig["sink"], logger: Logger, lost: CounterHandle) {
    this.#sink = sink;
    this.#logger = logger;
    this.#lost = lost;
    if (sink.kind !== "file") this.#fd = sink.kind === "stdout" ? 1 : 2;
  }

  append(line: string): void {
    if (this.#waitingBytes + line.length > maxWaitingBytes) {
      this.#droppedLines += 1;
      this.#lost.add(1);
      return;
    }
    this.#waiting.push(line);
    this.#waitingBytes += line.length;
    if (this.#isWriting) return;
    if (this.#waitingBytes >= flushBytes) this.#write();
    else this.#timer ??= setTimeout(() => this.#write(), flushMs);
  }

  flush(): Promise<void> {
    return new Promise((resolve) => {
      this.#onIdle.push(resolve);
      if (!this.#isWriting) this.#write();
    });
  }

  #write(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#waiting.length === 0) {
      for (const resolve of this.#onIdle.splice(0)) resolve();
      return;
    }
    this.#isWriting = true;
    if (this.#fd === undefined && this.#sink.kind === "file") {
      open(this.#sink.path, "a", 0o644, (error, fd) => {
        if (error !== null) return this.#fail(error);
        this.#fd = fd;
        this.#writeWaiting(fd);
      });
    } else this.#writeWaiting(this.#fd ?? 1);
  }

  #writeWaiting(fd: number): void {
    const bytes = Buffer.from(this.#waiting.join(""));
    this.#writingLines = this.#waiting.length;
    this.#waiting = [];
    this.#waitingBytes = 0;
    if (this.#droppedLines > 0) {
      this.#logger.warn("access log lines were dropped: the log is written too slowly", { lines: this.#droppedLines });
      this.#droppedLines = 0;
    }
    this.#writeFrom(fd, bytes, 0);
  }

  #writeFrom(fd: number, bytes: Buffer, offset: number): void {
    write(fd, bytes, offset, bytes.length - offset, null, (error, written) => {
      // A pipe whose reader is slow and that somebody has set to non-blocking.
      if (error?.code === "EAGAIN") return void setTimeout(() => this.#writeFrom(fd, bytes, offset), 10);
      if (error !== null) return this.#fail(error);
      if (offset + written < bytes.length) return this.#writeFrom(fd, bytes, offset + written);
      this.#isWriting = false;
      this.#writingLines = 0;
      if (this.#waitingBytes >= flushBytes || this.#onIdle.length > 0) this.#write();
      else if (this.#waiting.length > 0) this.#timer ??= setTimeout(() => this.#write(), flushMs);
    });
  }

  /** The lines are lost; the next ones open the file anew, so that a disk that recovers is used again. */
  #fail(error: Error): void {
    this.#logger.error("an access log could not be written", {
      log: this.#sink.kind === "file" ? this.#sink.path : this.#sink.kind,
      error,
    });
    this.#lost.add(this.#writingLines + this.#waiting.length);
    this.#isWriting = false;
    this.#writingLines = 0;
    this.#waiting = [];
    this.#waitingBytes = 0;
    if (this.#sink.kind === "file" && this.#fd !== undefined) {
      close(this.#fd, () => {});
      this.#fd = undefined;
    }
    for (const resolve of this.#onIdle.splice(0)) resolve();
  }
}

/** `envoy.config.accesslog.v3.AccessLogFilter`. */
function passes(filter: AccessLogFilter, record: AccessLogRecord): boolean {
  switch (filter.kind) {
    case "status":
      return compare(record.responseCode, filter.op, filter.value);
    case "duration":
      return compare(record.durationMs, filter.op, filter.value);
    case "response-flags": {
      if (record.responseFlags === "") return false;
      return filter.flags.length === 0 || record.responseFlags.split(",").some((flag) => filter.flags.includes(flag));
    }
    case "and":
      return filter.filters.every((part) => passes(part, record));
    case "or":
      return filter.filters.some((part) => passes(part, record));
  }
}

function compare(left: number, op: "=" | ">=" | "<=", right: number): boolean {
  return op === "=" ? left === right : op === ">=" ? left >= right : left <= right;
}
