import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** What a load generator saw. Latencies in milliseconds. */
export interface LoadResult {
  readonly requests: number;
  readonly requestsPerSecond: number;
  readonly errors: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** As many requests as the connections allow, by wrk on one thread. */
export async function saturate(url: string, connections: number, seconds: number): Promise<LoadResult> {
  const { stdout } = await run("wrk", ["-t1", `-c${connections}`, `-d${seconds}s`, "--latency", url], {
    timeout: (seconds + 30) * 1000,
  });
  const number = (pattern: RegExp): number => Number(pattern.exec(stdout)?.[1] ?? 0);
  const sockets = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(stdout);
  const socketErrors = (sockets?.slice(1) ?? []).reduce((sum, count) => sum + Number(count), 0);
  return {
    requests: number(/(\d+) requests in/),
    requestsPerSecond: number(/Requests\/sec:\s+([\d.]+)/),
    errors: socketErrors + number(/Non-2xx or 3xx responses: (\d+)/),
    p50Ms: duration(/50%\s+([\d.]+)(us|ms|s)/.exec(stdout)),
    p99Ms: duration(/99%\s+([\d.]+)(us|ms|s)/.exec(stdout)),
  };
}

function duration(match: RegExpExecArray | null): number {
  const scale = { us: 0.001, ms: 1, s: 1000 }[match?.[2] ?? "ms"] ?? 1;
  return Number(match?.[1] ?? 0) * scale;
}

/** As many HTTP/2 requests as the streams allow, by h2load on one thread, with prior knowledge. */
export async function saturateHttp2(
  url: string,
  connections: number,
  streams: number,
  seconds: number,
): Promise<LoadResult> {
  const flags = ["-t1", `-c${connections}`, `-m${streams}`, `-D${seconds}`, url];
  const { stdout } = await run("h2load", flags, { timeout: (seconds + 30) * 1000, maxBuffer: 1 << 24 });
  const number = (pattern: RegExp): number => Number(pattern.exec(stdout)?.[1] ?? 0);
  const failed = /(\d+) failed, (\d+) errored, (\d+) timeout/.exec(stdout);
  return {
    requests: number(/requests: (\d+) total/),
    requestsPerSecond: number(/finished in [^,]+, ([\d.]+) req\/s/),
    errors: (failed?.slice(1) ?? []).reduce((sum, count) => sum + Number(count), 0),
    p50Ms: duration(/time for request:\s+\S+\s+\S+\s+([\d.]+)(us|ms|s)/.exec(stdout)),
    // It prints no percentiles; the longest stands for them.
    p99Ms: duration(/time for request:\s+\S+\s+([\d.]+)(us|ms|s)/.exec(stdout)),
  };
}

/** A fixed rate over 10 connections, by h2load; latencies from its log, which names each request's. */
export async function atRate(url: string, ratePerSecond: number, seconds: number): Promise<LoadResult> {
  const folder = await mkdtemp(join(tmpdir(), "heddle-bench-"));
  try {
    const log = join(folder, "requests.log");
    const clients = 10;
    const flags = [
      "--h1",
      "-t1",
      `-c${clients}`,
      "-m1",
      `-D${seconds}`,
      `--rps=${ratePerSecond / clients}`,
      `--log-file=${log}`,
      url,
    ];
    await run("h2load", flags, { timeout: (seconds + 30) * 1000, maxBuffer: 1 << 24 });
    const rows = (await readFile(log, "utf8"))
      .trim()
      .split("\n")
      .map((line) => line.split("\t"));
    const micros = rows.map((row) => Number(row[2])).sort((a, b) => a - b);
    const at = (share: number): number =>
      (micros[Math.min(micros.length - 1, Math.floor(micros.length * share))] ?? 0) / 1000;
    return {
      requests: rows.length,
      requestsPerSecond: rows.length / seconds,
      errors: rows.filter((row) => !/^2\d\d$/.test(row[1] ?? "")).length,
      p50Ms: at(0.5),
      p99Ms: at(0.99),
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
