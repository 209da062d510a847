import type { Readable } from "node:stream";

/** Where the lines of one process go, whole lines only. */
export type LineSink = (source: string, line: string) => void;

const maxLineLength = 16_384;

/** Cuts a stream into lines and hands them on with the name of their process, as a process manager does. */
export function forwardLines(stream: Readable, source: string, sink: LineSink): void {
  let rest = "";
  stream.setEncoding("utf8");
  stream.on("data", (chunk: string) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) sink(source, line);
    // A program that never ends its line must not fill memory.
    if (rest.length > maxLineLength) {
      sink(source, rest);
      rest = "";
    }
  });
  stream.on("end", () => {
    if (rest !== "") sink(source, rest);
  });
  // The process is gone; its exit says so.
  stream.on("error", () => stream.destroy());
}
