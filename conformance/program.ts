import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";

export interface RunOptions {
  readonly limitMs?: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string | Buffer;
  readonly cwd?: string;
}

export interface Finished {
  /** Undefined: it was killed because its time was over. */
  readonly code: number | undefined;
  readonly output: string;
  readonly errors: string;
}

/** Runs a program to its end; one that does not end is killed after `limitMs`. */
export async function run(
  program: string,
  args: readonly string[],
  { limitMs = 60_000, env, input, cwd }: RunOptions = {},
): Promise<Finished> {
  const child = spawn(program, args, { stdio: "pipe", env: { ...process.env, ...env }, cwd });
  const [output, errors] = [new Words(child.stdout), new Words(child.stderr)];
  child.stdin.on("error", () => child.stdin.destroy());
  child.stdin.end(input);
  const timer = setTimeout(() => child.kill("SIGKILL"), limitMs);
  try {
    const [code] = (await once(child, "close")) as [number | null];
    return { code: code ?? undefined, output: output.text, errors: errors.text };
  } catch (error) {
    return { code: 127, output: "", errors: error instanceof Error ? error.message : String(error) };
  } finally {
    clearTimeout(timer);
  }
}

/** A server of its own process that says on a line of standard output where it listens. */
export class ServerProgram implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #words: readonly Words[];

  private constructor(child: ChildProcess, words: readonly Words[]) {
    this.#child = child;
    this.#words = words;
  }

  /** What it has written so far. */
  get words(): string {
    return this.#words.map(({ text }) => text).join("");
  }

  /** Resolves with the first line that matches. */
  static async start(
    program: string,
    args: readonly string[],
    ready: RegExp,
    env: Readonly<Record<string, string>> = {},
  ): Promise<{ server: ServerProgram; match: RegExpExecArray }> {
    const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"], env: { ...process.env, ...env } });
    child.stdin.on("error", () => child.stdin.destroy());
    const words = [new Words(child.stdout), new Words(child.stderr)];
    const server = new ServerProgram(child, words);
    const { promise, resolve, reject } = Promise.withResolvers<RegExpExecArray>();
    const look = (): void => {
      const match = words.map(({ text }) => ready.exec(text)).find((found) => found !== null);
      if (match) resolve(match);
    };
    for (const stream of [child.stdout, child.stderr]) stream.on("data", look);
    child.on("error", reject);
    child.on("exit", () => reject(new Error(`${program} ended: ${server.words}`)));
    const timer = setTimeout(() => reject(new Error(`${program} did not get ready: ${server.words}`)), 60_000);
    try {
      return { server, match: await promise };
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null || this.#child.pid === undefined) return;
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await ended;
  }
}

/** The last megabytes of a stream. */
class Words {
  text = "";

  constructor(stream: NodeJS.ReadableStream) {
    stream.setEncoding("utf8");
    stream.on("data", (chunk: string) => {
      this.text = (this.text + chunk).slice(-(1 << 23));
    });
  }
}
