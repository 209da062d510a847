import { setFlagsFromString } from "node:v8";
import { LineLogger } from "../line-logger.ts";
import type { ProxyOptions } from "../options/options.ts";
import type { GenerationSetup } from "../supervisor/messages.ts";
import { WorkerPool } from "./worker-pool.ts";

const setup = JSON.parse(process.argv[2] ?? "") as GenerationSetup<ProxyOptions>;
const { concurrency, logLevel, tlsKeyLogFile } = setup.options;
const logger = new LineLogger("proxy", logLevel);
// The supervisor chose a small young generation for this thread, which only configures. The threads that begin from here on serve.
setFlagsFromString("--max-semi-space-size=16");
// Before the rest is loaded, which takes longer: the workers load theirs meanwhile.
const pool = new WorkerPool({ count: concurrency, logger, random: Math.random, tlsKeyLogFile });
const { runGeneration } = await import("./run-generation.ts");
await runGeneration(setup, pool, logger);
