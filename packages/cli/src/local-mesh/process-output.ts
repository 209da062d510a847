import type { ChildProcess } from "node:child_process";
import type { Readable } from "node:stream";

/** Proxies write their access logs to standard output, and what they have to say to standard error. */
export type StreamName = "stdout" | "stderr";

/**
 * Where the lines of one process go, whole lines only. `isRepetition`: it ends again and again, which has been told; for its
 * log file alone.
 */
export type LineSink = (source: string, line: string, stream: StreamName, isRepetition?: boolean) => void;

const maxLineLength = 16_384;

/** Hands the lines of a child's piped output on with the name of their process, as a process manager does. */
export function forwardOutput(child: ChildProcess, source: string, sink: LineSink): void {
  if (child.stdout !== null) forwardLines(child.stdout, (line) => sink(source, line, "stdout"));
  if (child.stderr !== null) forwardLines(child.stderr, (line) => sink(source, line, "stderr"));
}

function forwardLines(stream: Readable, onLine: (line: string) => void): void {
  let rest = "";
  stream.setEncoding("utf8");
  stream.on("data", (chunk: string) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) onLine(line);
    // A program that never ends its line must not fill memory.
    if (rest.length > maxLineLength) {
      onLine(rest);
      rest = "";
    }
  });
  stream.on("end", () => {
    if (rest !== "") onLine(rest);
  });
  // The process is gone; its exit says so.
  stream.on("error", () => stream.destroy());
}
