import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { isRunning } from "@heddle/testkit";

const defaultPatienceMs = 20_000;
const main = fileURLToPath(new URL("run.ts", import.meta.url));

/** A proxy with all of its processes, as `heddle proxy` runs it. */
export class ProxyProcess implements AsyncDisposable {
  readonly process: ChildProcess;
  #log = "";
  readonly #wakers = new Set<() => void>();
  readonly #exit: Promise<[code: number | null, signal: string | null]>;

  readonly #patienceMs: number;

  /**
   * @param options.ipc with a channel to this process, as a parent that the proxy must not outlive
   * @param options.patienceMs how long `logged` and `ready` wait
   */
  constructor(
    args: readonly string[],
    options: {
      readonly ipc?: boolean;
      readonly env?: Record<string, string>;
      readonly fds?: readonly number[];
      readonly patienceMs?: number;
    } = {},
  ) {
    this.#patienceMs = options.patienceMs ?? defaultPatienceMs;
    this.process = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", main, ...args], {
      stdio: ["ignore", "pipe", "pipe", options.ipc === true ? "ipc" : "ignore", ...(options.fds ?? [])],
      env: { ...process.env, ...options.env },
    });
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream?.on("data", (chunk: Buffer) => {
        this.#log += chunk.toString();
        for (const wake of this.#wakers) wake();
      });
    }
    this.#exit = once(this.process, "exit") as Promise<[number | null, string | null]>;
    this.process.on("exit", () => {
      for (const wake of this.#wakers) wake();
    });
  }

  get log(): string {
    return this.#log;
  }

  /** Waits for the `count`th line that matches, and returns the match. */
  async logged(pattern: RegExp, count = 1): Promise<RegExpMatchArray> {
    const global = new RegExp(pattern.source, "g");
    return new Promise((resolve, reject) => {
      const check = (): void => {
        const found = [...this.#log.matchAll(global)][count - 1];
        if (found === undefined && this.process.exitCode === null && this.process.signalCode === null) return;
        this.#wakers.delete(check);
        clearTimeout(timer);
        if (found === undefined) reject(new Error(`the proxy ended before ${pattern}:\n${this.#log}`));
        else resolve(found);
      };
      const timer = setTimeout(() => {
        this.#wakers.delete(check);
        reject(new Error(`no ${pattern} in:\n${this.#log}`));
      }, this.#patienceMs);
      this.#wakers.add(check);
      check();
    });
  }

  /** Waits until it is ready for the `count`th time; returns the admin port. */
  async ready(count = 1): Promise<number> {
    return Number((await this.logged(/ready admin=(\d+)/, count))[1]);
  }

  async exited(): Promise<number | null> {
    return (await this.#exit)[0];
  }

  kill(signal: NodeJS.Signals): void {
    this.process.kill(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.process.exitCode === null && this.process.signalCode === null) this.process.kill("SIGKILL");
    await this.#exit;
  }
}

export async function adminGet(port: number, path: string, init: RequestInit = {}): Promise<string> {
  return (await fetch(`http://127.0.0.1:${port}${path}`, init)).text();
}

/** Where a listener is bound. */
export async function listenerPort(adminPort: number, name: string): Promise<number> {
  const line = (await adminGet(adminPort, "/listeners")).split("\n").find((text) => text.startsWith(`${name}::`));
  assert.ok(line, `no listener ${name}`);
  return Number(line.slice(line.lastIndexOf(":") + 1));
}

/** The proxy generation behind a supervisor: its only child. */
export async function childrenOf(pid: number): Promise<number[]> {
  const { readFile } = await import("node:fs/promises");
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8").catch(() => "");
  return text
    .split(" ")
    .filter((entry) => entry !== "")
    .map(Number)
    .filter((child) => isRunning(child));
}

/** A folder that is removed after the test. */
export async function temporaryFolder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "heddle-proxy-"));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** How a command went. */
interface Command {
  readonly exitCode: number | null;
  readonly log: string;
}

/** `heddle proxy` with these words, until it ends. */
export async function runProxy(args: readonly string[]): Promise<Command> {
  const proxy = new ProxyProcess(args);
  return { exitCode: await proxy.exited(), log: proxy.log };
}

/** A proxy with a bootstrap file and a state directory, once it serves. */
export async function startProxy(
  t: TestContext,
  content: object,
  args: readonly string[] = [],
): Promise<{ proxy: ProxyProcess; folder: string; config: string; stateDir: string }> {
  const folder = await temporaryFolder(t);
  const config = join(folder, "envoy.json");
  const stateDir = join(folder, "state");
  await writeFile(config, JSON.stringify(content));
  const proxy = new ProxyProcess(["-c", config, "--state-dir", stateDir, ...args]);
  t.after(() => proxy[Symbol.asyncDispose]());
  await proxy.ready();
  return { proxy, folder, config, stateDir };
}
