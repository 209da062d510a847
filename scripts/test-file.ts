import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { TestRecord } from "./test-reporter.ts";

export interface TestFileOptions {
  /** A test file that has not ended by then has hung, or left something open; it is killed and has failed. */
  limitMs: number;
  /** Time for children to notice that the test is over, and for a hung process to say what is open. Default: 5 s. */
  graceMs?: number;
  /** Regular expression: only tests with such a title run. */
  only?: string;
  /** Set beside this process' own environment. */
  environment?: Readonly<Record<string, string>>;
  /** Ends the run of this file early; what it started is killed. */
  signal?: AbortSignal;
}

export interface TestFileResult {
  file: string;
  passed: number;
  failures: { title: string; line: number; error: string }[];
  skips: { title: string; reason: string }[];
  /** What the file's process wrote, both streams in order. */
  output: string;
  ms: number;
}

const reporter = fileURLToPath(new URL("./test-reporter.ts", import.meta.url));

/**
 * Runs one test file in a process group of its own, so that what it leaves behind is found and ended:
 * a test closes what it opens, processes included.
 */
export async function runTestFile(file: string, options: TestFileOptions): Promise<TestFileResult> {
  const folder = mkdtempSync(join(tmpdir(), "heddle-test-"));
  const records = join(folder, "records.jsonl");
  const { limitMs, graceMs = 5_000 } = options;
  const start = performance.now();
  const output: Buffer[] = [];
  const args = [`--test-reporter=${reporter}`, `--test-reporter-destination=${records}`];
  if (options.only !== undefined) args.push(`--test-name-pattern=${options.only}`);
  try {
    const env = { ...process.env, ...options.environment };
    const child = spawn(process.execPath, [...args, file], { stdio: ["ignore", "pipe", "pipe"], detached: true, env });
    child.stdout.on("data", (chunk: Buffer) => output.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => output.push(chunk));
    await once(child, "spawn");
    const group = child.pid as number;

    let hung = false;
    const stop = (): void => signalGroup(group, "SIGKILL");
    options.signal?.addEventListener("abort", stop);
    const limit = setTimeout(() => {
      hung = true;
      child.kill("SIGUSR2");
      setTimeout(stop, graceMs).unref();
    }, limitMs);
    // Not "close": a process left behind may hold the streams open.
    const [code, signal] = (await once(child, "exit")) as [number | null, NodeJS.Signals | null];
    clearTimeout(limit);
    const left = await endGroup(group, graceMs);
    options.signal?.removeEventListener("abort", stop);
    await delay(0); // lets the last output of the streams in

    const result = resultOf(file, readRecords(records), Buffer.concat(output).toString(), performance.now() - start);
    if (left.length > 0) fail(result, `left processes behind: ${left.join("; ")}`);
    if (hung) fail(result, `did not end within ${limitMs / 1000} s: a test hangs, or a handle was left open`);
    else if (result.failures.length === 0 && code !== 0) fail(result, `ended with ${signal ?? `code ${code}`}`);
    else if (!result.isComplete) fail(result, "ended before all its tests had, or holds none");
    return result;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function fail(result: TestFileResult, error: string): void {
  result.failures.push({ title: "(the file itself)", line: 1, error });
}

function readRecords(path: string): TestRecord[] {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    return []; // the process died before the reporter opened its file: no record says so, too
  }
  return text
    .split("\n")
    .filter((line) => line.endsWith("}"))
    .map((line) => JSON.parse(line) as TestRecord);
}

function resultOf(
  file: string,
  records: TestRecord[],
  output: string,
  ms: number,
): TestFileResult & { isComplete: boolean } {
  return {
    file,
    passed: records.filter(({ kind }) => kind === "passed").length,
    failures: records.filter((record) => record.kind === "failed"),
    skips: records.filter((record) => record.kind === "skipped"),
    output,
    ms,
    isComplete: records.at(-1)?.kind === "end",
  };
}

/** Waits for the group to be empty, then kills what is left of it; @returns what had to be killed. */
async function endGroup(group: number, graceMs: number): Promise<string[]> {
  const deadline = performance.now() + graceMs;
  let left = membersOf(group);
  while (left.length > 0 && performance.now() < deadline) {
    await delay(50);
    left = membersOf(group);
  }
  if (left.length > 0) signalGroup(group, "SIGKILL");
  return left;
}

/** Command lines of the group's living members; on systems without /proc nothing is looked for. */
function membersOf(group: number): string[] {
  if (process.platform !== "linux") return [];
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        // proc_pid_stat(5): pid (comm) state ppid pgrp …; comm may hold spaces and parentheses. Z: dead, its parent has not looked.
        const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
        const [state, , pgrp] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
        if (Number(pgrp) !== group || state === "Z") return [];
        return [`${pid} ${readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim()}`];
      } catch {
        return []; // ended while we looked
      }
    });
}

function signalGroup(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal);
  } catch {
    // ESRCH: the group ended by itself
  }
}
