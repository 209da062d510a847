import { execFile, fork } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
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

/** What an application that is traced sends along; a proxy reads it and passes it on. */
const traceHeader = "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/** As many requests as the connections allow, by wrk on one thread. */
export async function saturate(url: string, connections: number, seconds: number): Promise<LoadResult> {
  const { stdout } = await run(
    "wrk",
    ["-t1", `-c${connections}`, `-d${seconds}s`, "--latency", "-H", traceHeader, url],
    {
      timeout: (seconds + 30) * 1000,
    },
  );
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

/** As many HTTP/2 requests as the streams allow, by h2load on one thread, with prior knowledge. `more`: further flags of h2load. */
export async function saturateHttp2(
  url: string,
  connections: number,
  streams: number,
  seconds: number,
  more: readonly string[] = [],
): Promise<LoadResult> {
  const flags = ["-t1", `-c${connections}`, `-m${streams}`, `-D${seconds}`, ...more, url];
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

/** Unary gRPC calls with a message of 25 bytes; as {@link saturateHttp2} otherwise. */
export async function saturateGrpc(
  url: string,
  connections: number,
  streams: number,
  seconds: number,
): Promise<LoadResult> {
  const folder = await mkdtemp(join(tmpdir(), "heddle-bench-"));
  try {
    const message = join(folder, "message");
    await writeFile(message, Buffer.concat([Buffer.from([0, 0, 0, 0, 20]), Buffer.alloc(20, "x")]));
    const headers = ["-H", "content-type: application/grpc", "-H", "te: trailers"];
    return await saturateHttp2(`${url}bench.Bench/Unary`, connections, streams, seconds, ["-d", message, ...headers]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** What one of `clients/` counted. */
export interface Counted {
  readonly count: number;
  readonly seconds: number;
  readonly errors: number;
}

/** Runs one of `clients/` to its end, in a process of its own. */
export async function runClient(name: "grpc-stream" | "handshakes", args: readonly string[]): Promise<Counted> {
  const program = fileURLToPath(new URL(`clients/${name}.ts`, import.meta.url));
  const { stdout } = await run(process.execPath, [program, ...args], { timeout: 120_000 });
  return JSON.parse(stdout) as Counted;
}

/** Opens connections by `clients/idle.ts` and holds them until `release` is called. */
export async function holdIdle(args: readonly string[]): Promise<{ release(): Promise<void> }> {
  const client = fork(fileURLToPath(new URL("clients/idle.ts", import.meta.url)), args);
  const hasExited = new Promise<number | null>((resolve) => {
    client.once("exit", resolve);
  });
  await Promise.race([
    new Promise((resolve) => {
      client.once("message", resolve);
    }),
    hasExited.then((code) => Promise.reject(new Error(`idle connections could not be held: exit ${code}`))),
  ]);
  return {
    release: async () => {
      if (client.connected) client.disconnect();
      await hasExited;
    },
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
      "-H",
      traceHeader,
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
