import { Worker } from "node:worker_threads";
import { currentBytes, type FuzzOrder, type FuzzReport } from "./messages.ts";

export interface FuzzOptions {
  readonly file: string;
  readonly corpus: readonly Buffer[];
  readonly seed: number;
  readonly durationMs: number;
  readonly maxInputs?: number;
  /** How long one input may take. Default: 10 s. */
  readonly hangMs?: number;
  /** What one thread may take. Default: 1 GiB. */
  readonly memoryMb?: number;
}

export interface FuzzResult {
  readonly inputs: number;
  readonly blocks: number;
  /** What ran a block that nothing ran before. */
  readonly found: readonly Buffer[];
  readonly crash: { readonly input: Buffer; readonly error: string } | undefined;
}

/** Fuzzes one target in a thread of its own, so that an input on which it hangs or runs out of memory is a crash like any other. */
export async function fuzz(options: FuzzOptions): Promise<FuzzResult> {
  const { file, seed, durationMs, maxInputs = Number.POSITIVE_INFINITY, hangMs = 10_000, memoryMb = 1024 } = options;
  const current = new SharedArrayBuffer(currentBytes);
  const order: FuzzOrder = {
    file,
    corpus: options.corpus,
    seed,
    endsAtMs: Date.now() + durationMs,
    maxInputs,
    current,
  };
  const worker = new Worker(new URL("worker.ts", import.meta.url), {
    workerData: order,
    resourceLimits: { maxOldGenerationSizeMb: memoryMb },
  });
  const found: Buffer[] = [];
  let state = { inputs: 0, blocks: 0 };
  let crash: FuzzResult["crash"];
  const atHand = (error: string): FuzzResult["crash"] => ({
    input: Buffer.from(Buffer.from(current, 8, Atomics.load(new Int32Array(current), 0))),
    error,
  });
  worker.on("message", (report: FuzzReport) => {
    if (report.type === "found") found.push(Buffer.from(report.input));
    else if (report.type === "crash") crash = { input: Buffer.from(report.input), error: report.error };
    else state = { inputs: report.inputs, blocks: report.blocks };
  });
  worker.on("error", (error) => (crash ??= atHand((error as Error).stack ?? String(error))));
  let lastInput = -1;
  const watchdog = setInterval(() => {
    const input = Atomics.load(new Int32Array(current), 1);
    if (input === lastInput && input > 0) {
      crash ??= atHand(`an input took more than ${hangMs} ms`);
      void worker.terminate();
    }
    lastInput = input;
  }, hangMs);
  await new Promise<void>((resolve) => worker.once("exit", () => resolve()));
  clearInterval(watchdog);
  return { ...state, found, crash };
}
